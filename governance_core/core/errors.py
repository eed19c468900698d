"""Errors that carry the exit code of the command line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

LONGEST_QUOTE = 300  # characters


class GovernanceError(Exception):
    """Something failed that nobody foresaw; the message says what was changed before it failed."""

    exit_code = 1


class UsageError(GovernanceError):
    """Wrong usage, or what was named does not exist or cannot be read."""

    exit_code = 2


@dataclass(frozen=True)
class Violation:
    """One broken rule: its name, and a message with the value and what would satisfy the rule."""

    rule: str
    message: str

    def as_dict(self) -> dict[str, str]:
        """Return the violation as JSON holds it."""
        return asdict(self)

    def __str__(self) -> str:
        return f"{self.rule}: {self.message}"


class Refused(GovernanceError):  # noqa: N818 - "refused" is the word users read
    """A rule forbids it. Carries every violation that was found, not only the first."""

    exit_code = 3

    def __init__(self, what: str, violations: Sequence[Violation]) -> None:
        self.what = what
        self.violations = tuple(violations)
        super().__init__("\n".join([f"{what} is refused:", *(f"  - {violation}" for violation in self.violations)]))


class Conflict(GovernanceError):  # noqa: N818 - as above
    """Somebody else changed it first; nothing was changed, trying again is safe."""

    exit_code = 4


def one_line(error: BaseException) -> str:
    """Return type and message of an exception as a notice or an event quotes it: the first line, not too long."""
    return f"{type(error).__name__}: {error}".partition("\n")[0][:LONGEST_QUOTE]
