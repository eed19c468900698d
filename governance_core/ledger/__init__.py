"""What happened: hash-chained events, their verification, and what a stage chain says. Knows nothing of ZenML.

A chain proves every event before its last one: each carries the hash of its predecessor. That the *last* event is
genuine, that nothing was cut off the end, and that nobody wrote the whole chain anew cannot be seen from the chain
alone; that takes a copy of a head, signed and kept elsewhere.
"""

from governance_core.ledger.events import Break, Event, event_name, parse, seal, verify

__all__ = ["Break", "Event", "event_name", "parse", "seal", "verify"]
