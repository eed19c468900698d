"""One event of a chain, its one text form, and the check of a whole chain."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import accumulate
from typing import Any

from governance_core.core import Violation, canonical_json, digest

MOST_VIOLATIONS = 100  # in one event, whose size the store limits
MOST_BYTES = 40_000  # of violations in one event
MOST_CHARACTERS = 1_000  # of one message


@dataclass(frozen=True)
class Event:
    """Something that happened, bound to everything that happened before it in its chain.

    ``seq`` counts from 1 without gaps; ``at`` is the writer's UTC time (ISO 8601); ``prev`` is the predecessor's hash,
    or for the first event the digest of the chain's name; ``hash`` is the digest of all the other fields. ``stored``
    is the store's own time of writing, where it is known; it is no part of the event.
    """

    chain: str
    seq: int
    kind: str
    at: str
    body: Mapping[str, Any]
    prev: str
    hash: str
    stored: datetime | None = field(default=None, compare=False)

    @property
    def text(self) -> str:
        """The event as it is stored: canonical JSON."""
        return canonical_json(self.as_dict()).decode()

    @property
    def citation(self) -> dict[str, Any]:
        """What another chain writes to point at this event."""
        return {"seq": self.seq, "hash": self.hash}

    def as_dict(self) -> dict[str, Any]:
        """Return the event as JSON."""
        return self._sealed() | {"hash": self.hash}

    def _sealed(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in SEALED}


SEALED = ("chain", "seq", "kind", "at", "body", "prev")


@dataclass(frozen=True)
class Break:
    """A place where a chain does not hold; ``seq`` is where the event stands or should stand."""

    chain: str
    seq: int
    problem: str

    def __str__(self) -> str:
        return f"{self.chain} event {self.seq}: {self.problem}"


def event_name(seq: int) -> str:
    """Return the name under which an event is stored; a store that keeps names unique makes an append atomic."""
    return f"e{seq:06d}"


def genesis(chain: str) -> str:
    """Return what the first event of a chain has for a predecessor."""
    return digest({"chain": chain})


def seal(chain: str, kind: str, body: Mapping[str, Any], after: Event | None) -> Event:
    """Return the event that follows ``after`` (None: the first of the chain).

    Raises:
        ValueError: if the body is not JSON (NaN and infinities are not).
    """
    sealed = {
        "chain": chain,
        "seq": after.seq + 1 if after else 1,
        "kind": kind,
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "body": json.loads(canonical_json(body)),
        "prev": after.hash if after else genesis(chain),
    }
    return Event(**sealed, hash=digest(sealed))


def parse(text: str, stored: datetime | None = None) -> Event:
    """Return the event that a text holds.

    Raises:
        ValueError: if the text is not exactly what was sealed.
    """
    try:
        fields = json.loads(text)
        event = Event(**{name: fields[name] for name in (*SEALED, "hash")}, stored=stored)
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError("it is not an event") from error
    if not isinstance(event.seq, int) or not isinstance(event.body, dict):
        raise ValueError("it is not an event")
    if event.text != text:
        raise ValueError("it is not in canonical form, so something else wrote it")
    if event.hash != digest(event._sealed()):
        raise ValueError("its content does not have its hash, so it was edited")
    return event


def verify(chain: str, records: Iterable[tuple[str, str]]) -> Iterator[Break]:
    """Yield every break of a chain.

    Args:
        chain: the chain's name, which its first event is bound to.
        records: name and text of every stored event in the order of the store, oldest first.
    """
    seq, prev = 0, genesis(chain)
    for name, text in records:
        try:
            event = parse(text)
        except ValueError as error:
            seq, prev = seq + 1, ""
            yield Break(chain, seq, f"{name} is not intact: {error}")
            continue
        yield from (Break(chain, event.seq, problem) for problem in _problems(event, chain, name, seq + 1, prev))
        seq, prev = event.seq, event.hash


def recorded_violations(violations: Sequence[Violation]) -> list[dict[str, str]]:
    """Return violations as an event holds them: of very many, or very long ones, the first and how many more."""
    found = [violation.as_dict() for violation in violations[:MOST_VIOLATIONS]]
    shortened = [{**violation, "message": violation["message"][:MOST_CHARACTERS]} for violation in found]
    sizes = accumulate(len(canonical_json(violation)) for violation in shortened)
    kept = [violation for violation, size in zip(shortened, sizes, strict=True) if size <= MOST_BYTES]
    more = len(violations) - len(kept)
    return [*kept, Violation("and-more", f"{more} more").as_dict()] if more else kept


def _problems(event: Event, chain: str, name: str, expected: int, prev: str) -> Iterator[str]:
    if event.chain != chain:
        yield f"belongs to the chain {event.chain}"
    if name != event_name(event.seq):
        yield f"is stored as {name}"
    if event.seq > expected:
        yield f"{event.seq - expected} event(s) before it are missing"
    elif event.seq < expected:
        yield f"stands where event {expected} should: inserted, doubled or out of order"
    elif prev and event.prev != prev:
        yield "does not follow from the event before it: one of the two was replaced"
