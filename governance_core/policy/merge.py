"""The effective policy of one environment: the baseline, tightened."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import Any, Literal, Self, cast, get_args

import yaml
from pydantic import BaseModel, ConfigDict

from governance_core.core import Bound, Refused, UsageError, Violation, canonical_json, digest
from governance_core.core.rules import ColumnRules, DataRules, DriftRules
from governance_core.policy.file import GOVERNANCE_FILE, GovernanceFile, Section

Environment = Literal["local", "staging", "production"]
RiskTier = Literal["minimal", "limited", "high"]
Problem = Literal["classification", "regression"]
ENVIRONMENTS: tuple[str, ...] = get_args(Environment)
RISK_TIERS: tuple[str, ...] = get_args(RiskTier)  # the laxest first

# By what a value is laxer: a maximum when it is larger, a step when it stands earlier, and every other when it is less.
MAXIMA = {"data.max_missing_fraction", "data.max_duplicates", "drift.share", "drift.threshold", "secret_max_age_days"}
STEPS = {"data.extra_columns": ("allow", "forbid"), "drift.on_drift": ("alert", "fail")}
UNIONS = {"evaluators", "stack"}  # each section adds to what stands before it
# The team's choice and no limit: how long a run may be silent, how a distance is measured.
CHOICES = {"lost_after_minutes", "drift.method"}

MAX_COLUMNS = 40_000  # bytes of canonical JSON; the whole policy stands in one event, which holds 65,535


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class MetricBounds(_Frozen):
    """Bounds of the model gate, by metric."""

    min: dict[str, float]
    max: dict[str, float]


class EffectivePolicy(_Frozen):
    """What holds in one environment, and where each value comes from (``sources``, by dotted key).

    The columns have one source together: nothing but governance.yaml declares any.
    """

    environment: Environment
    baseline_version: int
    risk_tier: RiskTier
    problem: Problem
    data: DataRules
    drift: DriftRules
    metrics: MetricBounds
    approvals: int
    evaluators: tuple[str, ...]
    lease_seconds: int
    lost_after_minutes: int
    # What was recorded before these were rules has none of them.
    stack: tuple[str, ...] = ()
    secret_max_age_days: int = 90
    sources: dict[str, str]

    @property
    def hash(self) -> str:
        """Return the digest of the values; where they come from does not change it."""
        return digest(self.model_dump(mode="json", exclude={"sources"}))

    @property
    def data_bounds(self) -> list[Bound]:
        """Return the bounds of the data gate."""
        bounds = [
            Bound("rows", "min", self.data.min_rows, self.sources["data.min_rows"]),
            Bound("missing_fraction", "max", self.data.max_missing_fraction, self.sources["data.max_missing_fraction"]),
        ]
        if self.data.max_duplicates is not None:
            copies = self.data.max_duplicates
            bounds.append(Bound("duplicates", "max", copies, self.sources["data.max_duplicates"]))
        return bounds

    @property
    def metric_bounds(self) -> list[Bound]:
        """Return the bounds of the model gate."""
        least = [Bound(name, "min", x, self.sources[f"metrics.min.{name}"]) for name, x in self.metrics.min.items()]
        most = [Bound(name, "max", x, self.sources[f"metrics.max.{name}"]) for name, x in self.metrics.max.items()]
        return least + most

    @property
    def drift_bounds(self) -> list[Bound]:
        """Return the bounds of the drift gate."""
        return [Bound("drift_score", "max", self.drift.share, self.sources["drift.share"])]

    def by_key(self) -> dict[str, tuple[Any, str]]:
        """Return each value and its source by its dotted key; a declared column is one value."""
        values = _flat(self.model_dump(mode="json", exclude={"sources": True, "data": {"columns"}}))
        columns = {f"data.columns.{name}": rules.model_dump() for name, rules in self.data.columns.items()}
        plain = {key: (values[key], source) for key, source in self.sources.items() if key in values}
        return plain | {key: (rules, self.sources["data.columns"]) for key, rules in columns.items()}

    def as_dict(self) -> dict[str, Any]:
        """Return the policy as JSON holds it."""
        return self.model_dump(mode="json")

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `as_dict` wrote."""
        return cls.model_validate(data)


