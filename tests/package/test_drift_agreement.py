"""The drift gate beside Evidently, whose defaults it follows: the same columns drift, by the same method, as far."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pytest

from governance_core.core import Bound
from governance_core.gates.drift import ColumnDrift, DriftVerdict, judge_drift, profile_frame

SHARE = [Bound("drift_score", "max", 0.3, "baseline 1")]
SIZES = (1, 2, 20, 150, 999, 1000, 1001, 1500, 3000, 5000)
METHODS = {
    "ks": "K-S p_value",
    "chisquare": "chi-square p_value",
    "z": "Z-test p_value",
    "wasserstein": "Wasserstein distance (normed)",
    "jensenshannon": "Jensen-Shannon distance",
}
Column = Callable[[np.random.Generator, int, float], Any]


def codes(values: int, kind: type = int) -> Column:
    """Return a column of so many values, of which drift makes the first ones likelier."""

    def column(rng: np.random.Generator, rows: int, drift: float) -> Any:
        likelier = np.exp(-drift * 3 * np.arange(values) / values)
        drawn = rng.choice(values, rows, p=likelier / likelier.sum())
        return drawn.astype(kind) if kind is not str else np.array([f"value {i}" for i in range(values)], object)[drawn]

    return column


COLUMNS: dict[str, Column] = {
    "normal": lambda rng, rows, drift: rng.normal(drift, 1 + drift / 3, rows),
    "far from zero": lambda rng, rows, drift: 1e9 + rng.normal(drift, 1, rows),
    "uniform": lambda rng, rows, drift: rng.uniform(0, 1 + drift, rows),
    "lognormal": lambda rng, rows, drift: rng.lognormal(drift, 2, rows),
    "heavy tails": lambda rng, rows, drift: rng.standard_t(1.2, rows) + drift,
    "pareto": lambda rng, rows, drift: rng.pareto(1.1, rows) * (1 + drift),
    "two modes": lambda rng, rows, drift: rng.normal(0, 0.1, rows) + 10 * (rng.random(rows) < 0.5 + drift / 4),
    "mostly zero": lambda rng, rows, drift: rng.exponential(1 + drift, rows) * (rng.random(rows) < 0.1 + drift / 5),
    "two decimals": lambda rng, rows, drift: rng.gamma(2 + drift, 3, rows).round(2),
    "single precision": lambda rng, rows, drift: rng.normal(drift, 1, rows).astype(np.float32),
    "count": lambda rng, rows, drift: rng.poisson(40 * (1 + drift), rows),
    "identifier": lambda rng, rows, drift: rng.integers(0, 10**12, rows) + int(drift * 10**12),
    "rating": codes(5, float),
    "three floats": codes(3, float),
    "ten codes": codes(10),
    "eleven codes": codes(11),
    "two codes": codes(2),
    "boolean": codes(2, bool),
    "two categories": codes(2, str),
    "seven categories": codes(7, str),
    "1,000 categories": codes(1000, str),
    "constant": lambda rng, rows, drift: np.full(rows, 7.0 + (drift > rng.random())),
    "constant code": lambda rng, rows, drift: np.full(rows, 7 + (drift > rng.random())),
    "one category": lambda rng, rows, drift: np.full(rows, "never" if drift > rng.random() else "always", object),
}


def pair(seed: int, rows: tuple[int, int] | None = None) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return a reference and current data with two to eight columns, a part of which has drifted."""
    rng = np.random.default_rng(seed)
    sizes = rows or tuple(rng.choice(SIZES, 2))
    names = list(dict.fromkeys([*(["1,000 categories"] if rows else []), *rng.permutation(list(COLUMNS))]))
    names = names[: rng.integers(2, 9)]
    drifts = rng.choice([0.0, 0.0, 0.05, 0.15, 0.5, 2.0], len(names))
    frames = [
        pd.DataFrame({name: COLUMNS[name](rng, size, drift) for name, drift in zip(names, drift_of, strict=True)})
        for size, drift_of in zip(sizes, (0 * drifts, drifts), strict=True)
    ]
    for name in names:
        gaps, infinite = rng.choice([0, 0, 0.02, 0.4, 0.9]), rng.choice([0, 0, 0, 0.01])
        for frame in frames:
            if frame[name].dtype != bool and gaps:
                frame.loc[rng.random(len(frame)) < gaps, name] = None
            if frame[name].dtype == np.float64 and infinite:
                frame.loc[rng.random(len(frame)) < infinite, name] = rng.choice([np.inf, -np.inf])
    return frames[0], frames[1]


def evidently(reference: pd.DataFrame, current: pd.DataFrame, columns: list[str]) -> dict[str, tuple[str, float, bool]]:
    """Return Evidently's method, score and verdict for each column."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import Report
        from evidently.metrics import ValueDrift

        report = Report([ValueDrift(column=name) for name in columns], include_tests=True)
        found = report.run(current_data=current[columns], reference_data=reference[columns]).dict()
    return {
        metric["config"]["column"]: (metric["config"]["method"], float(metric["value"]), test["status"].value == "FAIL")
        for metric, test in zip(found["metrics"], found["tests"], strict=True)
    }


def comparable(reference: pd.DataFrame, current: pd.DataFrame, found: dict[str, ColumnDrift]) -> list[str]:
    """Return the columns that both judge, by the same rules: the differences have tests of their own, below."""

    def shared(name: str) -> bool:
        now, then = current[name], reference[name]
        text = now.dtype == object and now.nunique() > now.count() / 2
        codes_of_many = now.dtype.kind == "i" and now.nunique() <= 10 and then.nunique() > 512
        return found[name].method != "presence" and not text and not codes_of_many

    return [name for name in found if shared(name)]


@dataclass(frozen=True)
class Compared:
    """One column of one pair of frames, as both judged it."""

    where: str
    ours: ColumnDrift
    method: str
    score: float
    drifted: bool


def compare(seed: int, rows: tuple[int, int] | None = None) -> Iterator[Compared]:
    """Judge one pair of frames by both."""
    reference, current = pair(seed, rows)
    found = judge_drift(profile_frame(reference), current, SHARE).columns
    if names := comparable(reference, current, found):
        for name, theirs in evidently(reference, current, names).items():
            yield Compared(f"{name}, {len(reference)} and {len(current)} rows, seed {seed}", found[name], *theirs)


@pytest.fixture(scope="module")
def compared() -> list[Compared]:
    """Judge 200 small pairs and ten large ones; about 60 CPU seconds, nearly all of them Evidently's."""
    small = (found for seed in range(200) for found in compare(seed))
    large = (found for seed in range(1000, 1010) for found in compare(seed, (80_000, 60_000)))
    return [*small, *large]


