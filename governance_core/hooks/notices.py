"""One notice about one run, sent to the stack's alerter in a time that nobody minds."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from zenml.alerter import BaseAlerter
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import ComponentResponse, PipelineRunResponse, StackResponse
from zenml.stack import StackComponent
from zenml.utils.dashboard_utils import get_run_url

from governance_core.core import event_loop, one_line, within
from governance_core.registry.runs import pipeline_name

logger = logging.getLogger(__name__)

FIRST_WAIT = 5.0  # seconds for a notice
LATER_WAIT = 0.5  # seconds for a notice after one failed
LONGEST = 1_500  # characters of a message: Discord takes 2,000


@dataclass(frozen=True)
class Notice:
    """One message about one run; ``status`` is ZenML's, or ``lost`` for a run that nobody will end.

    ``version`` is the model version that the run works on, as people name it; ``link`` is where the run can be seen,
    or the command that shows it; ``alarm`` is true where it completed and somebody should look all the same.
    """

    run_id: str
    run: str
    pipeline: str
    status: str
    text: str
    version: str | None = None
    link: str = ""
    alarm: bool = False

    def __str__(self) -> str:
        what = f"Pipeline {self.pipeline}, run {self.run}: {self.text}"
        more = f", {self.version}" if self.version else ""
        where = f"\n{self.link}" if self.link and not self.good else ""
        room = LONGEST - len(more) - len(where)
        return (what if len(what) <= room else f"{what[: room - 3]}...") + more + where

    @classmethod
    def of(cls, run: PipelineRunResponse, status: str, text: str, alarm: bool = False) -> Notice:
        """Return a notice about a run of ZenML's."""
        version = run.model_version
        return cls(
            run_id=str(run.id),
            run=run.name,
            pipeline=pipeline_name(run),
            status=status,
            text=text,
            version=f"version {version.number} of {version.model.name}" if version else None,
            link=get_run_url(run) or f"see it with: zenml pipeline runs list --id={run.id}",
            alarm=alarm,
        )

    @property
    def good(self) -> bool:
        """Tell whether nobody needs to look."""
        return self.status in ("completed", "cached") and not self.alarm

    def as_dict(self) -> dict[str, Any]:
        """Return the notice as JSON holds it."""
        return asdict(self)


class Alerts:
    """What is sent one after another to alerters, which keep nobody waiting twice."""

    def __init__(self) -> None:
        self._failed = False

    def send(self, notice: Notice, stack: StackResponse | None = None) -> str | None:
        """Post a notice, or log it where there is no alerter or it does not take the notice in time.

        Args:
            notice: what is told.
            stack: whose alerter is asked, before that of the active stack: a sweep may run on another than the run did.

        Returns:
            Why the alerter failed; None where it took the notice or there is none.
        """
        failure = None
        try:
            if alerters := _alerters(stack) or _alerters(Client().active_stack_model):
                within(LATER_WAIT if self._failed else FIRST_WAIT, lambda: _post(alerters[0], str(notice)))
                return None
        except (Exception, SystemExit) as error:
            failure = one_line(error)
            self._failed = True
            logger.error("The alerter failed on this notice: %s", failure)
        logger.log(logging.INFO if notice.good else logging.ERROR, "%s", notice)
        return failure


def _alerters(stack: StackResponse | None) -> list[ComponentResponse]:
    return stack.components.get(StackComponentType.ALERTER, []) if stack else []


def _post(component: ComponentResponse, message: str) -> None:
    """Load the alerter, and nothing else of the stack, and post."""
    loop = event_loop()
    asyncio.set_event_loop(loop)  # Discord's client takes that of its thread, and only the main thread has one
    try:
        alerter = StackComponent.from_model(component)
        assert isinstance(alerter, BaseAlerter)
        with _heard() as errors:
            taken = alerter.post(message)
        if not taken:
            raise ConnectionError(errors[-1] if errors else f"the alerter {component.name} did not take it")
    finally:
        loop.close()


@contextmanager
def _heard() -> Iterator[list[str]]:
    """Collect what this thread logs as an error: an alerter that returns False says there why."""
    errors: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if record.thread == thread:
                errors.append(record.getMessage())

    thread, ear, root = threading.get_ident(), Ear(logging.ERROR), logging.getLogger()
    root.addHandler(ear)
    try:
        yield errors
    finally:
        root.removeHandler(ear)
