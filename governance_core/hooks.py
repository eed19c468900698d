"""Hooks that inform: they send one notice about a run to the stack's alerter, or to the log where there is none.

A hook stops nothing (ZenML swallows what it raises) and sees a run before it has ended, so on a plain pipeline it is
best effort. In a governed pipeline these hooks say nothing: `governance runs settle` sends its notices from the stored
final status.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

from zenml.client import Client
from zenml.execution.pipeline.dynamic.run_context import DynamicPipelineRunContext
from zenml.models import PipelineRunResponse
from zenml.steps.step_context import StepContext
from zenml.utils.time_utils import utc_now

from governance_core.core import GovernanceError, Refused
from governance_core.registry.runs import GOVERNED
from governance_core.registry.sources import platform_code

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Notice:
    """One message about one run; ``status`` is ZenML's, or ``lost`` for a run that nobody will end."""

    run_id: str
    run: str
    pipeline: str
    status: str
    text: str

    def __str__(self) -> str:
        return f"Pipeline {self.pipeline}, run {self.run}: {self.text}"

    @classmethod
    def of(cls, run: PipelineRunResponse, status: str, text: str) -> Notice:
        """Return a notice about a run of ZenML's."""
        pipeline = run.pipeline.name if run.pipeline else "unnamed"
        return cls(run_id=str(run.id), run=run.name, pipeline=pipeline, status=status, text=text)

    @property
    def good(self) -> bool:
        """Tell whether nobody needs to look."""
        return self.status in ("completed", "cached")

    def as_dict(self) -> dict[str, Any]:
        """Return the notice as JSON holds it."""
        return asdict(self)


def send(notice: Notice) -> None:
    """Post the notice through the active stack's alerter, or log it where there is none or it cannot post."""
    if alerter := Client().active_stack.alerter:
        try:
            if alerter.post(str(notice)):
                return
            logger.error("The alerter %s did not take this notice:", alerter.name)
        except Exception as error:
            logger.error("The alerter %s failed (%s) on this notice:", alerter.name, error)
    logger.log(logging.INFO if notice.good else logging.ERROR, "%s", notice)


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
    """Say that the last step finished, and how many seconds after the run was created."""
    _notify_success(lambda run: f"{(utc_now(run.created) - run.created).total_seconds():.0f} s")


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
    """Say which rules a refused step broke; any other failure is nothing of compliance."""
    if isinstance(exception, Refused):
        _notify_failure("broken rules: " + "; ".join(map(str, exception.violations)))


def _notify_success(detail: Callable[[PipelineRunResponse], str] | None = None) -> None:
    run, step = _place()
    if _is_settled(run) or not (step is None or _is_only_last(step, run)):
        return
    text = "last step finished" if step else "run finished"
    send(Notice.of(run, "completed", f"{text} ({detail(run)})" if detail else text))


def _notify_failure(reason: str) -> None:
    run, step = _place()
    if not _is_settled(run):
        send(Notice.of(run, "failed", f"step {step} failed: {reason}" if step else f"run failed: {reason}"))


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
