"""The drift gate as a pure function."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance_core.core import Bound, Refused, UsageError
from governance_core.gates.drift import Profile, batches, judge_drift, profile_frame, reference_profile
from governance_core.gates.drift.distances import Distance

SHARE = [Bound("drift_score", "max", 0.3, "baseline 1")]


def people(rows: int, seed: int = 0, older: float = 0.0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "age": rng.normal(40 + older, 10, rows),
            "city": rng.choice(["Bonn", "Köln", "Ulm"], rows),
            "member": rng.random(rows) < 0.4,
            "rooms": rng.integers(1, 8, rows),
        }
    )


@pytest.mark.parametrize("rows", [300, 5000])
def test_equal_data_have_no_drift_and_a_shifted_column_has(rows: int) -> None:
    reference = profile_frame(people(rows))
    assert judge_drift(reference, people(rows), SHARE).score == 0
    verdict = judge_drift(reference, people(rows, older=20), SHARE)
    assert verdict.drifted_columns == ["age"]
    assert verdict.score == 0.25
    assert verdict.passed


def test_a_share_above_the_limit_is_refused_with_the_columns_that_drifted() -> None:
    moved = people(2000, older=20).assign(city="Ulm")
    verdict = judge_drift(profile_frame(people(2000)), moved, SHARE)
    with pytest.raises(Refused, match=r"drift_score = 0.5 must be at most 0.3 \(baseline 1\); drifted: age, city"):
        verdict.raise_if_failed("the current data")
    assert json.loads(json.dumps(verdict.as_dict())) == verdict.as_dict()


@pytest.mark.parametrize("rows", [300, 5000])
def test_a_profile_comes_back_from_json_as_it_was(rows: int) -> None:
    profile = profile_frame(people(rows))
    again = reference_profile(json.loads(json.dumps(profile.as_dict())))
    current = people(rows, 1, older=3)
    assert again.as_dict() == profile.as_dict()
    assert judge_drift(again, current, SHARE) == judge_drift(profile, current, SHARE)


def test_every_missing_column_and_every_wrong_type_is_named() -> None:
    current = people(300).drop(columns="rooms").assign(age="old", city=True)
    with pytest.raises(UsageError) as error:
        judge_drift(profile_frame(people(300)), current, SHARE)
    assert "column 'rooms' is missing" in str(error.value)
    assert "column 'age' is of type string, in the reference number" in str(error.value)
    assert "column 'city' is of type boolean, in the reference string" in str(error.value)
    verdict = judge_drift(profile_frame(people(300)), current, SHARE, ignore=["rooms", "age", "city"])
    assert set(verdict.columns) == {"member"}


@pytest.mark.parametrize(
    ("reference", "current", "said"),
    [
        ({"a": [1.0]}, {"b": [1.0]}, "reference: column 'a' is missing$"),
        ({"a": [1.0]}, {"a": []}, "the current data have no rows"),
        ({"a": []}, {"a": [1.0]}, "the reference has no rows"),
        ({"d": [pd.Timestamp(0)]}, {"d": [pd.Timestamp(0)]}, "there is no column to compare"),
    ],
)
def test_what_cannot_be_compared_is_wrong_usage(reference: dict[str, Any], current: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        judge_drift(profile_frame(pl.DataFrame(reference)), pl.DataFrame(current), SHARE)


@pytest.mark.parametrize(
    "data", [{}, {"drift_profile": 2, "rows": 0, "columns": {}}, {"drift_profile": 1, "columns": []}]
)
def test_what_is_no_profile_is_wrong_usage(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Profile.from_dict(data)


TABLES = st.lists(
    st.tuples(
        st.none() | st.floats(width=16) | st.floats(), st.none() | st.booleans(), st.none() | st.text(max_size=2)
    ),
    max_size=30,
)


def table(rows: list[tuple[Any, ...]]) -> pa.Table:
    types = {"number": pa.float64(), "boolean": pa.bool_(), "text": pa.string()}
    return pa.table({name: pa.array([row[i] for row in rows], of) for i, (name, of) in enumerate(types.items())})


@given(TABLES, TABLES)
def test_profiles_of_small_parts_add_up_to_that_of_the_whole(first: list[Any], second: list[Any]) -> None:
    both = profile_frame(table(first)) + profile_frame(table(second))
    assert both.as_dict() == profile_frame(table(first + second)).as_dict()


@given(TABLES, TABLES)
def test_current_profiles_of_parts_add_up_too(first: list[Any], second: list[Any]) -> None:
    like = profile_frame(table(first))
    both = profile_frame(table(first), like) + profile_frame(table(second), like)
    whole = profile_frame(table(first + second), like)
    assert json.loads(json.dumps(both.as_dict())).keys() == whole.as_dict().keys()
    for name, column in whole.columns.items():
        assert column.count == both.columns[name].count
        assert np.array_equal(getattr(column, "counts", 0), getattr(both.columns[name], "counts", 0))


@given(TABLES.filter(bool))
def test_data_have_not_drifted_from_themselves_in_whatever_order(rows: list[Any]) -> None:
    profile = profile_frame(table(rows))
    assert profile_frame(table(rows[::-1])).as_dict() == profile.as_dict()
    verdict = judge_drift(profile, table(rows[::-1]), SHARE, ignore=["text"])
    assert verdict.drifted_columns == []


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "ROWS", 700)


def wide(rows: int, seed: int, moved: float = 0.0) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    numbers = {"normal": rng.normal(moved, 1, rows), "tail": rng.standard_t(1.2, rows) + moved}
    whole = {"price": rng.gamma(2, 3 + moved, rows).round(2), "code": rng.integers(0, 30, rows)}
    zips = rng.integers(0, 3000, rows) + 50 * int(moved)
    names = {"city": rng.choice(["Bonn", "Ulm"], rows), "zip": zips.astype(str)}
    return pl.DataFrame(numbers | whole | names)


@pytest.mark.usefixtures("small_batches")
@pytest.mark.parametrize("moved", [0.0, 1.0])
def test_a_verdict_does_not_depend_on_batches_or_on_the_order_of_rows(moved: float) -> None:
    reference, current = wide(9000, 0), wide(7000, 1, moved)
    in_batches = judge_drift(profile_frame(reference.lazy()), current.lazy(), SHARE)
    shuffled = judge_drift(profile_frame(reference.sample(fraction=1, shuffle=True)), current.reverse().lazy(), SHARE)
    assert in_batches.as_dict()["columns"].keys() == shuffled.as_dict()["columns"].keys()
    for name, column in in_batches.columns.items():
        assert column.score == pytest.approx(shuffled.columns[name].score, abs=1e-9), name
    assert in_batches.drifted_columns == shuffled.drifted_columns
    assert ("normal" in in_batches.drifted_columns) == bool(moved)


def test_large_profiles_add_up_where_they_have_the_same_cuts_and_are_refused_where_not() -> None:
    first, second = wide(9000, 0), wide(8000, 1)
    profile = profile_frame(first)
    both = profile + profile_frame(second, like=profile)
    again = profile_frame(pl.concat([first, second]), like=profile)
    assert both.rows == again.rows == 17_000
    for name, column in again.columns.items():
        assert np.array_equal(column.counts, both.columns[name].counts), name
    small = profile + profile_frame(second.head(300))
    assert judge_drift(small, second, SHARE, ignore=["zip"]).drifted_columns == []
    with pytest.raises(UsageError, match="counted at different cuts; profile the one `like` the other"):
        profile + profile_frame(second)
    with pytest.raises(UsageError, match="column 'normal' is from a profile that was not made `like` the reference"):
        judge_drift(profile, profile_frame(second), SHARE)
    with pytest.raises(UsageError, match="profiles with different columns cannot be added: zip"):
        profile + profile_frame(second.drop("zip"))


@pytest.mark.parametrize("rows", [900, 9000])
def test_a_profile_knows_how_many_values_there_are_and_how_far_they_spread(rows: int) -> None:
    data = wide(rows, 0)
    profile = profile_frame(data)
    for name in ("normal", "tail", "price", "code"):
        assert profile.columns[name].count == rows
        assert profile.columns[name].std == pytest.approx(data[name].std(ddof=0))


def test_known_values_that_become_too_many_get_cuts() -> None:
    parts = [wide(900, seed) for seed in range(4)]
    profile = sum((profile_frame(part) for part in parts[1:]), profile_frame(parts[0]))
    whole = pl.concat(parts)
    assert profile.rows == 3600
    assert judge_drift(profile, whole, SHARE).drifted_columns == []
    assert judge_drift(profile, whole.with_columns(pl.col("normal") + 0.5), SHARE).drifted_columns == ["normal"]


def test_a_column_takes_about_ten_kilobytes_at_most() -> None:
    rng = np.random.default_rng(0)
    rows = 200_000
    worst = {
        "full": rng.normal(size=rows),
        "wide": rng.standard_t(1, rows),
        "values": rng.normal(size=512)[rng.integers(0, 512, rows)],
        "categories": np.array([str(value) for value in rng.normal(size=1000)])[rng.integers(0, 1000, rows)],
        "many categories": rng.integers(0, 10_000, rows).astype(str),
    }
    small = {"thousand": rng.normal(size=1000), "names": [str(value) for value in rng.integers(0, 500, 1000)]}
    for columns in (worst, small):
        for name, column in profile_frame(pl.DataFrame(columns)).as_dict()["columns"].items():
            assert len(json.dumps(column)) < 11_000, name


def test_a_small_reference_is_measured_too_where_the_policy_asks_for_distances() -> None:
    from scipy.stats import wasserstein_distance

    reference, current = people(40), people(900, 1, older=4)
    found = judge_drift(profile_frame(reference), current, SHARE, method="distance", threshold=0.3).columns
    assert {name: column.method for name, column in found.items()} == {
        "age": "wasserstein",
        "city": "jensenshannon",
        "member": "jensenshannon",
        "rooms": "jensenshannon",
    }
    exact = wasserstein_distance(reference["age"], current["age"]) / reference["age"].std(ddof=0)
    assert found["age"].score == pytest.approx(exact, abs=0.002)
    assert (found["age"].drifted, found["age"].threshold) == (True, 0.3)


@pytest.mark.parametrize(
    ("method", "score", "drifted"),
    [
        ("ks", 0.05, True),
        ("ks", 0.051, False),
        ("z", 0.05, False),
        ("chisquare", 0.05, False),
        ("chisquare", 0.049, True),
        ("wasserstein", 0.05, True),
        ("jensenshannon", 0.049, False),
    ],
)
def test_at_its_threshold_a_column_is_judged_as_evidently_does(method: Any, score: float, drifted: bool) -> None:
    assert Distance(method, score, 0.05).drifted is drifted


def test_a_reference_column_of_no_type_and_no_value_has_drifted_once_values_come() -> None:
    reference = profile_frame(pl.DataFrame({"a": [None, None], "b": [1.0, 2.0]}))
    for values in ([1, 2], ["x", "y"], [True, False]):
        verdict = judge_drift(reference, pl.DataFrame({"a": values, "b": [1.0, 2.0]}), SHARE)
        assert (verdict.columns["a"].method, verdict.drifted_columns) == ("presence", ["a"])


def test_identifiers_are_left_out_however_many_there_are() -> None:
    reference = pl.DataFrame({"id": [str(i) for i in range(70_000)] * 3, "n": [1.0] * 210_000})
    verdict = judge_drift(profile_frame(reference), reference, SHARE)
    assert verdict.not_compared == {"id": "of type text"}


def test_a_summary_names_some_columns_and_counts_all() -> None:
    reference = pl.DataFrame({f"c{i}": [float(i), i + 1.0, i + 2.0] * 100 for i in range(60)})
    verdict = judge_drift(profile_frame(reference), reference + 9, SHARE)
    summary = verdict.summary()
    assert (summary["drifted"], summary["compared"], len(summary["drifted_columns"])) == (60, 60, 50)
    assert "c49 and 10 more" in summary["checks"][-1]["message"]
    assert len(json.dumps(summary)) < 5000


def test_infinite_and_huge_numbers_count_as_missing() -> None:
    reference = {"a": [1.0, 2.0, np.inf, -np.inf, 1e200, None, np.nan]}
    column = judge_drift(profile_frame(pl.DataFrame(reference)), pl.DataFrame(reference), SHARE).columns["a"]
    assert (column.score, column.missing_reference, column.missing_current) == (1.0, 5 / 7, 5 / 7)


def test_categories_counted_by_other_categories_are_not_added() -> None:
    first, second = (pl.DataFrame({"city": values * 9}) for values in (["Bonn", "Ulm"], ["Bonn", "Köln"]))
    profiles = profile_frame(second, like=profile_frame(first)), profile_frame(first, like=profile_frame(second))
    with pytest.raises(UsageError, match="counted by different values; profile the one `like` the other"):
        sum(profiles[1:], profiles[0])