def test_the_same_columns_drift_by_the_same_methods(compared: list[Compared]) -> None:
    ours = {each.where: (METHODS[each.ours.method], each.ours.drifted) for each in compared}
    assert ours == {each.where: (each.method, each.drifted) for each in compared}


def test_no_score_is_more_than_a_hundredth_away(compared: list[Compared]) -> None:
    assert [each for each in compared if not abs(each.ours.score - each.score) <= 0.01] == []


def test_every_method_and_every_kind_of_column_was_compared_often(compared: list[Compared]) -> None:
    by_method = Counter(each.ours.method for each in compared)
    by_kind = Counter(each.where.partition(", ")[0] for each in compared)
    assert min(by_method[name] for name in METHODS) > 80
    assert min(by_kind[name] for name in COLUMNS) > 10
    assert {each.drifted for each in compared} == {True, False}


def test_the_share_is_that_of_evidently_which_fails_at_the_limit_and_not_above_it() -> None:
    rng = np.random.default_rng(0)
    reference = pd.DataFrame(rng.normal(size=(2000, 10)), columns=list("abcdefghij"))
    current = reference + np.array([5.0] * 3 + [0.0] * 7)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from evidently import Report
        from evidently.metrics.column_statistics import DriftedColumnsCount

        report = Report([DriftedColumnsCount(drift_share=0.3)], include_tests=True)
        snapshot = report.run(current_data=current, reference_data=reference)
    found = snapshot.dict()
    verdict = judge_drift(profile_frame(reference), current, SHARE)
    assert found["metrics"][0]["value"]["share"] == verdict.score == 0.3
    assert (found["tests"][0]["status"].value, verdict.passed) == ("FAIL", True)


def judged(reference: dict[str, Any], current: dict[str, Any]) -> DriftVerdict:
    return judge_drift(profile_frame(pd.DataFrame(reference)), pd.DataFrame(current), SHARE)


def test_a_column_that_lost_all_its_values_has_drifted_where_evidently_gives_up() -> None:
    full, empty = {"a": [1.0, 2.0, 3.0]}, {"a": [None, None, None]}
    with pytest.raises(ValueError, match="empty column"):
        evidently(pd.DataFrame(full), pd.DataFrame(empty, dtype=float), ["a"])
    assert judged(full, empty).drifted_columns == judged(empty, full).drifted_columns == ["a"]
    assert judged(empty, empty).score == 0


def test_text_is_told_from_categories_by_the_reference_and_is_not_compared() -> None:
    reference = {"name": [f"name {i}" for i in range(100)], "city": ["Bonn", "Ulm"] * 50}
    verdict = judged(reference, {"name": ["name 1"] * 100, "city": ["Ulm"] * 99 + ["Bonn"]})
    assert list(verdict.columns) == ["city"]
    assert verdict.not_compared == {"name": "text: more than half of its values are distinct"}
    assert "z" in judged(reference, {"name": ["name 1"], "city": ["Ulm"]}).columns["city"].method


def test_more_than_a_thousand_categories_are_compared_in_groups_and_drift_less_by_chance() -> None:
    rng = np.random.default_rng(0)
    frames = [pd.DataFrame({"zip": rng.integers(0, 4000, 80_000).astype(str)}) for _ in range(2)]
    ours = judge_drift(profile_frame(frames[0]), frames[1], SHARE).columns["zip"]
    _, score, drifted = evidently(frames[0], frames[1], ["zip"])["zip"]
    assert (ours.method, ours.drifted, drifted) == ("jensenshannon", False, True)
    assert ours.score < score / 1.5
    moved = judge_drift(profile_frame(frames[0]), pd.DataFrame({"zip": ["7"] * 100}), SHARE)
    assert moved.columns["zip"].score > 0.7


def test_integers_of_many_values_stay_numbers_when_few_of_them_come() -> None:
    rng = np.random.default_rng(0)
    reference, current = pd.DataFrame({"id": rng.integers(0, 10**6, 5000)}), pd.DataFrame({"id": [100_000, 900_000]})
    assert judge_drift(profile_frame(reference), current, SHARE).columns["id"].method == "wasserstein"
    assert evidently(reference, current, ["id"])["id"][0] == METHODS["jensenshannon"]


def test_columns_that_evidently_leaves_out_are_compared() -> None:
    reference = pd.DataFrame({"u": np.arange(100, dtype=np.uint8), "n": pd.array([*range(99), None], "Int64")})
    assert set(judge_drift(profile_frame(reference), reference + 100, SHARE).columns) == {"u", "n"}
    with pytest.raises((ValueError, KeyError)):
        evidently(reference, reference, ["u"])
