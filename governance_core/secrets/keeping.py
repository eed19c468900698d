"""The verbs `secrets plan`, `apply` and `rotate`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from pydantic import SecretStr

from governance_core.core import GovernanceError, Refused, UsageError, Violation, one_line
from governance_core.policy import GOVERNANCE_FILE, effective, load_governance_file
from governance_core.project import load_project
from governance_core.registry import secret_store as store
from governance_core.registry.actors import Actor, current_actor
from governance_core.registry.chains import journal
from governance_core.registry.connection import explained
from governance_core.secrets.declared import Declared, declared_secrets, given_value, place

Write = Callable[[Mapping[str, SecretStr]], UUID]  # returns the id of the secret
SECRET = "secret"  # the kind of event
MOST_BYTES = 64 * 1024  # of all keys and values of one secret: ZenML's SQL store takes no more


@dataclass(frozen=True)
class State:
    """A declared secret as it is in ZenML.

    ``stored`` is None where there is none, ``missing`` are the keys that it lacks, ``ages`` are those of the others,
    ``size`` is that of what is stored in bytes, ``unrecorded`` are the keys of which no event says who wrote them (None
    where the journal holds the last change), and ``private`` says that whoever asks has one of this name for
    themselves, which no pipeline of others sees.
    """

    declared: Declared
    stored: store.Stored | None
    missing: tuple[str, ...]
    ages: Mapping[str, timedelta]
    size: int
    unrecorded: tuple[str, ...] | None
    private: bool
    max_age_days: int

    @property
    def days(self) -> int | None:
        """Return the age of its oldest value; None where it has none."""
        return max((age.days for age in self.ages.values()), default=None)

    @property
    def old(self) -> tuple[str, ...]:
        """Return the keys whose values are older than the policy allows."""
        return tuple(key for key, age in self.ages.items() if age > timedelta(days=self.max_age_days))

    def as_dict(self) -> dict[str, Any]:
        """Return the state as JSON."""
        return {
            "name": self.declared.name,
            "keys": list(self.declared.keys),
            "used_by": list(self.declared.used_by),
            "declared_in": self.declared.source,
            "exists": self.stored is not None,
            "missing_keys": list(self.missing),
            "age_days": self.days,
            "old_keys": list(self.old),
        }

    def __str__(self) -> str:
        name, keys = self.declared.name, ", ".join(self.declared.keys)
        used = f"used by {'; '.join(self.declared.used_by)}"
        if self.stored is None:
            hidden = "; yours of this name is private, and no pipeline of others sees it" if self.private else ""
            return f"missing  {name} ({keys}): {used}{hidden}"
        days = f"{self.days or 0} days old"
        if self.missing:
            return f"missing  {name} lacks {', '.join(self.missing)}: {used}; {days}"
        if self.old:
            allowed = f"and the policy allows {self.max_age_days}: rotate it"
            return f"old      {name} ({', '.join(self.old)}): {used}; {days}, {allowed}"
        return f"there    {name} ({keys}): {used}; {days}"


@dataclass(frozen=True)
class Plan:
    """What is declared against what is there; ``undeclared`` counts the others, which may be other projects'."""

    states: tuple[State, ...]
    undeclared: int

    @property
    def missing(self) -> tuple[State, ...]:
        """What is declared and not there, wholly or in part."""
        return tuple(state for state in self.states if state.missing)

    def as_dict(self) -> dict[str, Any]:
        """Return the plan as JSON."""
        return {"secrets": [state.as_dict() for state in self.states], "undeclared": self.undeclared}

    def __str__(self) -> str:
        others = f"note: secrets that this project does not declare: {self.undeclared}" if self.undeclared else ""
        return "\n".join(filter(None, [*map(str, self.states), others])) or "no secret is declared"


@dataclass
class Applied:
    """What was done, with names and keys, and which values were not given, by where they would have been."""

    done: list[dict[str, Any]] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    lacking: dict[str, list[str]] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"done": self.done, "kept": self.kept, "lacking": self.lacking}

    def __str__(self) -> str:
        lines = [*map(_said, self.done), *(f"kept {name}" for name in self.kept)]
        lines += [f"not touched {name}: no value in {' and '.join(places)}" for name, places in self.lacking.items()]
        return "\n".join(lines) or "no secret is declared"


@dataclass(frozen=True)
class Rotated:
    """What was replaced, and what uses it."""

    done: Mapping[str, Any]
    used_by: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {**self.done, "used_by": list(self.used_by)}

    def __str__(self) -> str:
        return "\n".join([_said(self.done), *(f"tell: {user}" for user in self.used_by)])


