"""Evidently's drift report: a page for people, with its own verdict beside the gate's."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from html import escape
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import FiniteFloat
from zenml import get_step_context, step
from zenml.logger import get_logger
from zenml.types import HTMLString

from governance_core.core import UsageError
from governance_core.gates.frames import open_frame
from governance_core.registry.sources import platform_code
from governance_core.steps.drift import judge
from governance_core.steps.gates import policy_of

if TYPE_CHECKING:
    import narwhals as nw
    import pandas as pd

    from governance_core.gates.drift import DriftVerdict

logger = get_logger(__name__)

ROWS = 50_000  # of more a sample is drawn: the gate judges all rows, but Evidently's time and memory grow with them
_SEED = 0
_INDEX = "row number of the drift report"


@dataclass(frozen=True)
class DriftReport:
    """What Evidently found on ``rows`` of the ``rows_in_all`` (reference, current), and its page."""

    html: str
    passed: bool
    drift_score: float
    drifted_columns: list[str]
    rows: tuple[int, int]
    rows_in_all: tuple[int, int]

    def as_dict(self) -> dict[str, Any]:
        """Return what was found as JSON holds it, without the page."""
        return {name: value for name, value in asdict(self).items() if name != "html"}


@step(enable_cache=False)
@platform_code
def report_drift(
    reference: Any,
    current: Any,
    threshold: FiniteFloat = 0.3,
    ignore: list[str] | None = None,
    governance: dict[str, Any] | None = None,
) -> tuple[Annotated[HTMLString, "drift_report"], Annotated[dict[str, Any], "verdicts"]]:
    """Draw Evidently's drift report, for somebody who wants to see what drifted; it stops nothing.

    Args:
        reference: the data that the model was trained on: a data frame of any engine that narwhals knows, or a path.
        current: the same.
        threshold: the largest share of drifted columns; the stricter of argument and policy holds.
        ignore: columns not to compare.
        governance: set by ``governed_pipeline``.

    Returns:
        The page, and the verdicts of ``gate`` and ``evidently``.

    Raises:
        UsageError: if the two cannot be compared, or Evidently is not installed; says how to install it.
    """
    from governance_core.gates.drift import profile_frame

    verdict = judge(profile_frame(reference), current, policy_of(governance), threshold, ignore or ())
    report = draw_report(reference, current, verdict, ignore or ())
    where = get_step_context().get_output_artifact_uri("drift_report")
    logger.info("The drift report is %s/output.html", where)
    return HTMLString(report.html), {"gate": verdict.as_dict(), "evidently": report.as_dict()}


def draw_report(reference: Any, current: Any, verdict: DriftVerdict, ignore: Collection[str] = ()) -> DriftReport:
    """Let Evidently compare data with a reference by its defaults, and draw what it finds.

    It sees all rows up to `ROWS`, and of more the same random sample each time. It sends nothing anywhere.

    Args:
        reference: a data frame of any engine that narwhals knows, or the path of a file.
        current: the same.
        verdict: what the drift gate found; the page names it beside Evidently's, and its limit holds for both.
        ignore: columns not to compare.

    Raises:
        UsageError: if either cannot be read, or Evidently is not installed; says how to install it.
    """
    if find_spec("evidently") is None:
        raise UsageError(
            "the drift report needs Evidently, which is not installed; `uv sync --group report` installs it in a "
            "project, and governed-ml-core[report] elsewhere"
        )
    from evidently import Report
    from evidently.presets import DataDriftPreset

    (before, all_before), (now, all_now) = _drawn(reference), _drawn(current)
    both = [name for name in before.columns if name in set(now.columns) - set(ignore)]
    # Evidently fails on a column that has no value on one side.
    columns = [name for name in both if before[name].notna().any() and now[name].notna().any()]
    limit = next(check.limit for check in verdict.verdict.checks if check.limit is not None)
    preset = DataDriftPreset(columns=columns, drift_share=limit)
    snapshot = Report([preset], include_tests=True).run(now[columns], before[columns])
    found = snapshot.dict()
    # There is no flag of drift among the metrics, and its direction depends on the method: the tests have it.
    whole, *each = found["tests"]
    report = DriftReport(
        html="",
        passed=whole["status"].value == "SUCCESS",
        drift_score=float(found["metrics"][0]["value"]["share"]),
        drifted_columns=[t["metric_config"]["params"]["column"] for t in each if t["status"].value != "SUCCESS"],
        rows=(len(before), len(now)),
        rows_in_all=(all_before, all_now),
    )
    page = snapshot.get_html_str(as_iframe=False)
    return replace(report, html=page.replace("<body>", f"<body>{_heading(verdict, report)}", 1))


def _heading(verdict: DriftVerdict, report: DriftReport) -> str:
    def said(who: str, passed: bool, score: float, drifted: list[str]) -> str:
        columns = f": {', '.join(drifted)}" if drifted else ""
        return escape(f"{who}: {'no drift' if passed else 'drift'}, {score:.0%} of the columns drifted{columns}")

    drawn = zip(("reference", "current"), report.rows, report.rows_in_all, strict=True)
    rows = "; ".join(f"{what}: {seen:,} of {there:,} rows" for what, seen, there in drawn)
    lines = [
        said("The gate, on all rows", verdict.passed, verdict.score, verdict.drifted_columns),
        said("Evidently, on the rows drawn below", report.passed, report.drift_score, report.drifted_columns),
        escape(rows),
    ]
    return f'<div style="font-family: sans-serif; padding: 1em">{"<br>".join(lines)}</div>'


def _drawn(data: Any) -> tuple[pd.DataFrame, int]:
    """Return all rows, or a uniform random sample of `ROWS`, and how many there are."""
    import narwhals as nw

    if isinstance(data, (str, Path)) and Path(data).suffix.lower() == ".json":
        raise UsageError(f"{data} is a profile; the drift report needs the rows themselves")
    opened = open_frame(data)
    with opened.reading():
        rows = int(opened.lazy.select(nw.len()).collect().item())
        frame = opened.lazy.collect() if rows <= ROWS else _sample(opened.lazy, rows)
    named = frame.rename(dict(zip(frame.columns, opened.names, strict=True)))
    plain = named.to_arrow().to_pandas().reset_index(drop=True)  # through Arrow: one type of each kind for all engines
    return plain, rows


def _sample(frame: nw.LazyFrame[Any], rows: int) -> nw.DataFrame[Any]:
    """Return the rows of a uniform random sample, the same ones each time; Dask and Spark draw about as many."""
    import narwhals as nw
    import numpy as np
    import polars as pl

    chosen = np.sort(np.random.default_rng(_SEED).choice(rows, ROWS, replace=False))
    if frame.implementation.is_pandas() or frame.implementation.is_pyarrow():
        rows_drawn: nw.DataFrame[Any] = frame.collect()[chosen.tolist()]
        return rows_drawn
    if frame.implementation.is_polars():
        drawn: Any = frame.to_native().with_row_index(_INDEX).filter(pl.col(_INDEX).is_in(pl.Series(chosen).implode()))
        return nw.from_native(drawn.drop(_INDEX).collect(engine="streaming"), eager_only=True)
    native: Any = frame.to_native()
    if frame.implementation.is_dask():
        few = native.sample(frac=ROWS / rows, random_state=_SEED).compute()
        return nw.from_native(pl.from_pandas(few), eager_only=True)
    if frame.implementation.is_spark_like():
        return nw.from_native(native.sample(fraction=ROWS / rows, seed=_SEED).toArrow(), eager_only=True)
    with TemporaryDirectory() as folder:  # of DuckDB: its own sample depends on how many threads it has
        frame.sink_parquet(f"{folder}/rows.parquet")
        return _sample(nw.from_native(pl.scan_parquet(f"{folder}/rows.parquet")), rows)
