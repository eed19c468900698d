"""Register a stack in ZenML: everything or nothing, and nothing twice."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from zenml.exceptions import EntityExistsError
from zenml.utils.uuid_utils import is_valid_uuid

from governance_core.core import Conflict, GovernanceError, Refused, UsageError, one_line
from governance_core.policy import ENVIRONMENTS
from governance_core.project import load_project
from governance_core.registry.connection import explained
from governance_core.stacks.choice import named_stack, run_configuration, stack_variable
from governance_core.stacks.configurations import configurations
from governance_core.stacks.entries import Entry, Registered, entries
from governance_core.stacks.wanted import wanted_stack


@dataclass(frozen=True)
class Registration:
    """What became of each thing, the stack last; ``taken`` says whether the runs of the environment take the stack."""

    environment: str
    stack: str
    taken: bool
    registered: list[Registered]
    dry_run: bool

    def as_dict(self) -> dict[str, Any]:
        """Return the registration as JSON holds it."""
        return asdict(self)

    def __str__(self) -> str:
        lines = ["nothing was changed: --dry-run"] * self.dry_run + [str(one) for one in self.registered]
        if not self.taken:
            variable = stack_variable(self.environment)
            lines.append(
                f"no run takes it yet: set {variable}={self.stack}, or `stack: {self.stack}` in "
                f"configs/{self.environment}.yaml"
            )
        return "\n".join(lines)


def register(root: Path, environment: str, *, dry_run: bool = False) -> Registration:
    """Create or update an environment's stack, its components and its service connector.

    Args:
        root: the project's folder.
        environment: local, staging or production.
        dry_run: say what would become of each, and change nothing.

    Raises:
        UsageError: if the environment is unknown, its stack's name is none, a value is missing or wrong, or a secret is
            not in ZenML.
        Refused: if a name belongs to something else in ZenML.
        Conflict: if somebody else registered one of them meanwhile; nothing was changed.
        GovernanceError: if it failed on the way; says what was undone.
    """
    if environment not in ENVIRONMENTS:
        raise UsageError(f"unknown environment {environment!r}; known: {', '.join(ENVIRONMENTS)}")
    project = load_project(root)
    named, source = named_stack(environment, run_configuration(environment, root))
    if is_valid_uuid(named):
        raise UsageError(f"{source} is an id, by which no run finds what is registered under it; write a name")
    wanted = wanted_stack(project, environment, named or environment, root)
    things = entries(wanted, configurations(wanted))
    if violations := [violation for thing in things for violation in thing.violations()]:
        raise Refused(f"registering stack '{wanted.name}'", violations)
    outcomes = [thing.outcome() for thing in things]
    if not dry_run:
        pending = zip(things, outcomes, strict=True)
        _apply([thing for thing, found in pending if found.outcome != "kept"], wanted.name)
    return Registration(environment, wanted.name, named is not None, outcomes, dry_run)


def _apply(entries: Sequence[Entry[Any]], name: str) -> None:
    begun: list[Entry[Any]] = []
    with _slack_says() as answers:
        try:
            for entry in entries:
                begun.append(entry)
                entry.apply()
        except BaseException as error:  # Ctrl-C too
            if isinstance(error, EntityExistsError):
                begun.pop()  # it is somebody else's
            with _undisturbed():
                undone, failed = _undo(begun)
            reason = f"Slack says {answers[-1]}" if answers else _reason(error)
            raise _failure(
                error, f"stack '{name}' was not registered, {entry.type}: {reason}", undone, failed
            ) from error


def _undo(begun: Sequence[Entry[Any]]) -> tuple[list[str], list[str]]:
    undone, failed = [], []
    for entry in reversed(begun):
        try:
            undone.append(entry.undo())
        except Exception as error:
            failed.append(f"{entry.type} {entry.name} ({one_line(error)})")
    return [said for said in undone if said], failed


def _reason(error: BaseException) -> str:
    if not isinstance(error, Exception):
        return "interrupted"
    return str(explained(error) or one_line(error))


def _failure(error: BaseException, message: str, undone: Sequence[str], failed: Sequence[str]) -> GovernanceError:
    if undone:
        message += f"\nundone: {', '.join(undone)}"
    if failed:
        return GovernanceError(f"{message}\nNOT undone, correct it by hand: {', '.join(failed)}")
    if not undone:
        message += "\nnothing had been changed"
    if isinstance(error, EntityExistsError):
        return Conflict(message)
    wrong = isinstance(error, ValueError) or (isinstance(error, Exception) and explained(error))
    return UsageError(message) if wrong else GovernanceError(message)


@contextmanager
def _slack_says() -> Iterator[list[str]]:
    """Collect what Slack answers to a wrong token or channel: ZenML logs it in a way that no handler can format."""
    answers: list[str] = []

    def heard(record: logging.LogRecord) -> bool:
        answers.extend(map(str, record.args or ()))
        return False

    logger = logging.getLogger("zenml.integrations.slack.flavors.slack_alerter_flavor")
    logger.addFilter(heard)
    try:
        yield answers
    finally:
        logger.removeFilter(heard)


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Let a second Ctrl-C wait: half of an undoing is what nobody wants."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
