"""What a model's stage chain says: who holds each stage, and which versions were in production.

Three kinds of event: an *intent* before a stage changes, an *outcome* after it, and a *takeover* by whoever finishes
what a dead writer began. Each carries the holders in full, so the last event alone says who holds what.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypedDict

from governance_core.core import GovernanceError
from governance_core.ledger.events import Event

STAGES = ("staging", "production")  # those with one holder at most; `archived` holds many
KINDS = ("intent", "takeover", "outcome")


class Holder(TypedDict):
    """A model version as people and machines name it: ZenML reuses numbers, so only the id is compared."""

    id: str
    number: int


Holders = Mapping[str, Holder | None]

NOBODY: Holders = dict.fromkeys(STAGES)


@dataclass(frozen=True)
class StageState:
    """What the last event says.

    ``holders`` are those before the change while it is ``open`` (an intent or takeover without an outcome), and
    ``disputed`` means that a change ended with a registry that neither its beginning nor its end explains.
    """

    head: Event | None
    holders: Holders
    open: bool = False
    disputed: bool = False


def state_of(head: Event | None) -> StageState:
    """Return what a stage chain says, from its last event alone.

    Raises:
        GovernanceError: if that event is none of a stage chain.
    """
    if head is None:
        return StageState(None, NOBODY)
    if head.kind == "outcome":
        return StageState(head, head.body["holders"], disputed=head.body["result"] == "drift")
    if head.kind not in KINDS:
        raise GovernanceError(f"{head.chain}: event {head.seq} is a {head.kind}, and none of a stage chain")
    return StageState(head, head.body["before"], open=True)


def holds(holders: Holders, version_id: str) -> str | None:
    """Return the stage that a version holds."""
    return next((stage for stage in STAGES if is_held_by(holders, stage, version_id)), None)


def is_held_by(holders: Holders, stage: str, version_id: str) -> bool:
    """Say whether a version holds a stage."""
    holder = holders[stage]
    return holder is not None and holder["id"] == version_id


def moved(holders: Holders, version: Holder, to: str) -> Holders:
    """Return the holders after a version went to a stage: it leaves the one it had, and replaces who is there."""
    left = {stage: None if is_held_by(holders, stage, version["id"]) else holders[stage] for stage in STAGES}
    return left | {to: Holder(id=version["id"], number=version["number"])} if to in STAGES else left


def is_arrival(event: Event, stage: str, version_id: str) -> bool:
    """Say whether an event is the outcome that a version came to a stage."""
    if event.kind != "outcome" or (event.body["result"], event.body["to"]) != ("done", stage):
        return False
    return bool(event.body["version"]["id"] == version_id)


@dataclass(frozen=True)
class Served:
    """A version that was in production: what was recorded when it got there, and whether a rollback left it since."""

    version: Mapping[str, Any]
    rolled_back_from: bool


def production_history(events: Iterable[Event]) -> list[Served]:
    """Return the versions that were in production, the latest to get there last, each once.

    Args:
        events: a whole stage chain, oldest first.
    """
    served: dict[str, Served] = {}
    current: Holder | None = None
    for event in events:
        if event.kind != "outcome":
            continue
        body = event.body
        if body["result"] == "done" and body["to"] == "production":
            if body["action"] == "rollback":
                if current:
                    served[current["id"]] = replace(served[current["id"]], rolled_back_from=True)
            else:
                served.pop(body["version"]["id"], None)  # promoted again: now the latest to get there
            served[body["version"]["id"]] = Served(body["version"], rolled_back_from=False)
        current = body["holders"]["production"]
    return list(served.values())
