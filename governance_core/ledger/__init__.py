"""What happened: hash-chained events, their verification, and what a stage chain says. Knows nothing of ZenML.

A chain proves every event before its last one: each carries the hash of its predecessor. That the *last* event is
genuine, that nothing was cut off the end, and that nobody wrote the whole chain anew cannot be seen from the chain
alone; that takes a copy of a head, signed and kept elsewhere.
"""

from governance_core.ledger.events import Break, Event, event_name, parse, recorded_violations, seal, verify
from governance_core.ledger.stages import (
    KINDS,
    STAGES,
    Holder,
    Holders,
    Served,
    StageState,
    holds,
    is_arrival,
    is_held_by,
    moved,
    production_history,
    state_of,
)

__all__ = [
    "KINDS",
    "STAGES",
    "Break",
    "Event",
    "Holder",
    "Holders",
    "Served",
    "StageState",
    "event_name",
    "holds",
    "is_arrival",
    "is_held_by",
    "moved",
    "parse",
    "production_history",
    "recorded_violations",
    "seal",
    "state_of",
    "verify",
]
