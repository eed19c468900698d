"""One verdict on drift from every engine."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from support.engines import ENGINES

from governance_core.core import Bound, UsageError
from governance_core.gates.drift import judge_drift, profile_frame
from governance_core.steps import drift_report

SHARE = [Bound("drift_score", "max", 0.3, "call")]
HeldBy = Callable[[str, pa.Table], Any]


def table(rows: int, moved: float = 0.0) -> pa.Table:
    """Return columns of every kind, with gaps of both sorts; some of them move."""
    rng = np.random.default_rng(rows + int(moved))
    numbers = rng.normal(moved, 1, rows)
    gaps = rng.random(rows)
    days = [date(2024, 1, 1) + timedelta(int(day)) for day in rng.integers(0, 99, rows)]
    return pa.table(
        {
            "normal": numbers,
            "NaN and null": pa.array(np.where(gaps < 0.1, np.nan, numbers), mask=gaps > 0.9),
            "infinite": np.where(gaps < 0.1, np.inf, np.where(gaps > 0.9, -np.inf, numbers)),
            "heavy tails": rng.standard_t(1.2, rows),
            "single": pa.array(numbers.astype(np.float32)),
            "price": pa.array(numbers.round(2)).cast(pa.decimal128(12, 2)),
            "count": rng.poisson(40 + 9 * moved, rows),
            "count with null": pa.array(rng.integers(0, 8, rows), mask=gaps > 0.9),
            "code": rng.integers(0, 4, rows),
            "constant": np.full(rows, 7.0),
            "constant name": ["always"] * rows,
            "no number": pa.array([None] * rows, pa.float64()),
            "no text": pa.array([None] * rows, pa.string()),
            "only NaN": np.full(rows, np.nan),
            "boolean": rng.random(rows) < 0.3,
            "boolean with null": pa.array(rng.random(rows) < 0.3, mask=gaps > 0.9),
            "category": pa.array(rng.choice(["x", "y", "z"], rows), mask=gaps < 0.1),
            "dictionary": pa.array(rng.choice(["x", "y", "z"], rows)).dictionary_encode(),
            "thousand": [f"value {i % 1000}" for i in range(rows)],
            "text": [f"text {i}" for i in range(rows)],
            "day": days,
            "moment": [datetime(2024, 1, 1) + timedelta(seconds=i) for i in range(rows)],
            'a.b `c` "d"': numbers,
        }
    )


def found(held_by: HeldBy, engine: str, reference: pa.Table, current: pa.Table) -> tuple[dict[str, Any], list[float]]:
    """Return the verdict without its scores, and the scores, which differ in the last digits with the order of sums."""
    profile = profile_frame(held_by(engine, reference))
    verdict = judge_drift(profile, held_by(engine, current), SHARE).as_dict()
    return verdict, [column.pop("score") for column in verdict["columns"].values()]


CASES = {
    "a small reference": (table(300), table(400, 1)),
    "a large reference": (table(3000), table(2500, 1)),
    "one row now": (table(1500), table(1)),
    "one row then": (table(1), table(50)),
}


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("engine", [engine for engine in ENGINES if engine != "pyarrow"])
def test_every_engine_finds_the_same_drift(held_by: HeldBy, engine: str, case: str) -> None:
    verdict, scores = found(held_by, engine, *CASES[case])
    expected, expected_scores = found(held_by, "pyarrow", *CASES[case])
    assert verdict == expected
    assert scores == pytest.approx(expected_scores, abs=1e-9)


@pytest.mark.parametrize("case", ["a small reference", "a large reference"])
def test_what_moved_has_drifted_and_what_is_no_number_and_no_category_is_left_out(case: str) -> None:
    reference, current = CASES[case]
    verdict = judge_drift(profile_frame(reference), current, SHARE)
    moved = {"normal", "NaN and null", "infinite", "single", "price", "count", 'a.b `c` "d"'}
    still = {"count with null", "code", "constant", "constant name", "no number", "no text", "only NaN", "boolean"}
    assert moved <= set(verdict.drifted_columns)
    assert still <= verdict.columns.keys() - set(verdict.drifted_columns)
    assert {"text", "day", "moment"} <= verdict.not_compared.keys()


@pytest.mark.parametrize("engine", ENGINES)
def test_no_row_can_be_compared_on_no_engine(held_by: HeldBy, engine: str) -> None:
    profile = profile_frame(table(20))
    with pytest.raises(UsageError, match="the current data have no rows"):
        judge_drift(profile, held_by(engine, table(20).slice(0, 0)), SHARE)


def test_spark_draws_the_sample_of_a_report_where_the_rows_are(spark: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(drift_report, "ROWS", 500)
    data = spark.createDataFrame(pa.table({"i": range(2_000), "b": ["x", "y"] * 1_000}))
    (one, rows), (two, _) = (drift_report._drawn(data) for _ in range(2))
    assert rows == 2_000
    assert 400 < len(one) < 600
    assert one["i"].is_unique
    assert list(one["i"]) == list(two["i"])
