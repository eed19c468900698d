"""ZenML's own alerters: Slack's SDK against a server that speaks its protocol, and Discord's client in our thread."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

import discord
import pytest
from support.alerters import stack_with_alerter, talk_to
from support.servers import Answering, free_port
from zenml.enums import StackComponentType

from governance_core.hooks import notices
from governance_core.hooks.notices import Alerts, Notice

pytestmark = pytest.mark.usefixtures("store")
NOTICE = Notice("id", "run-1", "training", "failed", "step fit failed", "version 3 of tumour", "https://zenml/runs/id")
TAKEN = json.dumps({"ok": True, "ts": "1.1", "channel": "C0123ABCD"})


@pytest.fixture
def slack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Answering]:
    """Return the server that Slack's SDK talks to, with the alerter registered and in the active stack."""
    from zenml.client import Client

    with Answering(body=TAKEN) as server:
        talk_to(server.url, monkeypatch)
        name = f"slack-{uuid4().hex[:8]}"
        Client().create_secret(name, {"token": "xoxb-1"})
        token = f"{{{{{name}.token}}}}"
        with stack_with_alerter(name, "slack", slack_token=token, slack_channel_id="C0123ABCD"):
            yield server


def test_a_notice_reaches_the_channel_with_the_token_of_the_secret(slack: Answering) -> None:
    assert Alerts().send(NOTICE) is None
    calls = [path.rpartition("/")[2] for _, path, _ in slack.requests]
    assert set(calls[:-1]) == {"auth.test", "conversations.info"}, "when it was registered"
    assert calls[-1] == "chat.postMessage"
    posted = slack.requests[-1][2]
    message = json.loads(posted) if posted.startswith("{") else {k: v[0] for k, v in parse_qs(posted).items()}
    assert (message["channel"], message["text"]) == ("C0123ABCD", str(NOTICE))
    assert slack.headers[-1]["Authorization"] == "Bearer xoxb-1"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ({"body": json.dumps({"ok": False, "error": "not_in_channel"})}, "not_in_channel"),
        ({"status": 500, "body": "<html>"}, "non-JSON"),
    ],
)
def test_what_slack_says_against_a_notice_is_the_reason(slack: Answering, answer: dict[str, Any], reason: str) -> None:
    for name, value in answer.items():
        setattr(slack, name, value)
    failure = Alerts().send(NOTICE)
    assert failure
    assert reason in failure
    assert "xoxb" not in failure


def test_a_slack_that_hangs_is_given_up(slack: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(notices, "FIRST_WAIT", 1.0)
    slack.hangs = True
    assert Alerts().send(NOTICE) == "TimeoutError: no answer within 1 s"


def test_a_slack_that_refuses_the_connection_is_a_reason(slack: Answering, monkeypatch: pytest.MonkeyPatch) -> None:
    talk_to(f"http://127.0.0.1:{free_port()}", monkeypatch)
    failure = Alerts().send(NOTICE)
    assert failure
    assert "Connection refused" in failure
    assert slack.requests[-1][1].endswith("conversations.info")


def test_an_alerter_whose_secret_was_deleted_is_a_reason(slack: Answering) -> None:
    from zenml.client import Client

    (component,) = Client().active_stack_model.components[StackComponentType.ALERTER]
    Client().delete_secret(component.name)
    failure = Alerts().send(NOTICE)
    assert failure
    assert component.name in failure
    assert not slack.requests[-1][1].endswith("chat.postMessage")


def test_discords_client_has_an_event_loop_in_our_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[str] = []

    class Channel:
        async def send(self, content: str) -> None:
            sent.append(content)

    async def start(client: discord.Client, _: str) -> None:
        await client.on_ready()  # type: ignore[attr-defined]

    monkeypatch.setattr(discord.Client, "start", start)
    monkeypatch.setattr(discord.Client, "run", lambda *_: None)
    monkeypatch.setattr(discord.Client, "get_channel", lambda *_: Channel())
    channel = "112233445566778899"
    from zenml.integrations.discord.flavors.discord_alerter_flavor import DiscordAlerterConfig

    monkeypatch.setattr(DiscordAlerterConfig, "is_valid", True)  # it would ask Discord
    with stack_with_alerter("discord-1", "discord", discord_token="t", default_discord_channel_id=channel):
        for _ in range(2):
            assert Alerts().send(NOTICE) is None
    assert sent == [str(NOTICE)] * 2
