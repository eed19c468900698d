"""Exactly one notice for each governed run, and its metrics, from its stored final status.

A hook sees a run before it has ended and is not called when the process is killed, so notices are sent afterwards: by
whoever waited for the run, or else by the next sweep. A run carries a tag until its notice is sent, which keeps the
search for due runs short among thousands; a claim decides between two that settle at once. Who dies between sending and
removing the tag leaves a second notice to the next one: better twice than never.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from itertools import product
from typing import Any
from uuid import UUID

from zenml.client import Client
from zenml.enums import ExecutionStatus, StackComponentType
from zenml.models import PipelineRunResponse, PipelineRunUpdate, StepRunResponse
from zenml.utils.pagination_utils import depaginate
from zenml.utils.time_utils import utc_now

from governance_core.core import process_state
from governance_core.hooks.measuring import run_samples
from governance_core.hooks.notices import Alerts, Notice
from governance_core.ledger import STAGES
from governance_core.lifecycle.metrics import stage_samples
from governance_core.monitoring import Exporter
from governance_core.monitoring.catalogue import run_group, stage_group
from governance_core.registry.claims import Claims
from governance_core.registry.compliance import note_failed_alert
from governance_core.registry.runs import RunRecord, due_tag, lost_tag, pipeline_name, read_run, submission_of
from governance_core.registry.sources import GATES

logger = logging.getLogger(__name__)

FINISHED = json.dumps([status.value for status in ExecutionStatus if status.is_finished])


def settle(project_slug: str, model: str | None = None) -> list[Notice]:
    """Send what is due for the project's governed runs and return what this call sent.

    A run that ended gets one notice. A run that nobody will end any more (see `is_lost`) gets one that says so, and a
    correction should it end after all. An alerter that fails keeps this call waiting for 5 s, and for 0.5 s with each
    further notice; the journal says which notices did not get through. What the runs measured is exported where the
    variables of `governance_core.monitoring` say so, and what is known of the versions in the stages of their models.

    Args:
        project_slug: of the project whose runs are settled.
        model: whose stages are exported though no run is due: it may have been promoted or rolled back since.
    """
    settler = _Settler(project_slug, model)
    sent = list(settler.notices())
    settler.export_stages()
    return sent


class _Settler:
    def __init__(self, project_slug: str, model: str | None) -> None:
        self._slug = project_slug
        self._alerts = Alerts()
        self._exporter = Exporter()
        self._models = {model} if model and self._exporter else set[str]()  # and those that settled runs worked on
        self._due, self._lost = due_tag(project_slug), lost_tag(project_slug)
        self._claims = Claims(f"{project_slug}.notices")

    def notices(self) -> Iterator[Notice]:
        for run in _tagged(self._lost, status=f"oneof:{FINISHED}"):
            text = f"was reported as lost and has ended after all: {outcome(run)}"
            yield from self._notify(run, f"{run.id}.correction", run.status.value, text, self._lost)
        for run in _tagged(self._due):
            if not run.status.is_finished and is_lost(run):
                run = Client().get_pipeline_run(run.id)  # noqa: PLW2901 - it may have ended just before its process did
                if not run.status.is_finished:
                    yield from self._notify(run, str(run.id), "lost", "lost: nobody is running it any more", self._due)
            if run.status.is_finished:
                yield from self._notify(run, str(run.id), run.status.value, outcome(run), self._due)

    def _notify(self, run: PipelineRunResponse, key: str, status: str, text: str, tag: str) -> Iterator[Notice]:
        if not self._claims.take(key, lambda: tag in _tags(run.id)):
            return
        found = [*alarms(read_run(run.id))] if run.status.is_successful else []
        notice = Notice.of(run, status, "; ".join([text, *found]), alarm=bool(found))
        if failure := self._alerts.send(notice, run.stack):
            note_failed_alert(self._slug, notice.run_id, notice.run, failure)
        added = [self._lost] if status == "lost" else []
        Client().zen_store.update_run(run.id, PipelineRunUpdate(add_tags=added, remove_tags=[tag]))
        self._export_run(run, status)
        yield notice

    def _export_run(self, run: PipelineRunResponse, status: str) -> None:
        if not self._exporter:
            return
        if run.model_version:
            self._models.add(run.model_version.model.name)
        with _only_logged(f"the metrics of run {run.name}"):
            environment = (submission_of(run) or {"environment": "unknown"})["environment"]
            group = run_group(self._slug, pipeline_name(run), environment)
            self._exporter.export(group, run_samples(run, status))

    def export_stages(self) -> None:
        """Export what is known of the versions in the stages of each model."""
        for model, stage in product(sorted(self._models), STAGES):
            with _only_logged(f"the metrics of {model} in {stage}"):
                self._exporter.export(stage_group(self._slug, model, stage), stage_samples(self._slug, model, stage))


@contextmanager
def _only_logged(what: str) -> Iterator[None]:
    """Keep what cannot be measured from ending the sweep."""
    try:
        yield
    except Exception as error:
        logger.error("Nobody can tell %s: %s: %s", what, type(error).__name__, error)


def _tagged(tag: str, **filters: Any) -> list[PipelineRunResponse]:
    # The oldest first: what the newest run of a pipeline measured is exported last, and stands.
    found = Client().list_pipeline_runs
    return depaginate(found, tags=[f"equals:{tag}"], sort_by="asc:created", hydrate=True, **filters)


def _tags(run_id: UUID) -> set[str]:
    return {tag.name for tag in Client().get_pipeline_run(run_id).tags}


def outcome(run: PipelineRunResponse) -> str:
    """Say how a run ended, with every step that failed and why."""
    if run.status.is_successful:
        return "completed"
    failed = Client().list_run_steps(pipeline_run_id=run.id, status="failed", sort_by="asc:created", hydrate=True)
    return "; ".join([run.status.value, *map(_reason, failed)])


def alarms(run: RunRecord) -> Iterator[str]:
    """Yield what gates found that let the run go on, as the policy says they do."""
    for step in run.steps.values():
        if step.role in GATES:
            checks = (step.verdict or {}).get("checks", ())
            yield from (f"step {step.name}: {check['message']}" for check in checks if not check["passed"])


def _reason(step: StepRunResponse) -> str:
    # ZenML keeps no exception of a step whose outputs could not be stored.
    return f"step {step.name}" + (f": {step.exception_info.message}" if step.exception_info else "")


def is_lost(run: PipelineRunResponse) -> bool:
    """Tell whether nobody will end the run: its process is dead, or it has been silent too long to be seen alive."""
    submission = submission_of(run)
    if submission is None:
        return False
    # On any other orchestrator the submitter may well leave before the run ends.
    if _orchestrator(run) == "local" and (state := process_state(submission["process"])) != "elsewhere":
        return state == "dead"
    return utc_now() - _last_sign(run) > timedelta(minutes=submission["policy"]["lost_after_minutes"])


def _orchestrator(run: PipelineRunResponse) -> str | None:
    return run.stack.components[StackComponentType.ORCHESTRATOR][0].flavor_name if run.stack else None


def _last_sign(run: PipelineRunResponse) -> datetime:
    steps = depaginate(Client().list_run_steps, pipeline_run_id=run.id)
    return max([run.updated, *(step.latest_heartbeat or step.updated for step in steps)])