def plan(root: Path) -> Plan:
    """Hold what the project declares against the secrets in ZenML.

    Raises:
        UsageError: if a file of the project cannot be read, or this account may not see the secrets.
        Refused: if governance.yaml is laxer than the baseline.
    """
    declared = declared_secrets(root)
    public, private = store.stored_secrets()
    project = load_project(root)
    policy = effective("production", project.risk_tier, load_governance_file(root / GOVERNANCE_FILE), project.problem)
    kept = [public[name] for name in declared if name in public]
    history = _history(project.project_slug, kept)
    states = tuple(
        _state(secret, public.get(name), history, name in private, policy.secret_max_age_days)
        for name, secret in declared.items()
    )
    return Plan(states, len(public.keys() - declared.keys()))


def apply(root: Path, folder: Path | None) -> Applied:
    """Create what is declared and missing, with the values that are given; keep every value that is there.

    A secret with a missing value that is not given is not touched; the others are made. What is there and no event
    holds (somebody made it elsewhere, or an earlier call ended between the two) is recorded as found.

    Args:
        root: the project's folder.
        folder: whose files ``name.key`` hold the values; None where the variables ``SECRET_<NAME>_<KEY>`` do.

    Raises:
        UsageError: if a file cannot be read, a value is too large, nobody can be named, or the account has no right.
        Conflict: if somebody else made a secret first; says what was done before.
        GovernanceError: if ZenML does not take a secret or an event, or on Ctrl-C; says what was done before.
    """
    _require(folder)
    planned, writer = plan(root), _Writer(load_project(root).project_slug, current_actor(root))
    applied = Applied(writer.done)
    given = [_given(state.declared, state.missing, folder, state.size) for state in planned.states]  # before any change
    with writer.telling():
        for state, values in zip(planned.states, given, strict=True):
            name, stored = state.declared.name, state.stored
            if stored and state.unrecorded is not None:
                writer.found(stored, state.unrecorded)
            if not state.missing:
                applied.kept.append(name)
            elif lacking := [place(name, key, folder) for key in state.missing if key not in values]:
                applied.lacking[name] = lacking
            elif stored:
                writer.change(name, "extended", values, partial(store.write, stored))
            else:
                writer.change(name, "created", values, partial(store.create, name))
    return applied


def rotate(root: Path, name: str, keys: Sequence[str], folder: Path | None) -> Rotated:
    """Replace values of one secret by others, all of them or none.

    Args:
        root: the project's folder.
        name: of a declared secret.
        keys: some of its declared keys; all of them where there is none.
        folder: as for `apply`.

    Raises:
        UsageError: if secret or key is not declared or does not exist, or the account may not read or write it.
        Refused: if a value is not given, or is the one that is there.
        GovernanceError: if ZenML does not take the values or the event, or on Ctrl-C; says what was done before.
    """
    _require(folder)
    secret, wanted = _wanted(declared_secrets(root), name, keys)
    stored, old = _replaceable(name, wanted)
    new = _given(secret, wanted, folder, _size({key: value for key, value in old.items() if key not in wanted}))
    unset = [
        Violation("no-value", f"{place(name, key, folder)} is not there or blank") for key in wanted if key not in new
    ]
    same = [Violation("same-value", f"{name}.{key} has this value already") for key in new if new[key] == old[key]]
    if unset or same:
        raise Refused(f"rotating {name}", unset + same)
    writer = _Writer(load_project(root).project_slug, current_actor(root))
    with writer.telling():
        writer.change(name, "rotated", new, partial(store.write, stored))
    return Rotated(writer.done[0], secret.used_by)


def _wanted(declared: Mapping[str, Declared], name: str, keys: Sequence[str]) -> tuple[Declared, tuple[str, ...]]:
    if name not in declared:
        raise UsageError(f"no secret of this name is declared; there are: {', '.join(declared) or 'none'}")
    secret = declared[name]
    if not set(keys) <= set(secret.keys):  # what was given instead is not repeated: it may be KEY=VALUE
        raise UsageError(f"the keys of {name} are: {', '.join(secret.keys)}")
    return secret, tuple(dict.fromkeys(keys)) or secret.keys


def _replaceable(name: str, keys: Sequence[str]) -> tuple[store.Stored, dict[str, SecretStr | None]]:
    stored = store.stored_secrets()[0].get(name)
    if stored is None:
        raise UsageError(f"there is no secret {name} to rotate; `governance secrets apply` makes it")
    old = store.values_of(stored)
    if missing := [key for key in keys if key not in old]:
        raise UsageError(
            f"{name} has no {', '.join(missing)} to rotate; `governance secrets apply` adds what is missing"
        )
    if unread := [key for key in keys if old[key] is None]:
        raise UsageError(
            f"cannot rotate {name}: this account may not read {', '.join(unread)}, so nothing says that the new value "
            "is another one; `governance access` says who may"
        )
    return stored, old


