"""The hooks: what they say, when they are silent, and what they leave in a project's journal."""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import UUID

from zenml.client import Client
from zenml.execution.pipeline.dynamic.run_context import DynamicPipelineRunContext
from zenml.models import PipelineRunResponse
from zenml.steps.step_context import StepContext
from zenml.utils import source_utils
from zenml.utils.time_utils import utc_now

from governance_core.core import GovernanceError, Refused, UsageError
from governance_core.hooks.measuring import run_samples
from governance_core.hooks.notices import Alerts, Notice
from governance_core.monitoring import Exporter
from governance_core.monitoring.catalogue import run_group
from governance_core.project import find_root, load_project
from governance_core.registry.actors import current_actor
from governance_core.registry.compliance import note_violation
from governance_core.registry.runs import GOVERNED, pipeline_name
from governance_core.registry.sources import platform_code

logger = logging.getLogger(__name__)


@platform_code
def alerter_success_hook() -> None:
    """Say that the last step finished."""
    _notify_success()


@platform_code
def pipeline_success_hook() -> None:
    """Say that the last step finished, and how many steps the run has."""
    _notify_success(lambda run: f"{len(run.steps)} steps")


@platform_code
def monitoring_success_hook() -> None:
    """Say that the last step finished, and how many seconds after the run was created; export the run's metrics."""
    if run := _notify_success(lambda run: f"{(utc_now(run.created) - run.created).total_seconds():.0f} s"):
        _export(run)


@platform_code
def alerter_failure_hook(exception: BaseException) -> None:
    """Say which step failed, with the first line of its error."""
    _notify_failure(f"{type(exception).__name__}: {str(exception).partition(chr(10))[0]}")


@platform_code
def pipeline_failure_hook(exception: BaseException) -> None:
    """Say which step failed, with the whole message of its error."""
    _notify_failure(f"{type(exception).__name__}: {exception}")


@platform_code
def compliance_failure_hook(exception: BaseException) -> None:
    """Say which rules a refused step broke, also in the project's journal; other failures are not its own."""
    if isinstance(exception, Refused):
        _notify_failure("broken rules: " + "; ".join(map(str, exception.violations)))
        _note_violation(exception)


def _notify_success(detail: Callable[[PipelineRunResponse], str] | None = None) -> PipelineRunResponse | None:
    """Send the notice and return the run; None where this is not the one place to send it from."""
    run, step = _place()
    if _is_settled(run) or not (step is None or _is_only_last(step, run)):
        return None
    text = "last step finished" if step else "run finished"
    _alerts(run.id).send(Notice.of(run, "completed", f"{text} ({detail(run)})" if detail else text))
    return run


def _export(run: PipelineRunResponse) -> None:
    if exporter := Exporter():
        group = run_group(Client().active_project.name, pipeline_name(run), "none")
        exporter.export(group, run_samples(run, "completed"))


def _notify_failure(reason: str) -> None:
    run, step = _place()
    if not _is_settled(run):
        text = f"step {step} failed: {reason}" if step else f"run failed: {reason}"
        _alerts(run.id).send(Notice.of(run, "failed", text))


@lru_cache(maxsize=8)
def _alerts(run_id: UUID) -> Alerts:
    """Return what remembers, for the hooks of one run in this process, whether the alerter failed."""
    del run_id
    return Alerts()


def _note_violation(refused: Refused) -> None:
    run, step = _place()
    if _is_settled(run):
        return  # the gate has written it
    try:
        root = _root()
    except UsageError:
        return  # no project, no journal
    note_violation(load_project(root).project_slug, refused, run, step, {"actor": _actor(root)})


def _actor(root: Path) -> dict[str, Any] | None:
    try:
        return current_actor(root).as_dict()
    except UsageError:
        return None  # a violation without a name is still one


def _root() -> Path:
    """Return the project around ZenML's source root, else around the working directory."""
    try:
        return find_root(Path(source_utils.get_source_root()))
    except (UsageError, RuntimeError):
        return find_root()


def _place() -> tuple[PipelineRunResponse, str | None]:
    """Return the run, and the step where a step calls the hook; a dynamic pipeline calls it once, at its end."""
    if context := StepContext.get():
        return context.pipeline_run, context.step_run.name
    if dynamic := DynamicPipelineRunContext.get():
        return Client().get_pipeline_run(dynamic.run.id), None
    raise GovernanceError("this hook was called outside a ZenML run")


def _is_settled(run: PipelineRunResponse) -> bool:
    return any(str(tag) == GOVERNED for tag in run.config.tags or [])


def _is_only_last(step: str, run: PipelineRunResponse) -> bool:
    steps = run.snapshot.step_configurations if run.snapshot else {}
    upstream = {name for configured in steps.values() for name in configured.spec.upstream_steps}
    last = sorted(steps.keys() - upstream)
    if len(last) > 1 and step == last[0]:
        logger.warning("No notice is sent: the run has %d last steps (%s)", len(last), ", ".join(last))
    return last == [step]
