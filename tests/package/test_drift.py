"""The drift gate as a pure function."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest

from governance_core.core import Bound, Refused, UsageError
from governance_core.gates.drift import Profile, judge_drift, profile_frame, reference_profile

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
        ({"a": [1.0]}, {"a": []}, "the current data have no rows"),
        ({"a": []}, {"a": [1.0]}, "the reference has no rows"),
        ({"d": [pd.Timestamp(0)]}, {"d": [pd.Timestamp(0)]}, "there is no column to compare"),
    ],
)
def test_what_cannot_be_compared_is_wrong_usage(reference: dict[str, Any], current: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        judge_drift(profile_frame(pl.DataFrame(reference)), pl.DataFrame(current), SHARE)


@pytest.mark.parametrize("data", [{}, {"drift_profile": 2}, {"drift_profile": 1, "columns": []}])
def test_what_is_no_profile_is_wrong_usage(data: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Profile.from_dict(data)
