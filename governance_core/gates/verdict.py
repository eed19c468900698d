"""What a gate found: every check it made, passed or not."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from numbers import Integral, Real
from typing import Any, Literal

from governance_core.core import Refused, Violation


@dataclass(frozen=True)
class Check:
    """One rule applied to one subject (a metric or a property of the data).

    ``limit`` and ``source`` are None where the rule has no threshold.
    """

    rule: str
    subject: str
    value: object
    limit: object
    source: str | None
    passed: bool
    message: str


@dataclass(frozen=True)
class Verdict:
    """All checks of one gate; it passes when there are checks and each of them passed."""

    gate: Literal["data", "model", "drift"]
    checks: tuple[Check, ...]

    @property
    def passed(self) -> bool:
        """Tell whether the gate lets the run go on."""
        return bool(self.checks) and all(check.passed for check in self.checks)

    @property
    def violations(self) -> tuple[Violation, ...]:
        """Return every failed check as a violation."""
        return tuple(Violation(check.rule, check.message) for check in self.checks if not check.passed)

    def as_dict(self) -> dict[str, Any]:
        """Return the verdict as JSON holds it: plain numbers, and text in place of what is no finite number."""
        checks = [asdict(check) | {"value": _plain(check.value), "limit": _plain(check.limit)} for check in self.checks]
        return {"gate": self.gate, "passed": self.passed, "checks": checks}

    def raise_if_failed(self, what: str) -> None:
        """Refuse ``what``, listing every violation, unless the gate passed.

        Raises:
            Refused: if a check failed or nothing was checked.
        """
        if not self.passed:
            raise Refused(what, self.violations or (Violation("no-check", "nothing was checked"),))


def _plain(value: object) -> float | int | str | None:
    if isinstance(value, Integral) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None if value is None else str(value)
