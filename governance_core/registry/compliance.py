"""Events that report on a run: writing one must never get in the way of what it reports."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from types import MappingProxyType
from typing import Any

from zenml.client import Client
from zenml.models import PipelineRunResponse
from zenml.steps.step_context import get_step_context

from governance_core.core import Refused
from governance_core.ledger import recorded_violations
from governance_core.registry.chains import journal

logger = logging.getLogger(__name__)


@contextmanager
def recording_refusal(governance: Mapping[str, Any] | None) -> Iterator[None]:
    """In a step of a governed run: write what it refuses into the journal before the refusal ends the step.

    Args:
        governance: the step's parameter of this name; None in a plain pipeline, where nothing is written.
    """
    try:
        yield
    except Refused as refused:
        if governance is not None:
            with _logged(refused):
                context = get_step_context()
                details = {"environment": governance["environment"], "actor": governance["actor"]}
                note_violation(governance["project"], refused, context.pipeline_run, context.step_run.name, details)
        raise


def note_violation(
    project_slug: str,
    refused: Refused,
    run: PipelineRunResponse,
    step: str | None,
    details: Mapping[str, Any] = MappingProxyType({}),
) -> None:
    """Write a step's refusal into the journal, with every broken rule that fits; where that fails, into the log."""
    with _logged(refused):
        version = Client().get_pipeline_run(run.id).model_version  # made after the step began, it may be
        body = {
            "run": str(run.id),
            "run_name": run.name,
            "step": step,
            "version": version and {"id": str(version.id), "number": version.number, "model": version.model.name},
            "what": refused.what,
            "violations": recorded_violations(refused.violations),
        }
        journal(project_slug).record("violation", {**body, **details})


def note_failed_alert(project_slug: str, run_id: str, run: str, reason: str) -> None:
    """Write into the journal that a notice about a run could not be sent; where that fails too, into the log."""
    with _logged(reason):
        journal(project_slug).record("alert-failed", {"run": run_id, "run_name": run, "reason": reason})


@contextmanager
def _logged(what: object) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        logger.error("The journal does not hold what follows, because of %s: %s\n%s", type(error).__name__, error, what)
