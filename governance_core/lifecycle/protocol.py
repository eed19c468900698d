"""How a stage changes: exactly one writer at a time, and a death at any point leaves a state that can be told apart.

    read the chain's head and the registry's holders: they must agree
    append an intent        the compare-and-set: of all who read one head, one gets on
    fence                   nobody took over, nothing moved, and the lease is not half over
    set the stage           one transaction of ZenML
    append the outcome      with the holders read anew

Whoever finds an intent without an outcome asks whether its writer lives. A live one, slow or stopped, is left alone. A
dead one is taken over: the registry shows the holders from before the change (it is undone), those from after it (it
is finished), or neither (somebody changed stages by hand: `drift`, until `governance ledger repair`).

A writer on another machine is taken for dead when its lease is over by the store's clock. If it lives after all and
was stopped between fence and stage change, the stage still changes: ZenML cannot make that conditional. It then loses
the outcome's compare-and-set, puts the registry back to what the ledger says, and ends with a conflict.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

from governance_core.core import Conflict, Refused, Violation, process_state, this_process
from governance_core.ledger import STAGES, Event, Holders, StageState, is_held_by, moved, state_of
from governance_core.registry import versions
from governance_core.registry.actors import Actor
from governance_core.registry.chains import Chain, stages

Observed = Mapping[str, list[versions.ModelVersion]]
CARRIED = ("action", "version", "to", "before", "after")  # from an intent to the takeover of it


@dataclass(frozen=True)
class Change:
    """One version on its way to a stage.

    ``artifacts`` are its model artifacts with their digests; ``details`` is what else the events record.
    """

    action: Literal["promote", "rollback", "archive"]
    version: versions.ModelVersion
    to: str
    artifacts: list[dict[str, Any]]
    details: Mapping[str, Any] = field(default_factory=dict)


class StageLedger:
    """The stages of one model, and the only way in which the platform changes them.

    Args:
        model: read before anything else, so that the head which it notes is in the chain.
        journal: of the project; every change cites its head.
        actor: in whose name events are written.
        lease_seconds: how long a change is left to a writer on another machine.
    """

    def __init__(self, model: versions.Model, journal: Chain, actor: Actor, lease_seconds: int) -> None:
        self.model = model
        self.journal = journal
        self.actor = actor
        self.lease_seconds = lease_seconds
        self.chain = stages(model.name)

    def settled(self, write: bool = True) -> StageState:
        """Return who holds what, after finishing or undoing what a dead writer began.

        Args:
            write: if false, say what would be so after that and write nothing.

        Raises:
            Conflict: if a living process is changing a stage.
            Refused: if the registry's stages are not those of the ledger, or the ledger lost events.
        """
        while True:  # goes round only where an event was written, by us or by somebody else
            state = self._closed(write)
            observed = versions.stage_holders(self.model)
            if _agree(observed, state.holders) and not state.disputed:
                return state
            if self.chain.head() == state.head:
                raise self._drift(observed, state)

    def change(self, state: StageState, change: Change) -> Event:
        """Move a version to a stage; returns the outcome.

        Args:
            state: what `settled` returned and the decision to change was made on.

        Raises:
            Conflict: if anybody changed a stage since; nothing was changed.
            Refused: if a stage was changed by hand in between.
        """
        replaced = change.to in STAGES and state.holders[change.to] is not None
        began = time.time()
        intent = self.chain.append("intent", self._intent(state, change), after=state.head)
        if self._may_change(intent, began):
            # Deleted, or held by somebody the ledger does not know: the outcome then says so.
            with suppress(KeyError, RuntimeError):
                versions.set_stage(change.version.id, change.to, replace=replaced)
        try:
            outcome = self._close(intent)
        except Conflict as error:
            self.restore("a change that was taken over came late")
            raise Conflict(f"{self.model.name}: this change took too long and was taken over; try again") from error
        if outcome.body["result"] == "drift":
            raise self._drift(versions.stage_holders(self.model), state_of(outcome))
        if outcome.body["result"] == "aborted":
            raise Conflict(f"{self.model.name}: something changed meanwhile, so no stage was changed; try again")
        return outcome

    def restore(self, reason: str) -> Event | None:
        """Put the registry's stages back to what the ledger says; returns the outcome, None where nothing differs.

        A holder that was deleted cannot be put back: its stage is then empty, and the ledger says so.

        Raises:
            Conflict: if a living process is changing a stage.
            Refused: if the ledger lost events.
        """
        state = self._closed(write=True)
        observed = versions.stage_holders(self.model)
        wanted = {
            stage: holder if holder and versions.find_version_by_id(holder["id"]) else None
            for stage, holder in state.holders.items()
        }
        if _agree(observed, wanted) and wanted == state.holders and not state.disputed:
            return None
        body = {"action": "repair", "version": None, "to": None, "before": state.holders, "after": wanted}
        body |= {"observed": _named(observed), "reason": reason} | self._signature()
        intent = self.chain.append("intent", body, after=state.head)
        for stage in reversed(STAGES):
            if (holder := wanted[stage]) and not _agree_on(stage, observed, wanted):
                versions.set_stage(holder["id"], stage, replace=True)
        for stage, found in versions.stage_holders(self.model).items():
            for version in found:
                if not is_held_by(wanted, stage, version.id):
                    versions.set_stage(version.id, "archived", replace=False)
        return self._close(intent)

    def _closed(self, write: bool) -> StageState:
        while True:
            state = state_of(self.chain.head())
            self._require_noted_head(state.head)
            if not state.open:
                return state
            assert state.head is not None
            self._require_dead_writer(state.head, write)
            if not write:
                return foreseen(state.head, versions.stage_holders(self.model))
            body = {name: state.head.body[name] for name in CARRIED}
            body |= {"intent": state.head.body.get("intent", state.head.seq)} | self._signature()
            self._close(self.chain.append("takeover", body, after=state.head))

    def _require_dead_writer(self, tail: Event, write: bool) -> None:
        owner = tail.body["owner"]
        where = process_state(owner)
        if where == "dead" or (where == "elsewhere" and write and self._age(tail) >= tail.body["lease"]):
            return
        what = f"process {owner['pid']} on {owner['host']} is changing a stage of {self.model.name} (event {tail.seq})"
        wait = "wait for it, or end it" if where == "alive" else f"its lease is {tail.body['lease']} s: try again then"
        raise Conflict(f"{what}; nothing was changed, {wait}")

    def _require_noted_head(self, head: Event | None) -> None:
        noted = self.model.noted_head()
        if noted and (head is None or head.seq < noted["seq"] or (head.seq == noted["seq"] and head.citation != noted)):
            raise Refused(f"Changing a stage of {self.model.name}", [lost_events(self.model)])

    def _drift(self, observed: Observed, state: StageState) -> Refused:
        return Refused(f"Changing a stage of {self.model.name}", drift_violations(observed, state))

    def _age(self, tail: Event) -> float:
        """Return the seconds since an event by the store's clock, which only a write of our own tells."""
        asked = self.journal.record("waiting", {"for": tail.citation | {"chain": tail.chain}} | self._signature())
        assert asked.stored
        assert tail.stored
        return (asked.stored - tail.stored).total_seconds()

    def _intent(self, state: StageState, change: Change) -> dict[str, Any]:
        journal_head = self.journal.head()
        return {
            "action": change.action,
            "version": change.version.holder | {"artifacts": change.artifacts},
            "to": change.to,
            "before": state.holders,
            "after": moved(state.holders, change.version.holder, change.to),
            "journal": journal_head and journal_head.citation,
            **change.details,
            **self._signature(),
        }

    def _signature(self) -> dict[str, Any]:
        return {"actor": self.actor.as_dict(), "owner": dict(this_process()), "lease": self.lease_seconds}

    def _may_change(self, intent: Event, began: float) -> bool:
        in_time = time.time() - began < self.lease_seconds / 2
        return (
            in_time
            and self.chain.head() == intent
            and _agree(versions.stage_holders(self.model), intent.body["before"])
        )

    def _close(self, tail: Event) -> Event:
        observed = versions.stage_holders(self.model)
        result = observed_result(tail, observed)
        body = {name: tail.body[name] for name in ("action", "version", "to")} | {
            "intent": tail.body.get("intent", tail.seq),
            "result": result,
            "holders": tail.body["after" if result == "done" else "before"],
            "observed": _named(observed),
            "actor": self.actor.as_dict(),
        }
        outcome = self.chain.append("outcome", body, after=tail)
        versions.note_head(self.model, outcome)
        return outcome


