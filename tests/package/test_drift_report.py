"""Evidently's report: a page for people with both verdicts, drawn on a sample where there are many rows."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from support.command_line import Governance
from zenml import pipeline, step

from governance_core.core import Bound, UsageError
from governance_core.gates.drift import judge_drift, profile_frame
from governance_core.steps import drift_report, report_drift

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Evidently's and its web server's


def frame(rows: int = 2_000, moved: float = 0.0) -> pd.DataFrame:
    random = np.random.default_rng(7)
    return pd.DataFrame({"a": random.normal(moved, 1, rows), "b": random.choice(["x", "y"], rows), "label": 1})


def report_of(reference: Any, current: Any) -> drift_report.DriftReport:
    verdict = judge_drift(
        profile_frame(reference), current, [Bound("drift_score", "max", 0.3, "test")], ignore=["label"]
    )
    return drift_report.draw_report(reference, current, verdict, ["label"])


@step
def give(moved: float) -> Annotated[Any, "frame"]:
    return frame(moved=moved)


@pipeline
def drawing() -> None:
    report_drift(give(0.0), give(2.0), ignore=["label"])


@pytest.mark.usefixtures("store")
def test_the_step_keeps_the_page_and_both_verdicts() -> None:
    outputs = drawing().steps["report_drift"].outputs
    verdicts = outputs["verdicts"][0].load()
    for verdict in verdicts.values():
        assert (verdict["passed"], verdict["drift_score"], verdict["drifted_columns"]) == (False, 0.5, ["a"])
    page = outputs["drift_report"][0].load()
    assert "The gate, on all rows: drift, 50% of the columns drifted: a" in page
    assert "Evidently, on the rows drawn below: drift, 50% of the columns drifted: a" in page
    assert "reference: 2,000 of 2,000 rows" in page


def test_the_verb_writes_the_page_also_where_it_refuses(governance: Governance, tmp_path: Path) -> None:
    frame().to_parquet(tmp_path / "reference.parquet")
    frame(moved=2.0).to_csv(tmp_path / "current.csv", index=False)
    page = tmp_path / "drift.html"
    sides = ["--reference", tmp_path / "reference.parquet", "--current", tmp_path / "current.csv"]
    code, _, err = governance("drift", *sides, "--ignore", "label", "--report", page)
    assert code == 3
    assert "drifted: a" in err
    assert "The gate, on all rows: drift" in page.read_text(encoding="utf-8")


def test_a_limit_that_is_tightened_holds_for_evidently_too() -> None:
    verdict = judge_drift(profile_frame(frame()), frame(moved=2.0), [Bound("drift_score", "max", 0.6, "test")])
    report = drift_report.draw_report(frame(), frame(moved=2.0), verdict)
    assert report.drift_score == pytest.approx(1 / 3)
    assert report.passed


def dask_of(data: pd.DataFrame) -> Any:
    import dask.dataframe as dd

    return dd.from_pandas(data, npartitions=3)


ENGINES: dict[str, Callable[[pd.DataFrame], Any]] = {
    "pandas": lambda data: data,
    "polars": pl.from_pandas,
    "polars lazy": lambda data: pl.from_pandas(data).lazy(),
    "pyarrow": lambda data: pa.Table.from_pandas(data, preserve_index=False),
    "duckdb": lambda data: duckdb.from_arrow(pa.Table.from_pandas(data, preserve_index=False)),
    "dask": dask_of,
}


@pytest.mark.parametrize("engine", ENGINES)
def test_of_more_rows_a_sample_is_drawn_that_is_the_same_each_time(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift_report, "ROWS", 500)
    data = frame().assign(i=range(2_000))
    (one, rows), (two, _) = (drift_report._drawn(ENGINES[engine](data)) for _ in range(2))
    assert (len(one), rows) == (500, 2_000)
    assert one["i"].is_unique
    assert list(one["i"]) == list(two["i"])
    assert 800 < one["i"].mean() < 1_200, "from all over the data"
    pd.testing.assert_frame_equal(one, data.loc[one["i"]].reset_index(drop=True))


def test_a_column_that_lost_all_its_values_is_drift_to_the_gate_and_no_error_to_evidently() -> None:
    report = report_of(frame(), frame().assign(b=None))
    assert (report.passed, report.drifted_columns) == (True, [])
    assert "The gate, on all rows: drift, 50% of the columns drifted: b" in report.html


def test_up_to_the_limit_every_row_is_drawn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_report, "ROWS", 2_000)
    assert report_of(frame(), frame()).rows == (2_000, 2_000)


def test_without_evidently_it_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_report, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match="uv sync --group report"):
        report_of(frame(), frame())


def test_a_profile_has_no_rows_to_draw(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a profile"):
        drift_report._drawn(tmp_path / "reference.json")


SILENT = """
import sys
def watch(event, _):
    if event in ("socket.connect", "socket.getaddrinfo", "subprocess.Popen"):
        raise SystemExit(event)
sys.addaudithook(watch)
import pandas as pd
from governance_core.core import Bound
from governance_core.gates.drift import judge_drift, profile_frame
from governance_core.steps.drift_report import draw_report
data = pd.DataFrame({"a": range(200)})
verdict = judge_drift(profile_frame(data), data, [Bound("drift_score", "max", 0.3, "test")])
assert draw_report(data, data, verdict).passed
assert "iterative_telemetry" not in sys.modules
"""


def test_the_report_tells_nobody_and_writes_nothing(store: Path, tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "XDG_CONFIG_HOME": str(home), "ZENML_CONFIG_PATH": str(store)}
    for name in ("XDG_CACHE_HOME", "MPLCONFIGDIR"):
        environment.pop(name, None)
    command = [sys.executable, "-c", SILENT]
    done = subprocess.run(command, cwd=home, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert [path for path in home.rglob("*") if path.is_file()] == []
