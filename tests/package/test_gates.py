"""The gates as pure functions."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from governance_core.core import Refused, UsageError
from governance_core.core.rules import ColumnRules
from governance_core.gates import Bound, Verdict, judge_data, judge_metrics, stricter

ACCURACY = Bound("accuracy", "min", 0.8, "baseline 1")
DATA = (Bound("rows", "min", 3, "baseline 1"), Bound("missing_fraction", "max", 0.5, "baseline 1"))
# NaN by name: among all floats hypothesis comes upon one only now and then.
COLUMN = st.lists(st.none() | st.just(math.nan) | st.floats(allow_infinity=False), min_size=1, max_size=30)


def messages(verdict: Verdict) -> str:
    return "\n".join(str(violation) for violation in verdict.violations)


def engines(columns: dict[str, list[Any]]) -> list[Any]:
    eager = pl.DataFrame(columns, strict=False)
    return [pd.DataFrame(columns), eager.to_arrow().to_pandas(types_mapper=pd.ArrowDtype), eager, eager.lazy()]


def test_good_metrics_pass_and_the_verdict_says_what_was_checked() -> None:
    verdict = judge_metrics({"accuracy": 0.9, "f1": np.float64(0.5)}, [ACCURACY])
    assert verdict.passed
    assert verdict.violations == ()
    verdict.raise_if_failed("the run")
    assert {
        "rule": "metric-min",
        "subject": "accuracy",
        "value": 0.9,
        "limit": 0.8,
        "source": "baseline 1",
        "passed": True,
        "message": "accuracy = 0.9 is at least 0.8 (baseline 1)",
    } in verdict.as_dict()["checks"]


def test_a_missing_metric_fails_with_its_name() -> None:
    assert messages(judge_metrics({"recall": 0.9}, [ACCURACY])) == (
        "metric-missing: accuracy is missing; it must be at least 0.8 (baseline 1)"
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (True, "True is not a number but bool"),
        (np.True_, "True is not a number but bool"),
        ("0.9", "'0.9' is not a number but str"),
        (None, "None is not a number but NoneType"),
        (0.9 + 0j, "(0.9+0j) is not a number but complex"),
        (Decimal("0.9"), "0.9 is not a number but Decimal"),
        ([0.9], "[0.9] is not a number but list"),
        (math.nan, "nan is not finite"),
        (np.float32("nan"), "nan is not finite"),
        (math.inf, "inf is not finite"),
        (-math.inf, "-inf is not finite"),
        (1.01, "1.01 is outside the possible range [0.0, 1.0]"),
        (-0.01, "-0.01 is outside the possible range [0.0, 1.0]"),
    ],
)
@pytest.mark.parametrize("bounds", [[ACCURACY], [Bound("mae", "max", 1.0, "call")]])
def test_an_impossible_value_fails_with_name_and_value_whether_it_is_bounded_or_not(
    value: object, said: str, bounds: list[Bound]
) -> None:
    verdict = judge_metrics({"accuracy": value, "mae": 0.5}, bounds)
    assert f"metric-invalid: accuracy = {said}" in messages(verdict)
    json.dumps(verdict.as_dict(), allow_nan=False)


@pytest.mark.parametrize("value", [np.float32(0.75), np.float64(0.75), np.int64(1), 1, 0.75])
def test_numpy_scalars_are_numbers_and_are_recorded_as_plain_ones(value: object) -> None:
    verdict = judge_metrics({"accuracy": value}, [Bound("accuracy", "min", np.float64(0.7), "call")])
    assert verdict.passed
    recorded = verdict.as_dict()["checks"][-1]
    assert (type(recorded["value"]), type(recorded["limit"])) in {(float, float), (int, float)}


@pytest.mark.parametrize(
    ("metric", "possible", "impossible"),
    [
        ("r2", -3.0, 1.1),
        ("mae", 50.0, -0.1),
        ("rmse", 50.0, -0.1),
        ("roc_auc", 1.0, 1.1),
        ("matthews_corrcoef", -1, -2),
    ],
)
def test_known_metrics_have_their_own_ranges(metric: str, possible: float, impossible: float) -> None:
    assert judge_metrics({metric: possible}, [Bound(metric, "max", possible, "call")]).passed
    for kind in ("min", "max"):
        verdict = judge_metrics({metric: impossible}, [Bound(metric, kind, impossible, "call")])
        assert [violation.rule for violation in verdict.violations] == ["metric-invalid", "threshold-impossible"]


def test_of_an_unknown_metric_only_finiteness_is_asked() -> None:
    assert judge_metrics({"profit": -1e9}, [Bound("profit", "min", -2e9, "call")]).passed
    assert "profit = nan is not finite" in messages(judge_metrics({"profit": math.nan}, [ACCURACY]))


@pytest.mark.parametrize("limit", [math.nan, math.inf, -0.1, 1.1, True, "0.8", None])
def test_an_impossible_threshold_fails_even_where_a_stricter_one_is_met(limit: Any) -> None:
    verdict = judge_metrics({"accuracy": 1.0}, [Bound("accuracy", "min", limit, "call"), ACCURACY])
    assert messages(verdict).startswith("threshold-impossible: the threshold for accuracy, at least ")
    assert "(call)" in messages(verdict)


def test_of_two_thresholds_the_stricter_holds_and_says_where_it_comes_from() -> None:
    lax, strict = Bound("accuracy", "min", 0.7, "call"), Bound("accuracy", "min", 0.85, "governance.yaml")
    for bounds in ([lax, strict], [strict, lax]):
        assert messages(judge_metrics({"accuracy": 0.8}, bounds)) == (
            "metric-min: accuracy = 0.8 must be at least 0.85 (governance.yaml)"
        )
    lax, strict = Bound("mae", "max", 9.0, "call"), Bound("mae", "max", 5.0, "governance.yaml")
    for bounds in ([lax, strict], [strict, lax]):
        assert messages(judge_metrics({"mae": 7.0}, bounds)) == (
            "metric-max: mae = 7.0 must be at most 5.0 (governance.yaml)"
        )


@given(st.lists(st.floats(0, 1), min_size=1), st.floats(0, 1), st.sampled_from(["min", "max"]))
def test_the_stricter_bound_stops_what_any_bound_stops(limits: list[float], value: float, kind: Any) -> None:
    bounds = [Bound("accuracy", kind, limit, str(i)) for i, limit in enumerate(limits)]
    (strictest,) = stricter(bounds)
    assert strictest.holds(value) == all(bound.holds(value) for bound in bounds)


def test_a_value_equal_to_its_bound_passes() -> None:
    assert judge_metrics({"accuracy": 0.8}, [ACCURACY, Bound("accuracy", "max", 0.8, "call")]).passed


def test_a_gate_without_any_bound_fails() -> None:
    assert messages(judge_metrics({"accuracy": 1.0}, [])).startswith("no-bound: ")
    assert messages(judge_data(pd.DataFrame({"a": [1]}), [])).startswith("no-bound: ")


def test_every_violation_is_listed_in_the_refusal() -> None:
    bounds = [ACCURACY, Bound("recall", "min", 0.8, "call"), Bound("precision", "min", 2, "call")]
    with pytest.raises(Refused) as refusal:
        judge_metrics({"accuracy": 0.5, "f1": math.nan}, bounds).raise_if_failed("the run")
    assert [violation.rule for violation in refusal.value.violations] == [
        "metric-invalid",
        "threshold-impossible",
        "metric-min",
        "metric-missing",
    ]
    for part in ("the run is refused", "accuracy = 0.5", "f1 = nan", "recall is missing", "at least 2 (call)"):
        assert part in str(refusal.value)


def test_a_verdict_without_checks_is_not_a_pass() -> None:
    with pytest.raises(Refused, match="nothing was checked"):
        Verdict("data", ()).raise_if_failed("the run")


def test_good_data_passes() -> None:
    for frame in engines({"a": [1.0, 2.0, None], "b": ["x", "y", "z"]}):
        verdict = judge_data(frame, DATA)
        assert verdict.passed
        assert {check.subject: check.value for check in verdict.checks}["missing_fraction"] == pytest.approx(1 / 6)


@given(COLUMN)
def test_nan_and_null_count_once_in_every_engine(values: list[float | None]) -> None:
    missing = sum(value is None or math.isnan(value) for value in values)
    for frame in engines({"a": pl.Series(values, dtype=pl.Float64).to_list(), "b": list(range(len(values)))}):
        verdict = judge_data(frame, DATA)
        found = {check.subject: check.value for check in verdict.checks}
        assert found["missing_fraction"] == pytest.approx(missing / len(values) / 2)
        assert ("a" in found) == (missing == len(values))


def test_too_few_rows_and_too_many_missing_values_are_both_listed() -> None:
    for frame in engines({"a": [1.0, None], "b": [None, None]}):
        verdict = judge_data(frame, DATA)
        assert [violation.rule for violation in verdict.violations] == [
            "column-all-missing",
            "metric-min",
            "metric-max",
        ]
        assert "rows = 2 must be at least 3 (baseline 1)" in messages(verdict)
        assert "missing_fraction = 0.75 must be at most 0.5 (baseline 1)" in messages(verdict)


def test_a_column_without_any_value_fails_whatever_the_average() -> None:
    columns: dict[str, list[Any]] = {f"c{i}": [1, 2, 3] for i in range(99)} | {"hollow": [None] * 3}
    for frame in engines(columns):
        assert messages(judge_data(frame, DATA)) == (
            "column-all-missing: every one of the 3 values of column 'hollow' is missing"
        )


@pytest.mark.parametrize(
    "empty", [pd.DataFrame({"a": []}), pd.DataFrame(index=range(9)), pl.DataFrame(), pl.LazyFrame()]
)
def test_an_empty_dataset_fails_whatever_the_bounds(empty: Any) -> None:
    verdict = judge_data(empty, [Bound("rows", "min", 0, "call"), Bound("missing_fraction", "max", 1, "call")])
    assert [violation.rule for violation in verdict.violations] == ["data-empty"]


def declared(rules: dict[str, dict[str, Any]]) -> dict[str, ColumnRules]:
    return {name: ColumnRules.model_validate(rule) for name, rule in rules.items()}


def test_every_broken_rule_of_a_declared_column_is_listed_without_a_value_of_the_data() -> None:
    frame = pl.DataFrame({"a": [1.5, 700.25, None], "b": ["Müller", "x", "y"], "c": [1, 2, 3], "d": [1, 2, 3]})
    rules = declared(
        {
            "a": {"type": "float", "min": 0, "max": 9, "max_missing_fraction": 0.25},
            "b": {"allowed": ["x", "y"]},
            "c": {"type": "string"},
            "e": {},
            "f": {"required": False},
        }
    )
    verdict = judge_data(frame, DATA, rules, "forbid")
    assert messages(verdict).splitlines() == [
        "column-absent: column 'e' is absent (governance.yaml asks it)",
        "column-extra: column 'd' is not declared in governance.yaml, which forbids others",
        "column-type: column 'c' is of type integer and must be string (governance.yaml)",
        "column-missing-fraction: 0.3333 of column 'a' is missing; at most 0.25 may be (governance.yaml)",
        "column-range: 1 of 2 values of column 'a' are not finite, at least 0.0 and at most 9.0 (governance.yaml)",
        "column-values: 1 of 3 values of column 'b' are none of the 2 allowed values (governance.yaml)",
    ]
    assert not any(word in json.dumps(verdict.as_dict(), ensure_ascii=False) for word in ("700", "Müller"))


def test_columns_that_are_as_declared_share_one_check_a_rule() -> None:
    frame = pl.DataFrame({f"c{i}": [1.0, 2.0, 3.0] for i in range(200)})
    rule = {"type": "float", "min": 0, "max": 3, "allowed": [1, 2, 3], "max_missing_fraction": 0}
    verdict = judge_data(frame, DATA, declared({f"c{i}": rule for i in range(200)}), "forbid")
    assert verdict.passed
    assert [check.message for check in verdict.checks if check.rule.startswith("column-")] == [
        "no column is missing all its values",
        "200 columns are there",
        "200 columns are declared",
        "200 columns have the declared type",
        "200 columns miss few enough values",
        "200 columns are in range",
        "200 columns hold allowed values only",
    ]


def test_an_infinity_is_no_missing_value_and_in_no_range() -> None:
    for frame in engines({"a": [math.inf, -math.inf, 1.0]}):
        assert judge_data(frame, DATA).passed
        for rule in ({"min": 0}, {"max": 2}):
            assert "column-range: 2 of 3 values of column 'a' are not finite" in messages(
                judge_data(frame, DATA, declared({"a": rule}))
            )


def copies(data: Any) -> int:
    verdict = judge_data(data, [*DATA, Bound("duplicates", "max", 0, "call")])
    return next(check.value for check in verdict.checks if check.subject == "duplicates")  # type: ignore[return-value]


@pytest.mark.parametrize(
    "engine", ["pandas", "pandas-arrow", "polars", "polars-lazy", "pyarrow", "duckdb", "file", "glob"]
)
def test_above_the_limit_a_hash_counts_the_same_copies(
    monkeypatch: pytest.MonkeyPatch, held_by: Callable[[str, pa.Table], Any], engine: str
) -> None:
    numbers = [float(i % 40) for i in range(100)] + [math.nan, None, 0.0, -0.0]
    table = pa.table({'a "b"': numbers, "größe": [f"x{i % 2}" for i in range(100)] + ["x"] * 4})
    monkeypatch.setattr("governance_core.gates.measure.EXACT_ROWS", 10)
    assert copies(held_by(engine, table)) == 60 + 2


def test_what_the_footer_tells_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({"a": range(1000), "b": [f"x{i}" for i in range(1000)]}), path)
    whole, rules = path.read_bytes(), declared({"a": {"type": "integer", "min": 0, "max": 999}})
    footer = int.from_bytes(whole[-8:-4], "little") + 8
    path.write_bytes(whole[:4] + b"\xff" * (len(whole) - footer - 4) + whole[-footer:])
    assert judge_data(path, DATA, rules).passed
    for asks_more in ({"a": {"max": 998}}, {"b": {"allowed": ["x"]}}):
        with pytest.raises(UsageError, match=r"data\.parquet cannot be read"):
            judge_data(path, DATA, declared(asks_more))


@pytest.mark.parametrize("options", [{}, {"write_statistics": False}, {"row_group_size": 2}])
def test_what_the_footer_does_not_tell_is_read(tmp_path: Path, options: dict[str, Any]) -> None:
    table = pa.table(
        {"a": [1, None, 3, 4, 9], "b": [math.nan, None, 1.0, 2.0, 3.0], "c": pa.array([None] * 5, pa.int64())}
    )
    parquet.write_table(table, tmp_path / "data.parquet", **options)
    rules = declared({"a": {"max": 4}, "b": {"max": 2}, "c": {"min": 0}})
    assert judge_data(tmp_path / "data.parquet", DATA, rules).as_dict() == judge_data(table, DATA, rules).as_dict()


def test_nested_columns_are_counted_though_the_footer_has_no_numbers_of_them(tmp_path: Path) -> None:
    bounds = [Bound("missing_fraction", "max", 0.4, "call")]
    for nested in ([{"x": 1, "y": None}, None, {"x": None, "y": 2}], [[], None, [None]], [{"x": 1}, None, {"x": None}]):
        parquet.write_table(pa.table({"s": nested, "a": [1, None, None]}), tmp_path / "data.parquet")
        assert messages(judge_data(tmp_path / "data.parquet", bounds)) == (
            "metric-max: missing_fraction = 0.5 must be at most 0.4 (call)"
        )


@pytest.mark.parametrize("bound", [("rows", "min", -1), ("rows", "min", math.nan), ("missing_fraction", "max", 1.5)])
def test_an_impossible_data_threshold_fails(bound: tuple[str, Any, float]) -> None:
    verdict = judge_data(pd.DataFrame({"a": [1, 2, 3]}), [*DATA, Bound(*bound, "call")])
    assert [violation.rule for violation in verdict.violations] == ["threshold-impossible"]


def test_integers_that_no_type_holds_are_a_wrong_type() -> None:
    verdict = judge_data(pd.DataFrame({"a": [2**70, 1, 2]}), DATA, declared({"a": {"type": "integer"}}))
    assert messages(verdict) == "column-type: column 'a' is of type object and must be integer (governance.yaml)"


def test_any_column_names_are_judged() -> None:
    frame = pd.DataFrame([[1, None], [2, None], [3, None]], columns=[0, ("x", "y")])
    assert "column \"('x', 'y')\" is missing" in messages(judge_data(frame, DATA))


@pytest.mark.parametrize(
    "frame", [[1, 2], np.zeros((2, 2)), pd.Series([1]), pd.DataFrame([[1, 2]], columns=["a", "a"])]
)
def test_what_is_no_data_frame_is_wrong_usage(frame: Any) -> None:
    with pytest.raises(UsageError, match="the dataset cannot be judged"):
        judge_data(frame, DATA)
