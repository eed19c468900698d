"""An alerter that keeps what it was asked to post."""

from __future__ import annotations

from typing import ClassVar

from zenml.alerter import BaseAlerter, BaseAlerterConfig, BaseAlerterFlavor
from zenml.alerter.base_alerter import BaseAlerterStepParameters


class KeepingAlerter(BaseAlerter):
    """Posts into ``posted``; refuses or raises where ``answer`` says so."""

    posted: ClassVar[list[str]] = []
    answer: ClassVar[bool | Exception] = True

    def post(self, message: str, params: BaseAlerterStepParameters | None = None) -> bool:
        """Keep the message."""
        del params
        if isinstance(self.answer, Exception):
            raise self.answer
        if self.answer:
            self.posted.append(message)
        return self.answer


class KeepingAlerterFlavor(BaseAlerterFlavor):
    """Makes the alerter known to ZenML."""

    name = "keeping"
    config_class = BaseAlerterConfig
    implementation_class = KeepingAlerter
