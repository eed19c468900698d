"""What a notice says, and how long it waits for the stack's alerter."""

from __future__ import annotations

import logging
import sys
import time
from dataclasses import replace
from threading import Event
from typing import Any

import pytest
from support.alerters import KeepingAlerter, stack_with_alerter

from governance_core.hooks import notices
from governance_core.hooks.notices import Alerts, Notice

pytestmark = pytest.mark.usefixtures("store")
NOTICE = Notice("id", "run-1", "training", "failed", "step fit failed", "version 3 of tumour", "https://zenml/runs/id")


def test_a_notice_says_pipeline_run_step_error_version_and_where_to_look() -> None:
    assert str(NOTICE) == ("Pipeline training, run run-1: step fit failed, version 3 of tumour\nhttps://zenml/runs/id")


def test_a_good_notice_is_one_line() -> None:
    assert str(replace(NOTICE, status="completed", text="completed")) == (
        "Pipeline training, run run-1: completed, version 3 of tumour"
    )


def test_a_long_error_is_cut_and_the_rest_of_the_notice_is_not() -> None:
    text = str(replace(NOTICE, text="x" * 10_000))
    assert len(text) == notices.LONGEST
    assert text.endswith("xx..., version 3 of tumour\nhttps://zenml/runs/id")


def test_without_an_alerter_a_notice_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "governance_core.hooks"):
        assert Alerts().send(NOTICE) is None
        assert Alerts().send(replace(NOTICE, status="completed")) is None
    assert [record.levelname for record in caplog.records] == ["ERROR", "INFO"]
    assert caplog.records[0].getMessage() == str(NOTICE)


def fail(error: BaseException) -> Any:
    raise error


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda: False, "ConnectionError: not_in_channel"),
        (lambda: fail(OSError("no route\nxoxb-secret")), "OSError: no route"),
        (lambda: fail(SystemExit(1)), "SystemExit: 1"),
    ],
)
def test_a_notice_that_the_alerter_does_not_take_is_logged_and_the_reason_returned(
    alerter: type[KeepingAlerter], answer: Any, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    alerter.answer = staticmethod(answer)
    assert Alerts().send(NOTICE) == reason
    why, notice = (record.getMessage() for record in caplog.records if record.name == "governance_core.hooks.notices")
    assert reason in why
    assert notice == str(NOTICE)


def test_a_notice_waits_at_most_five_seconds_and_half_a_second_after_a_failure(alerter: type[KeepingAlerter]) -> None:
    released = Event()
    alerter.answer = staticmethod(lambda: released.wait(60))
    alerts = Alerts()
    waits = []
    for _ in range(2):
        began = time.monotonic()
        assert alerts.send(NOTICE)
        waits.append(time.monotonic() - began)
    released.set()
    assert 5 <= waits[0] < 30
    assert 0.5 <= waits[1] < 4.5


def test_loading_the_alerter_counts_and_what_hangs_there_is_given_up(
    alerter: type[KeepingAlerter], monkeypatch: pytest.MonkeyPatch
) -> None:
    released = Event()
    monkeypatch.setattr(notices, "FIRST_WAIT", 0.1)
    monkeypatch.setattr(alerter, "__init__", lambda *_, **__: released.wait(60))
    assert Alerts().send(NOTICE) == "TimeoutError: no answer within 0.1 s"
    released.set()


def test_after_a_notice_that_failed_one_that_gets_through_is_posted(alerter: type[KeepingAlerter]) -> None:
    alerts = Alerts()
    alerter.answer = staticmethod(lambda: False)
    assert alerts.send(NOTICE)
    alerter.answer = staticmethod(lambda: True)
    assert alerts.send(NOTICE) is None
    assert alerter.posted == [str(NOTICE)]


def test_an_alerter_whose_library_is_not_installed_fails_the_notice_and_nothing_else(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in [name for name in sys.modules if name.startswith("zenml.integrations.slack.alerters")]:
        monkeypatch.delitem(sys.modules, name)  # another test of this process may have loaded it with the library
    monkeypatch.setitem(sys.modules, "slack_sdk", None)
    with stack_with_alerter("slack-missing", "slack", slack_token="xoxb-1", slack_channel_id="C0123ABCD"):
        failure = Alerts().send(NOTICE)
    assert failure
    assert "slack_sdk" in failure
