"""The hooks on plain pipelines."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support.alerters import KeepingAlerter, KeepingAlerterFlavor
from zenml import pipeline, step
from zenml.client import Client
from zenml.enums import StackComponentType

from governance_core.core import GovernanceError, Refused, Violation
from governance_core.hooks import (
    Notice,
    alerter_failure_hook,
    alerter_success_hook,
    compliance_failure_hook,
    monitoring_success_hook,
    pipeline_failure_hook,
    pipeline_success_hook,
    send,
)

pytestmark = pytest.mark.usefixtures("store")
NOTICE = Notice("id", "run-1", "training", "failed", "step fit failed")


@pytest.fixture
def alerter(monkeypatch: pytest.MonkeyPatch) -> Iterator[type[KeepingAlerter]]:
    client = Client()
    before = client.active_stack_model
    if not client.list_flavors(name="keeping"):
        client.create_flavor(f"{KeepingAlerterFlavor.__module__}.KeepingAlerterFlavor", StackComponentType.ALERTER)
        client.create_stack_component("keeping", "keeping", StackComponentType.ALERTER, {})
        parts = {str(kind): found[0].id for kind, found in before.components.items()}
        client.create_stack("with-alerter", {**parts, "alerter": "keeping"})
    monkeypatch.setattr(KeepingAlerter, "posted", [])
    monkeypatch.setattr(KeepingAlerter, "answer", True)
    client.activate_stack("with-alerter")
    yield KeepingAlerter
    client.activate_stack(before.id)


@step(enable_cache=False)
def begin() -> int:
    return 1


@step(enable_cache=False)
def finish(number: int) -> int:
    return number


@step(enable_cache=False)
def fall(number: int, refused: bool) -> None:
    if refused:
        raise Refused("this model", [Violation("metric-min", "accuracy = 0.1 must be at least 0.8")])
    raise ValueError(f"{number} is wrong\nsecond line")


def run(steps: Callable[[], Any], **hooks: Any) -> None:
    pipeline(steps, name=f"hooked_{steps.__name__}", **hooks)()


def chain() -> None:
    finish(finish(begin()))


def fork() -> None:
    number = begin()
    finish(number, id="left")
    finish(number, id="right")


def failing() -> None:
    fall(begin(), refused=False)


def refusing() -> None:
    fall(begin(), refused=True)


@pytest.mark.parametrize(
    ("hook", "said"),
    [
        (alerter_success_hook, "last step finished"),
        (pipeline_success_hook, "last step finished (3 steps)"),
        (monitoring_success_hook, "last step finished ("),
    ],
)
def test_a_success_notice_comes_once_from_the_only_last_step(
    alerter: type[KeepingAlerter], hook: Callable[[], None], said: str
) -> None:
    run(chain, on_success=hook)
    (posted,) = alerter.posted
    assert posted.startswith("Pipeline hooked_chain, run ")
    assert said in posted


def test_where_several_steps_are_last_no_success_is_sent_and_one_warning_says_why(
    alerter: type[KeepingAlerter], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "governance_core.hooks"):
        run(fork, on_success=alerter_success_hook)
    assert alerter.posted == []
    assert [record.getMessage() for record in caplog.records if record.name == "governance_core.hooks"] == [
        "No notice is sent: the run has 2 last steps (left, right)"
    ]


@pytest.mark.parametrize(
    ("steps", "hook", "said"),
    [
        (failing, alerter_failure_hook, "step fall failed: ValueError: 1 is wrong"),
        (failing, pipeline_failure_hook, "step fall failed: ValueError: 1 is wrong\nsecond line"),
        (refusing, compliance_failure_hook, "broken rules: metric-min: accuracy = 0.1 must be at least 0.8"),
        (failing, compliance_failure_hook, None),
    ],
)
def test_a_failure_notice_says_what_failed(
    alerter: type[KeepingAlerter], steps: Callable[[], None], hook: Callable[..., None], said: str | None
) -> None:
    with pytest.raises(RuntimeError, match="Pipeline run has failed"):
        run(steps, on_success=alerter_success_hook, on_failure=hook)
    assert [message.endswith(said or "") for message in alerter.posted] == ([True] if said else [])


def test_a_hook_of_a_step_that_is_not_last_says_nothing(alerter: type[KeepingAlerter]) -> None:
    def hooked_in_the_middle() -> None:
        finish(finish.with_options(on_success=alerter_success_hook)(begin()))

    run(hooked_in_the_middle)
    assert alerter.posted == []


def test_a_dynamic_pipeline_sends_its_notice_at_its_true_end(alerter: type[KeepingAlerter]) -> None:
    run(chain, on_success=alerter_success_hook, dynamic=True)
    assert [message.endswith(": run finished") for message in alerter.posted] == [True]


def test_hooks_are_known_as_the_platforms() -> None:
    source = pipeline(chain, on_failure=alerter_failure_hook).configuration.failure_hook_source
    assert source is not None
    assert (source.type.value, source.import_path) == (
        "distribution_package",
        "governance_core.hooks.alerter_failure_hook",
    )


def test_without_an_alerter_a_notice_goes_to_the_log(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "governance_core.hooks"):
        run(chain, on_success=alerter_success_hook)
        send(NOTICE)
    first, second = (record for record in caplog.records if record.name == "governance_core.hooks")
    assert (first.levelname, "last step finished" in first.getMessage()) == ("INFO", True)
    assert (second.levelname, second.getMessage()) == (
        "ERROR",
        "Pipeline training, run run-1: step fit failed",
    )


@pytest.mark.parametrize("answer", [False, ConnectionError("no route")])
def test_a_notice_that_the_alerter_does_not_take_is_not_lost(
    alerter: type[KeepingAlerter],
    answer: bool | Exception,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(alerter, "answer", answer)
    send(NOTICE)
    why, notice = (record.getMessage() for record in caplog.records if record.name == "governance_core.hooks")
    assert "keeping" in why
    assert notice == str(NOTICE)


def test_a_hook_outside_a_run_says_so() -> None:
    with pytest.raises(GovernanceError, match="outside a ZenML run"):
        alerter_success_hook()
