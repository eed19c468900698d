"""What is known in numbers of the versions in a model's stages."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import chain as chained

from governance_core.ledger import Event, is_arrival, state_of
from governance_core.lifecycle.catalogue import recorded_metrics
from governance_core.monitoring import Sample
from governance_core.monitoring.catalogue import model_samples
from governance_core.registry.chains import Chain, journal, stages


def stage_samples(project_slug: str, model: str, stage: str) -> Iterator[Sample]:
    """Yield what is known of the version in a stage: its metrics at training, and in production since when it serves.

    Raises:
        GovernanceError: if an event that says so is not intact.
    """
    chain = stages(model)
    holder = state_of(chain.head()).holders[stage]
    arrivals = (event for event in chain.newest() if holder and is_arrival(event, stage, holder["id"]))
    last = next(arrivals, None)
    if last is None:
        return
    if stage == "production":
        since = datetime.fromisoformat(last.at).timestamp()
        version = {"model": model, "stage": stage}
        yield Sample("model_production_since_timestamp_seconds", since, version)
        yield Sample("model_production_age_seconds", time.time() - since, version)
    if evidence := _evidence(chained([last], arrivals), chain, journal(project_slug)):
        yield from model_samples(recorded_metrics(evidence.body), model, stage)


def _evidence(arrivals: Iterable[Event], chain: Chain, journal: Chain) -> Event | None:
    """Return the evidence that a promotion cited; a rollback cites none."""
    for arrival in arrivals:
        intent = chain.event(arrival.body["intent"])
        if intent and (cited := intent.body.get("evidence")):
            return journal.event(cited["seq"])
    return None
