"""The policy: a baseline that a project may tighten and never loosen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from governance_core.core import Refused, UsageError
from governance_core.policy import EffectivePolicy, GovernanceFile, effective, load_governance_file

ENVIRONMENTS = ("local", "staging", "production")


def asking(**sections: Any) -> GovernanceFile:
    return GovernanceFile.model_validate({"policy": sections})


def written(folder: Path, text: str) -> Path:
    path = folder / "governance.yaml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(("environment", "least"), [("local", 0.6), ("staging", 0.7), ("production", 0.8)])
def test_the_baseline_holds_where_nothing_is_asked(environment: str, least: float) -> None:
    policy = effective(environment, "limited")
    assert policy.metrics.min == {"accuracy": least, "precision": least, "recall": least}
    assert (policy.data.min_rows, policy.data.max_missing_fraction) == (100, 0.1)
    assert (policy.data.max_duplicates, policy.data.extra_columns, policy.data.columns) == (None, "allow", {})
    assert policy.drift.model_dump() == {"share": 0.3, "method": "auto", "threshold": 0.1, "on_drift": "alert"}
    assert (policy.lease_seconds, policy.lost_after_minutes, policy.evaluators) == (60, 360, ())
    assert set(policy.sources.values()) == {"baseline 1"}


@pytest.mark.parametrize(("tier", "approvals"), [("minimal", 0), ("limited", 1), ("high", 2)])
def test_production_asks_the_approvals_of_the_risk_tier(tier: str, approvals: int) -> None:
    assert effective("production", tier).approvals == approvals
    assert effective("staging", tier).approvals == 0


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_for_regression_the_baseline_sets_no_metric_bound(environment: str) -> None:
    assert effective(environment, "limited", None, "regression").metric_bounds == []


def test_a_stricter_value_holds_and_says_where_it_comes_from() -> None:
    asked = asking(
        every={"data": {"min_rows": 200}, "metrics": {"max": {"mae": 50}}, "evaluators": ["team.steps.score"]},
        production={
            "data": {"max_missing_fraction": 0.05},
            "metrics": {"min": {"accuracy": 0.9, "f1": 0.7}, "max": {"mae": 40}},
            "approvals": 3,
            "lease_seconds": 90,
        },
    )
    policy = effective("production", "limited", asked)
    assert (policy.data.min_rows, policy.data.max_missing_fraction) == (200, 0.05)
    assert policy.metrics.min == {"accuracy": 0.9, "precision": 0.8, "recall": 0.8, "f1": 0.7}
    assert policy.metrics.max == {"mae": 40}
    assert (policy.approvals, policy.lease_seconds, policy.evaluators) == (3, 90, ("team.steps.score",))
    assert policy.sources["metrics.min.accuracy"] == policy.sources["data.min_rows"] == "governance.yaml"
    assert policy.sources["metrics.min.recall"] == "baseline 1"
    assert "at least 0.9 (governance.yaml)" in [str(bound) for bound in policy.metric_bounds]
    assert "at most 0.05 (governance.yaml)" in [str(bound) for bound in policy.data_bounds]
    assert effective("staging", "limited", asked).metrics.max == {"mae": 50}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"data": {"min_rows": 99}}, "data.min_rows = 99 is laxer than 100 (baseline 1)"),
        ({"data": {"max_missing_fraction": 0.2}}, "data.max_missing_fraction = 0.2 is laxer than 0.1 (baseline 1)"),
        ({"metrics": {"min": {"recall": 0.79}}}, "metrics.min.recall = 0.79 is laxer than 0.8 (baseline 1)"),
        ({"drift": {"share": 0.4}}, "drift.share = 0.4 is laxer than 0.3 (baseline 1)"),
        ({"drift": {"threshold": 0.2}}, "drift.threshold = 0.2 is laxer than 0.1 (baseline 1)"),
        ({"approvals": 0}, "approvals = 0 is laxer than 1 (baseline 1)"),
        ({"lease_seconds": 59}, "lease_seconds = 59 is laxer than 60 (baseline 1)"),
    ],
)
@pytest.mark.parametrize("section", ["every", "production"])
def test_a_laxer_value_is_refused(section: str, asked: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused) as refusal:
        effective("production", "limited", asking(**{section: asked}))
    assert [str(violation) for violation in refusal.value.violations] == [f"policy-laxer: policy.{section}.{said}"]


def test_every_laxer_value_is_listed() -> None:
    asked = asking(every={"data": {"min_rows": 1}}, production={"metrics": {"min": {"accuracy": 0, "recall": 0}}})
    with pytest.raises(Refused) as refusal:
        effective("production", "limited", asked)
    assert len(refusal.value.violations) == 3


def test_an_environment_is_not_laxer_than_what_every_environment_asks() -> None:
    asked = asking(every={"metrics": {"max": {"mae": 40}}}, staging={"metrics": {"max": {"mae": 50}}})
    with pytest.raises(Refused, match=r"policy\.staging\.metrics\.max\.mae = 50\.0 is laxer than 40\.0"):
        effective("staging", "limited", asked)


def test_another_environment_of_the_file_does_not_matter() -> None:
    asked = asking(production={"metrics": {"min": {"accuracy": 0.1}}})
    assert effective("local", "limited", asked) == effective("local", "limited")


COLUMNS = {
    "mean radius": {"type": "number", "min": 0, "max": 50, "max_missing_fraction": 0.5},
    "a.b.min": {"allowed": ["x", "y"], "required": False},
    "größe": {"type": "date", "min": "2020-01-01"},
}


def columns(policy: EffectivePolicy) -> dict[str, Any]:
    return {name: rules.model_dump() for name, rules in policy.data.columns.items()}


def test_an_environment_may_narrow_a_column() -> None:
    narrower = {
        "mean radius": {"type": "float", "min": 1, "max_missing_fraction": 0},
        "a.b.min": {"allowed": ["x"], "required": True},
        "größe": {"max": "2030-12-31T23:59:59"},
        "new": {"required": False},
    }
    asked = asking(every={"data": {"columns": COLUMNS}}, staging={"data": {"columns": narrower}})
    assert columns(effective("local", "limited", asked)) == COLUMNS
    held = effective("staging", "limited", asked)
    assert columns(held) == {
        "mean radius": {"type": "float", "min": 1, "max": 50, "max_missing_fraction": 0},
        "a.b.min": {"allowed": ["x"], "required": True},
        "größe": {"type": "date", "min": "2020-01-01", "max": "2030-12-31T23:59:59"},
        "new": {"required": False},
    }
    assert held.by_key()["data.columns.a.b.min"] == ({"allowed": ["x"], "required": True}, "governance.yaml")
    assert held.hash != effective("staging", "limited", asking(every={"data": {"columns": COLUMNS}})).hash


@pytest.mark.parametrize(
    ("name", "rule", "said"),
    [
        ("mean radius", {"min": -1}, "mean radius.min = -1.0 is laxer than 0.0"),
        ("mean radius", {"max": 51}, "mean radius.max = 51.0 is laxer than 50.0"),
        ("mean radius", {"max_missing_fraction": 0.6}, "mean radius.max_missing_fraction = 0.6 is laxer than 0.5"),
        ("mean radius", {"required": False}, "mean radius.required = False is laxer than True"),
        ("a.b.min", {"allowed": ["x", "z"]}, "a.b.min.allowed = ['x', 'z'] is laxer than ['x', 'y']"),
        ("größe", {"min": "2019-12-31T23:00:00"}, "größe.min = 2019-12-31T23:00:00 is laxer than 2020-01-01"),
        ("größe", {"type": "datetime"}, "größe.type = datetime is laxer than date"),
    ],
)
def test_a_laxer_column_is_refused_with_its_key(name: str, rule: dict[str, Any], said: str) -> None:
    asked = asking(every={"data": {"columns": COLUMNS}}, staging={"data": {"columns": {name: rule}}})
    with pytest.raises(Refused) as refusal:
        effective("staging", "limited", asked)
    message = f"policy-laxer: policy.staging.data.columns.{said} (governance.yaml)"
    assert [str(violation) for violation in refusal.value.violations] == [message]


@pytest.mark.parametrize("rule", [{"min": 51}, {"min": "2020-01-01"}, {"allowed": ["x"]}])
def test_an_environment_cannot_ask_what_no_value_satisfies(rule: dict[str, Any]) -> None:
    asked = asking(every={"data": {"columns": COLUMNS}}, staging={"data": {"columns": {"mean radius": rule}}})
    with pytest.raises(UsageError, match=r"policy\.staging\.data\.columns\.mean radius contradicts"):
        effective("staging", "limited", asked)


def test_more_columns_than_the_evidence_can_hold_are_refused() -> None:
    many = {f"column {i}": {"type": "float", "min": 0, "max": i} for i in range(1000)}
    with pytest.raises(UsageError, match=r"data\.columns has \d+ bytes, and the evidence of a run can hold 40000"):
        effective("local", "limited", asking(every={"data": {"columns": many}}))


def test_duplicates_extra_columns_and_drift_only_tighten() -> None:
    every = {
        "data": {"max_duplicates": 5, "extra_columns": "forbid"},
        "drift": {"on_drift": "fail", "method": "distance"},
    }
    lax = {"data": {"max_duplicates": 6, "extra_columns": "allow"}, "drift": {"on_drift": "alert", "method": "auto"}}
    held = effective("local", "limited", asking(every=every))
    assert "at most 5 (governance.yaml)" in [str(bound) for bound in held.data_bounds]
    with pytest.raises(Refused) as refusal:
        effective("local", "limited", asking(every=every, local=lax))
    assert [violation.message.split(" = ")[0] for violation in refusal.value.violations] == [
        "policy.local.data.max_duplicates",
        "policy.local.data.extra_columns",
        "policy.local.drift.on_drift",
    ]


LIMITS = st.dictionaries(st.sampled_from(["accuracy", "recall", "f1"]), st.floats(0, 1))


@given(st.sampled_from(ENVIRONMENTS), LIMITS, LIMITS)
def test_no_file_ever_lowers_a_bound(environment: str, every: dict[str, float], own: dict[str, float]) -> None:
    asked = asking(every={"metrics": {"min": every}}, **{environment: {"metrics": {"min": own}}})
    baseline = effective(environment, "limited").metrics.min
    try:
        tightened = effective(environment, "limited", asked).metrics.min
    except Refused:
        return
    assert all(tightened[name] >= least for least_of in (baseline, every, own) for name, least in least_of.items())


def test_the_hash_is_of_the_values_not_of_where_they_come_from() -> None:
    same = asking(every={"data": {"min_rows": 100}})
    assert effective("local", "limited", same).hash == effective("local", "limited").hash
    hashes = {
        effective("local", "limited").hash,
        effective("staging", "limited").hash,
        effective("local", "high").hash,
        effective("local", "limited", asking(local={"metrics": {"min": {"f1": 0.5}}})).hash,
        effective("local", "limited", asking(local={"lost_after_minutes": 10})).hash,
    }
    assert len(hashes) == 5


def test_a_policy_survives_the_way_through_json() -> None:
    every = {"evaluators": ["team.steps.score"], "data": {"columns": COLUMNS}}
    policy = effective("production", "high", asking(every=every))
    read = EffectivePolicy.from_dict(yaml.safe_load(yaml.safe_dump(policy.as_dict())))
    assert read == policy
    assert read.hash == policy.hash


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("prod", "limited"), "unknown environment 'prod'; known: local, staging, production"),
        (("local", "low"), "unknown risk tier 'low'; known: minimal, limited, high"),
        (("local", "high", None, "ranking"), "unknown problem 'ranking'; known: classification, regression"),
    ],
)
def test_an_unknown_name_is_wrong_usage(arguments: tuple[Any, ...], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        effective(*arguments)


@pytest.mark.parametrize("text", ["", "policy:\n  staging:\n    metrics: {min: {accuracy: 1}}\n"])
def test_a_valid_file_is_read(tmp_path: Path, text: str) -> None:
    policy = effective("staging", "limited", load_governance_file(written(tmp_path, text)))
    assert policy.metrics.min["accuracy"] == (1 if text else 0.7)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("policies: {}", "policies: unknown key; allowed here: personal_data, policy, secrets"),
        ("policy: {prod: {}}", "policy.prod: unknown key; allowed here: every, local, staging, production"),
        ("policy: {every: {data: {rows: 1}}}", "policy.every.data.rows: unknown key; allowed here: min_rows, max_miss"),
        (
            "policy: {every: {drift: {shares: 1}}}",
            "policy.every.drift.shares: unknown key; allowed here: share, method",
        ),
        ("policy: {every: {drift: {method: ks}}}", "policy.every.drift.method: Input should be 'auto' or 'distance'"),
        ("policy: {every: {drift: {threshold: .inf}}}", "policy.every.drift.threshold: Input should be a finite num"),
        ("policy: {every: {approvals: '2'}}", "policy.every.approvals: Input should be a valid integer, not '2'"),
        ("policy: {every: {approvals: true}}", "policy.every.approvals: Input should be a valid integer, not True"),
        ("policy: {every: {data: {max_missing_fraction: .nan}}}", "policy.every.data.max_missing_fraction: Input"),
        ("policy: {every: {data: {min_rows: -1}}}", "policy.every.data.min_rows: Input should be greater than or"),
        ("policy: {every: {metrics: {min: {accuracy: .nan}}}}", "accuracy = nan is not finite"),
        ("policy: {every: {metrics: {min: {accuracy: true}}}}", "accuracy = True is not a number but bool"),
        ("policy: {every: {metrics: {min: {accuracy: 1.2}}}}", "accuracy = 1.2 is outside the possible range"),
        ("policy: {every: {metrics: {max: {mae: -1}}}}", "policy.every.metrics.max: mae = -1 is outside the possible"),
        ("policy: {every: {metrics: {max: 3}}}", "policy.every.metrics.max: Input should be a valid dictionary, not 3"),
        ("policy: {every: {evaluators: ['a b']}}", "policy.every.evaluators.0: String should match"),
        ("policy: {every: {data: {columns: {a: {typ: x}}}}}", "columns.a.typ: unknown key; allowed here: type, req"),
        ("policy: {every: {data: {columns: {a: {type: int}}}}}", "columns.a.type: Input should be 'integer', 'float'"),
        ("policy: {every: {data: {columns: {a: {min: x}}}}}", "columns.a.min: Invalid isoformat string: 'x'"),
        ("policy: {every: {data: {columns: {a: {min: true}}}}}", "columns.a.min: is neither a number nor a date"),
        ("policy: {every: {data: {columns: {a: {max: .nan}}}}}", "policy.every.data.columns.a.max"),
        ("policy: {every: {data: {columns: {a: {allowed: []}}}}}", "policy.every.data.columns.a.allowed: List should"),
        ("policy: {every: {data: {columns: {a: {allowed: [1, x]}}}}}", "do not speak of one type of values"),
        ("policy: {every: {data: {columns: {a: {min: 2, max: 1}}}}}", "min = 2.0 is above max = 1.0"),
        ("policy: {every: {data: {columns: {a: {min: 2024-01-02, max: 2024-01-01}}}}}", "min = 2024-01-02 is above"),
        ("- a", "the file: Input should be"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_an_invalid_file_is_refused_with_its_path_and_key(tmp_path: Path, text: str, said: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(UsageError) as error:
        load_governance_file(path)
    assert str(error.value).startswith(f"{path} ")
    assert said in str(error.value)


def test_every_problem_of_a_file_is_listed(tmp_path: Path) -> None:
    path = written(tmp_path, "policy: {every: {approvals: x, a: 1}, b: {}}")
    with pytest.raises(UsageError, match=r"(?s)approvals.*every\.a.*policy\.b"):
        load_governance_file(path)


@pytest.mark.parametrize("content", [None, b"\xff\xfe\x00"])
def test_a_file_that_cannot_be_read_is_wrong_usage(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "governance.yaml"
    if content:
        path.write_bytes(content)
    with pytest.raises(UsageError, match=r"governance\.yaml cannot be read"):
        load_governance_file(path)


RECORDED = """{"approvals": 0, "baseline_version": 1, "data": {"columns": {}, "extra_columns": "allow",
 "max_duplicates": null, "max_missing_fraction": 0.1, "min_rows": 100}, "drift": {"method": "auto", "on_drift": "alert",
 "share": 0.3, "threshold": 0.1}, "environment": "staging", "evaluators": [], "lease_seconds": 60,
 "lost_after_minutes": 360, "metrics": {"max": {}, "min": {"accuracy": 0.7}}, "problem": "classification",
 "risk_tier": "limited", "sources": {"metrics.min.accuracy": "baseline 1"}}"""


def test_a_policy_that_was_recorded_before_later_rules_is_read() -> None:
    """As `runs settle` reads that of a run which was submitted before an update."""
    recorded = EffectivePolicy.from_dict(json.loads(RECORDED))
    assert [(bound.metric, bound.limit) for bound in recorded.metric_bounds] == [("accuracy", 0.7)]
