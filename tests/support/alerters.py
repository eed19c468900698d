"""An alerter that keeps what it was asked to post, and stacks with alerters."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import pytest
import slack_sdk
from zenml.alerter import BaseAlerter, BaseAlerterConfig, BaseAlerterFlavor
from zenml.alerter.base_alerter import BaseAlerterStepParameters
from zenml.client import Client
from zenml.enums import StackComponentType


class KeepingAlerter(BaseAlerter):
    """Posts into ``posted``; ``answer`` may refuse, raise or take its time instead."""

    posted: ClassVar[list[str]] = []
    answer: ClassVar[Callable[[], bool]] = staticmethod(lambda: True)

    def post(self, message: str, params: BaseAlerterStepParameters | None = None) -> bool:
        """Keep the message."""
        del params
        if taken := type(self).answer():
            self.posted.append(message)
        else:
            logging.getLogger("keeping").error("not_in_channel")
        return taken


class KeepingAlerterFlavor(BaseAlerterFlavor):
    """Makes the alerter known to ZenML."""

    name = "keeping"
    config_class = BaseAlerterConfig
    implementation_class = KeepingAlerter


@contextmanager
def stack_with_alerter(name: str, flavor: str, **configuration: Any) -> Iterator[None]:
    """Activate a stack like the active one with an alerter, which is made the first time, until the block ends."""
    client = Client()
    before = client.active_stack_model
    if not client.list_stacks(name=name):
        client.create_stack_component(name, flavor, StackComponentType.ALERTER, configuration)
        parts = {str(kind): found[0].id for kind, found in before.components.items()}
        client.create_stack(name, {**parts, "alerter": name})
    client.activate_stack(name)
    try:
        yield
    finally:
        client.activate_stack(before.id)


def talk_to(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Slack's SDK talk to the server at a URL."""
    from zenml.integrations.slack.alerters import slack_alerter

    client = partial(slack_sdk.WebClient, base_url=f"{url}/api/")
    monkeypatch.setattr(slack_alerter, "WebClient", client)
    monkeypatch.setattr(slack_sdk, "WebClient", client)