def observed_result(tail: Event, observed: Observed) -> Literal["done", "aborted", "drift"]:
    """Say how a change stands by what the registry has: made, not made, or neither of both."""
    if _agree(observed, tail.body["after"]) and _arrived(tail):
        return "done"
    return "aborted" if _agree(observed, tail.body["before"]) else "drift"


def _arrived(tail: Event) -> bool:
    if tail.body["to"] != "archived":
        return True  # the holders tell
    version = versions.find_version_by_id(tail.body["version"]["id"])
    return version is None or version.stage == "archived"


def foreseen(tail: Event, observed: Observed) -> StageState:
    """Return what will be recorded when a change is finished or undone."""
    result = observed_result(tail, observed)
    return StageState(tail, tail.body["after" if result == "done" else "before"], disputed=result == "drift")


def _agree(observed: Observed, holders: Holders) -> bool:
    return all(_agree_on(stage, observed, holders) for stage in STAGES)


def _agree_on(stage: str, observed: Observed, holders: Holders) -> bool:
    holder = holders[stage]
    return [version.id for version in observed[stage]] == ([holder["id"]] if holder else [])


def _named(observed: Observed) -> dict[str, Any]:
    return {stage: [version.holder for version in found] for stage, found in observed.items()}


def lost_events(model: versions.Model) -> Violation:
    """Say that the head noted in a model's description is not in its stage chain."""
    noted = model.noted_head()
    return Violation(
        "ledger-lost-events",
        f"the description of model {model.name} notes event {noted and noted['seq']} of {model.name}.stages, which is "
        "not there: the chain was cut, replaced or renamed. Find out what happened and bring it back",
    )


def drift_violations(observed: Observed, state: StageState) -> list[Violation]:
    """Return what the registry's stages have against the ledger's, in words."""
    repair = "somebody changed it by hand; `governance ledger repair` restores what the ledger says"
    differences = [
        Violation("drift", f"{stage}: {_difference(stage, observed, state.holders)}; {repair}")
        for stage in STAGES
        if not _agree_on(stage, observed, state.holders)
    ]
    if state.disputed and not differences:
        return [Violation("drift", f"an earlier change met stages that it cannot explain; {repair}")]
    return differences


def _difference(stage: str, observed: Observed, holders: Holders) -> str:
    holder = holders[stage]
    expected = f"version {holder['number']} ({holder['id']})" if holder else "no version"
    found = ", ".join(f"version {version.number} ({version.id})" for version in observed[stage]) or "no version"
    return f"the ledger says {expected}, the registry has {found}"