@dataclass
class _History:
    """When the journal says that the values of a secret were written, and when it got the last event about it."""

    written: dict[str, datetime] = field(default_factory=dict)
    last: datetime | None = None


def _history(slug: str, stored: Iterable[store.Stored]) -> dict[UUID, _History]:
    made = {secret.id: secret.created for secret in stored}
    histories = {secret_id: _History() for secret_id in made}
    for event in journal(slug).newest() if made else ():
        at = event.stored.replace(tzinfo=UTC) if event.stored else _now()
        if at < min(made.values()):
            break  # older than them all
        if event.kind == SECRET and (history := histories.get(UUID(event.body["secret"]))):
            history.last = history.last or at
            since = event.body.get("changed")
            for key in event.body["keys"]:
                history.written.setdefault(key, datetime.fromisoformat(since) if since else at)
    return histories


def _state(
    secret: Declared,
    stored: store.Stored | None,
    histories: Mapping[UUID, _History],
    private: bool,
    max_age_days: int,
) -> State:
    if stored is None:
        return State(secret, None, secret.keys, {}, 0, None, private, max_age_days)
    there, history = store.values_of(stored), histories[stored.id]
    missing = tuple(key for key in secret.keys if key not in there)
    kept = [key for key in secret.keys if key in there]
    ages = {key: _now() - history.written.get(key, stored.changed) for key in kept}
    unrecorded = tuple(key for key in kept if key not in history.written)
    recorded = not unrecorded and history.last is not None and history.last >= stored.changed
    return State(secret, stored, missing, ages, _size(there), None if recorded else unrecorded, private, max_age_days)


def _size(values: Mapping[str, SecretStr | None]) -> int:
    return sum(len(key) + (len(value.get_secret_value().encode()) if value else 0) for key, value in values.items())


def _now() -> datetime:
    return datetime.now(UTC)


def _require(folder: Path | None) -> None:
    if folder and not folder.is_dir():
        raise UsageError(f"there is no folder {folder}, which --from names")


def _given(secret: Declared, keys: Sequence[str], folder: Path | None, kept: int) -> dict[str, SecretStr]:
    """Return the values that are given for some keys, which must fit beside ``kept`` bytes."""
    found = {key: given_value(secret.name, key, folder, os.environ) for key in keys}
    values = {key: value for key, value in found.items() if value}
    size = kept + _size(values)
    if values and size > MOST_BYTES:
        raise UsageError(
            f"the values of {secret.name} have {size} bytes, and ZenML keeps {MOST_BYTES}; nothing was done"
        )
    return values


@dataclass
class _Writer:
    """Writes values to ZenML and then the change to the journal."""

    slug: str
    actor: Actor
    done: list[dict[str, Any]] = field(default_factory=list)

    def change(self, name: str, action: str, values: Mapping[str, SecretStr], write: Write) -> None:
        secret_id = write(values)
        self.done.append({"name": name, "action": action, "keys": list(values)})
        self._record(self.done[-1] | {"secret": str(secret_id)})

    def found(self, stored: store.Stored, keys: Sequence[str]) -> None:
        change = {"name": stored.name, "action": "found", "keys": list(keys)}
        self._record(change | {"secret": str(stored.id), "changed": stored.changed.isoformat()})
        self.done.append(change)

    @contextmanager
    def telling(self) -> Iterator[None]:
        """Let an error or Ctrl-C say what was done before it."""
        try:
            yield
        except GovernanceError as error:
            if not self.done:
                raise
            raise type(error)(self._told(str(error))) from error
        except BaseException as error:
            what = type(error).__name__ if isinstance(error, Exception) else "interrupted"
            advice = "`governance secrets plan` shows what is there, and the next `apply` records what was not"
            raise GovernanceError(self._told(f"{what}; {advice}")) from None  # it may have met an error with values

    def _told(self, message: str) -> str:
        return "\n".join([message, *["done before:"] * bool(self.done), *map(_said, self.done)])

    def _record(self, body: Mapping[str, Any]) -> None:
        try:
            journal(self.slug).record(SECRET, {**body, "actor": self.actor.as_dict()})
        except Exception as error:
            reason = explained(error) or one_line(error)
            advice = "the next `governance secrets apply` records it"
            raise GovernanceError(f"the journal does not hold the last change: {reason}; {advice}") from error


def _said(change: Mapping[str, Any]) -> str:
    return f"{change['action']} {change['name']} ({', '.join(change['keys'])})"
