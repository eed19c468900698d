"""The verdict on drift: each column against its reference, and the share of those that drifted against its limit."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from governance_core.core import Bound, UsageError
from governance_core.core.rules import DriftMethod
from governance_core.gates.drift.categories import Categories, Groups
from governance_core.gates.drift.columns import Column, Uncompared
from governance_core.gates.drift.distances import DISTANCE, compare
from governance_core.gates.drift.numbers import Numbers
from governance_core.gates.drift.profile import Profile, profile_frame
from governance_core.gates.metrics import check_numbers
from governance_core.gates.verdict import Verdict

_NAMED = 50  # columns that a message or a step's metadata name


@dataclass(frozen=True)
class ColumnDrift:
    """One column: by which method, how far from the reference, and whether that is drift.

    The score is a p-value or a distance, as the method has it; the shares are of null, NaN and infinite values.
    """

    method: str
    score: float
    threshold: float
    drifted: bool
    missing_reference: float
    missing_current: float

    def __str__(self) -> str:
        return f"{self.method} {self.score:.3g} (drift at {self.threshold}){' DRIFTED' if self.drifted else ''}"


@dataclass(frozen=True)
class DriftVerdict:
    """What the drift gate found."""

    verdict: Verdict
    score: float  # the share of the compared columns that drifted
    columns: dict[str, ColumnDrift]
    not_compared: dict[str, str]  # and why

    @property
    def passed(self) -> bool:
        """Tell whether the share is within its limit."""
        return self.verdict.passed

    @property
    def drifted_columns(self) -> list[str]:
        """Return the names of the columns that drifted."""
        return [name for name, column in self.columns.items() if column.drifted]

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON holds it."""
        found = {"drift_score": self.score, "drifted_columns": self.drifted_columns}
        columns = {name: asdict(column) for name, column in self.columns.items()}
        return found | {"columns": columns, "not_compared": self.not_compared} | self.verdict.as_dict()

    def summary(self) -> dict[str, Any]:
        """Return the verdict without its columns, as a step's metadata hold it: ZenML drops what is longer."""
        drifted = self.drifted_columns
        found = {"drift_score": self.score, "drifted": len(drifted), "compared": len(self.columns)}
        return found | {"drifted_columns": drifted[:_NAMED]} | self.verdict.as_dict()

    def __str__(self) -> str:
        compared = [f"{name}: {column}" for name, column in self.columns.items()]
        limits = [check.message for check in self.verdict.checks if check.limit is not None]
        left_out = [f"{name}: not compared ({reason})" for name, reason in self.not_compared.items()]
        return "\n".join([*compared, *left_out, *limits])

    def raise_if_failed(self, what: str) -> None:
        """Refuse ``what`` unless the share is within its limit.

        Raises:
            Refused: names the share, its limit and where that was said, and the columns that drifted.
        """
        self.verdict.raise_if_failed(what)


def judge_drift(
    reference: Profile,
    current: Any,
    bounds: Sequence[Bound],
    *,
    method: DriftMethod = "auto",
    threshold: float = DISTANCE,
    ignore: Collection[str] = (),
) -> DriftVerdict:
    """Judge whether data are distributed as the reference is: compare each column, and the share that drifted.

    Args:
        reference: the profile of the data that the model was trained on.
        current: data as `profile_frame` takes them, or their profile ``like`` the reference.
        bounds: on ``drift_score``, the share of drifted columns; the strictest holds.
        method: by which columns are compared, see `compare`.
        threshold: from which distance on a column has drifted; the level of a test stays 0.05.
        ignore: columns not to compare, such as the target where the current data have none.

    Raises:
        UsageError: if a column of the reference is missing or of another type, if either side has no rows, or if there
            is no column to compare; names each such column.
    """
    source = current if isinstance(current, str | Path) else "the current data"
    if not isinstance(current, Profile):
        current = profile_frame(current, like=reference.without(ignore))
    reasons = {name: reason for name, column in reference.columns.items() if (reason := _uncomparable(column))}
    reasons |= dict.fromkeys(ignore, "ignored")
    pairs = {name: column for name, column in reference.columns.items() if name not in reasons}
    if problems := _problems(reference, current, pairs):
        raise UsageError(f"{source} cannot be compared with the reference: {'; '.join(problems)}")
    columns = {name: _compared(column, current.columns[name], method, threshold) for name, column in pairs.items()}
    reasons |= {name: "not in the reference" for name in current.columns if name not in reference.columns}
    drifted = [name for name, column in columns.items() if column.drifted]
    score = len(drifted) / len(columns)
    checks = [
        replace(check, message=f"{check.message}; drifted: {_listed(drifted)}") if not check.passed else check
        for check in check_numbers({"drift_score": score}, bounds)
    ]
    return DriftVerdict(Verdict("drift", tuple(checks)), score, columns, reasons)


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return ", ".join(names[:_NAMED]) + more


def _uncomparable(column: Column) -> str | None:
    if isinstance(column, Uncompared):
        return f"of type {column.what}" if column.count else None
    if isinstance(column, Categories | Groups) and not getattr(column, "boolean", False):
        return "text: more than half of its values are distinct" if column.distinct > column.count / 2 else None
    return None


def _problems(reference: Profile, current: Profile, pairs: dict[str, Column]) -> list[str]:
    sides = (("reference has", reference), ("current data have", current))
    problems = [f"column {name!r} is missing" for name in pairs if name not in current.columns]
    for name, column in pairs.items():
        other = current.columns.get(name)
        if other and column.count and other.count and _type(column) != _type(other):
            problems.append(f"column {name!r} is of type {_type(other)}, in the reference {_type(column)}")
        elif other and column.count and other.count and not _counted_alike(column, other):
            problems.append(f"column {name!r} is from a profile that was not made `like` the reference")
    if not pairs:
        return ["there is no column to compare"]
    # Where no column is there to be read, no row has been counted.
    return problems or [f"the {what} no rows" for what, profile in sides if not profile.rows]


def _counted_alike(reference: Column, current: Column) -> bool:
    if isinstance(reference, Numbers) and isinstance(current, Numbers):
        return np.array_equal(reference.cuts, current.cuts)
    if isinstance(reference, Categories) and isinstance(current, Categories):
        return np.array_equal(reference.keys, current.keys)
    return type(reference) is type(current)


def _type(column: Column) -> str:
    if isinstance(column, Uncompared):
        return column.what
    if isinstance(column, Categories):
        return "boolean" if column.boolean else "string"
    return "string" if isinstance(column, Groups) else "number"


def _compared(reference: Column, current: Column, method: DriftMethod, threshold: float) -> ColumnDrift:
    shares = [column.missing / max(column.missing + column.count, 1) for column in (reference, current)]
    if isinstance(reference, Uncompared) or isinstance(current, Uncompared) or not reference.count or not current.count:
        one = bool(reference.count or current.count)
        return ColumnDrift("presence", float(one), 1.0, one, *shares)
    found = compare(reference, current, method, threshold)
    return ColumnDrift(found.method, found.score, found.threshold, found.drifted, *shares)
