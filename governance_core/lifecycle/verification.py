"""Does the ledger hold: both chains, what they cite of each other, and the registry's stages against the last event.

What a chain alone cannot show is its last event replaced, its end cut off, or all of it written anew. The head noted in
the model's description notices the careless; only a head that was signed and kept elsewhere proves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance_core.core import Violation, process_state
from governance_core.ledger import KINDS, STAGES, Event, Holders, parse, state_of, verify
from governance_core.lifecycle.case import Case
from governance_core.lifecycle.protocol import Observed, drift_violations, foreseen, lost_events, observed_result
from governance_core.registry import versions
from governance_core.registry.chains import Chain, stages


@dataclass(frozen=True)
class Verification:
    """What was found of one model's ledger.

    ``unfinished`` explains a change that somebody began and did not finish, which is no violation: the next command
    finishes or undoes it. ``holders`` are those that the ledger names. ``heads`` are the last events of both chains, by
    the chain's name: kept elsewhere, they show later whether an end was cut off or a chain written anew.
    """

    model: str
    stage_events: int
    journal_events: int
    heads: Mapping[str, Mapping[str, Any] | None]
    holders: Holders
    violations: tuple[Violation, ...]
    unfinished: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the findings as JSON."""
        return vars(self) | {
            "holders": dict(self.holders),
            "violations": [found.as_dict() for found in self.violations],
            "holds": not self.violations,
        }

    def __str__(self) -> str:
        """Say it for people."""
        held = ((stage, self.holders[stage]) for stage in STAGES)
        named = [f"{stage}: version {holder['number']}" if holder else f"{stage}: nobody" for stage, holder in held]
        verdict = "does not hold" if self.violations else "holds"
        counts = f"{self.stage_events} stage events, {self.journal_events} in the journal"
        lines = [f"The ledger of {self.model} {verdict} ({counts}). {', '.join(named)}"]
        lines += [f"  - {found}" for found in self.violations]
        lines += [f"  unfinished: {self.unfinished}"] if self.unfinished else []
        return "\n".join(lines)


def verify_ledger(root: Path, model: str | None = None) -> Verification:
    """Check the ledger of a model and the project's journal; writes nothing.

    Raises:
        UsageError: if project or model does not exist.
    """
    case = Case.open(root, model)
    stage_chain, journal = _ReadChain(stages(case.model.name)), _ReadChain(case.journal)
    violations = [*stage_chain.violations, *journal.violations, *_missing_citations(stage_chain, journal)]
    violations += [
        Violation("chain-broken", f"{event.chain} event {event.seq}: is a {event.kind}, and none of a stage chain")
        for event in stage_chain.events.values()
        if event.kind not in KINDS
    ]
    noted = case.model.noted_head()
    if noted and not stage_chain.holds_event(noted):
        violations.append(lost_events(case.model))
    observed = versions.stage_holders(case.model)
    if not stage_chain.violations and stage_chain.has_grown():  # the stages read may be those after the new event
        return verify_ledger(root, model)
    state, unfinished = state_of(stage_chain.last_of(KINDS)), None
    if state.open and state.head:
        unfinished = _explained(state.head, observed)
        state = foreseen(state.head, observed)
    violations += drift_violations(observed, state)
    return Verification(
        model=case.model.name,
        stage_events=len(stage_chain.events),
        journal_events=len(journal.events),
        heads={read.chain.name: read.head for read in (stage_chain, journal)},
        holders=state.holders,
        violations=tuple(violations),
        unfinished=unfinished,
    )


def chain_violations(chain: Chain, records: Iterable[tuple[str, str]]) -> list[Violation]:
    """Return every place where a chain that was read, oldest record first, does not hold."""
    return [Violation("chain-broken", str(found)) for found in verify(chain.name, records)]


class _ReadChain:
    def __init__(self, chain: Chain) -> None:
        self.chain = chain
        records = list(chain.records())
        self.violations = chain_violations(chain, records)
        self.events: dict[int, Event] = {}
        for _, text in records:
            with suppress(ValueError):  # reported by verify
                event = parse(text)
                self.events[event.seq] = event

    @property
    def head(self) -> dict[str, Any] | None:
        return self.events[max(self.events)].citation if self.events else None

    def holds_event(self, citation: Mapping[str, Any]) -> bool:
        event = self.events.get(citation["seq"])
        return event is not None and event.hash == citation["hash"]

    def last_of(self, kinds: Sequence[str]) -> Event | None:
        found = [seq for seq, event in self.events.items() if event.kind in kinds]
        return self.events[max(found)] if found else None

    def has_grown(self) -> bool:
        head = self.chain.head()
        return (head.seq if head else 0) != len(self.events)


def _missing_citations(stage_chain: _ReadChain, journal: _ReadChain) -> Iterator[Violation]:
    for event in stage_chain.events.values():
        cited = event.body.get("journal")
        if cited and not journal.holds_event(cited):
            message = (
                f"{event.chain} event {event.seq} cites event {cited['seq']} of {journal.chain.name}, "
                "which was replaced or cut off"
            )
            yield Violation("journal-lost-events", message)


def _explained(tail: Event, observed: Observed) -> str:
    body, owner = tail.body, tail.body["owner"]
    what = f"{body['action']} of version {body['version']['number']} to {body['to']}" if body["version"] else "repair"
    lives = {"alive": "is at it", "dead": "died", "elsewhere": "may live"}[process_state(owner)]
    result = {"done": "finishes", "aborted": "undoes", "drift": "cannot explain"}[observed_result(tail, observed)]
    who = f"process {owner['pid']} on {owner['host']}, which {lives}"
    return f"event {tail.seq} began {what} by {who}; the next command {result} it"