def effective(
    environment: str, risk_tier: str, governance_file: GovernanceFile | None = None, problem: str = "classification"
) -> EffectivePolicy:
    """Return the baseline of the environment, tightened by ``every`` and then by the environment's own section.

    Raises:
        UsageError: if environment, risk tier or problem is unknown.
        Refused: if a value is laxer than what stands before it; lists every such value.
    """
    for what, value, known in (
        ("environment", environment, Environment),
        ("risk tier", risk_tier, RiskTier),
        ("problem", problem, Problem),
    ):
        if value not in get_args(known):
            raise UsageError(f"unknown {what} {value!r}; known: {', '.join(get_args(known))}")
    merge = _Merge(_baseline_values(environment, risk_tier, problem))
    asked = (governance_file or GovernanceFile()).policy
    merge.tighten("policy.every", asked.every)
    merge.tighten(f"policy.{environment}", getattr(asked, environment))
    merge.check_size()
    if merge.violations:
        raise Refused(f"the policy in {GOVERNANCE_FILE}", merge.violations)
    values = _nested(merge.values)
    values["data"]["columns"] = merge.columns
    return EffectivePolicy.model_validate(
        values
        | {"environment": environment, "risk_tier": risk_tier, "problem": problem}
        | {"baseline_version": _baseline()["version"], "sources": merge.sources}
    )


@cache
def _baseline() -> dict[str, Any]:
    text = resources.files("governance_core.policy").joinpath("baseline.yaml").read_text(encoding="utf-8")
    return cast(dict[str, Any], yaml.safe_load(text))


def _baseline_values(environment: str, risk_tier: str, problem: str) -> dict[str, Any]:
    baseline = _baseline()
    approvals = baseline["approvals"][risk_tier] if environment == "production" else 0
    metrics = {"min": baseline["metrics"][problem][environment]}
    return _flat(baseline["every"] | {"metrics": metrics, "approvals": approvals, "evaluators": [], "stack": []})


class _Merge:
    """Values by dotted key, the declared columns by name, and where each comes from."""

    def __init__(self, baseline: dict[str, Any]) -> None:
        self.values = baseline
        self.columns: dict[str, ColumnRules] = {}
        self.sources = dict.fromkeys(baseline, f"baseline {_baseline()['version']}")
        self.violations: list[Violation] = []

    def tighten(self, section: str, asked: Section) -> None:
        plain = asked.model_dump(exclude_unset=True, exclude_none=True, exclude={"data": {"columns"}})
        for key, value in _flat(plain).items():
            held = self.values.get(key)
            if key in UNIONS:
                self._set(key, sorted({*self.values[key], *value}))
            elif held is not None and _laxer(key, value, held):
                message = f"{section}.{key} = {value} is laxer than {held} ({self.sources[key]})"
                self.violations.append(Violation("policy-laxer", message))
            else:
                self._set(key, value)
        for name, rules in asked.data.columns.items():
            self._narrow(f"{section}.data.columns.{name}", name, rules)

    def check_size(self) -> None:
        """Refuse more columns than the evidence of a run can hold, before anything has run."""
        columns = {name: rules.model_dump() for name, rules in self.columns.items()}
        if (size := len(canonical_json(columns))) > MAX_COLUMNS:
            raise UsageError(
                f"{GOVERNANCE_FILE}: data.columns has {size} bytes, and the evidence of a run can hold {MAX_COLUMNS}; "
                "declare fewer columns or shorter lists of allowed values"
            )

    def _narrow(self, key: str, name: str, rules: ColumnRules) -> None:
        held = self.columns.get(name)
        laxer = list(rules.laxer_than(held)) if held else []
        self.violations += [Violation("policy-laxer", f"{key}.{rule} ({GOVERNANCE_FILE})") for rule in laxer]
        if laxer:
            return
        try:
            self.columns[name] = held.tightened(rules) if held else rules
        except ValueError as error:
            raise UsageError(f"{GOVERNANCE_FILE}: {key} contradicts what every environment asks: {error}") from error
        self.sources["data.columns"] = GOVERNANCE_FILE

    def _set(self, key: str, value: Any) -> None:
        if self.values.get(key) != value:
            self.values[key] = value
            self.sources[key] = GOVERNANCE_FILE


def _laxer(key: str, value: Any, held: Any) -> bool:
    if key in CHOICES:
        return False
    if key in MAXIMA or key.startswith("metrics.max."):
        return bool(value > held)
    if key in STEPS:
        return STEPS[key].index(value) < STEPS[key].index(held)
    return bool(value < held)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    leaves: dict[str, Any] = {}
    for key, value in tree.items():
        leaves |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {f"{prefix}{key}": value}
    return leaves


def _nested(leaves: dict[str, Any]) -> dict[str, Any]:
    tree: dict[str, Any] = {"metrics": {"min": {}, "max": {}}}
    for key, value in leaves.items():
        *sections, name = key.split(".", 2)
        branch = tree
        for section in sections:
            branch = branch.setdefault(section, {})
        branch[name] = value
    return tree
