"""The hooks on plain pipelines."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from support.alerters import KeepingAlerter
from support.scratch import Scratch
from support.trained import journal
from zenml import Model, pipeline, step
from zenml.client import Client

from governance_core import hooks
from governance_core.core import GovernanceError, Refused, Violation
from governance_core.hooks import (
    alerter_failure_hook,
    alerter_success_hook,
    compliance_failure_hook,
    monitoring_success_hook,
    pipeline_failure_hook,
    pipeline_success_hook,
)

pytestmark = pytest.mark.usefixtures("store")
BROKEN = Violation("metric-min", "accuracy = 0.1 must be at least 0.8")


@step(enable_cache=False)
def begin() -> int:
    return 1


@step(enable_cache=False)
def finish(number: int) -> int:
    return number


@step(enable_cache=False)
def fall(number: int, refused: bool) -> None:
    if refused:
        raise Refused("this model", [BROKEN])
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
    with caplog.at_level(logging.WARNING, "governance_core.hooks.plain"):
        run(fork, on_success=alerter_success_hook)
    assert alerter.posted == []
    assert [record.getMessage() for record in caplog.records if record.name == "governance_core.hooks.plain"] == [
        "No notice is sent: the run has 2 last steps (left, right)"
    ]


@pytest.mark.parametrize(
    ("steps", "hook", "said"),
    [
        (failing, alerter_failure_hook, "step fall failed: ValueError: 1 is wrong"),
        (failing, pipeline_failure_hook, "step fall failed: ValueError: 1 is wrong\nsecond line"),
        (
            refusing,
            compliance_failure_hook,
            "step fall failed: broken rules: metric-min: accuracy = 0.1 must be at least 0.8",
        ),
        (failing, compliance_failure_hook, None),
    ],
)
def test_a_failure_notice_says_what_failed(
    alerter: type[KeepingAlerter], steps: Callable[[], None], hook: Callable[..., None], said: str | None
) -> None:
    with pytest.raises(RuntimeError, match="Pipeline run has failed"):
        run(steps, on_success=alerter_success_hook, on_failure=hook)
    assert [f": {said}\n" in message for message in alerter.posted] == ([True] if said else [])


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
        "governance_core.hooks.plain.alerter_failure_hook",
    )


def test_a_failure_notice_names_the_model_version_and_how_to_see_the_run(alerter: type[KeepingAlerter]) -> None:
    with pytest.raises(RuntimeError):
        run(failing, on_failure=alerter_failure_hook, model=Model(name="hooked"))
    (posted,) = alerter.posted
    said = re.fullmatch(
        r".+: step fall failed: ValueError: 1 is wrong, version (\d+) of hooked\n"
        r"see it with: zenml pipeline runs list --id=(\S+)",
        posted,
    )
    assert said
    assert str(Client().get_pipeline_run(said[2]).model_version.number) == said[1]


def test_each_run_has_its_own_memory_of_an_alerter_that_failed(alerter: type[KeepingAlerter]) -> None:
    alerter.answer = staticmethod(lambda: False)
    run(chain, on_success=alerter_success_hook)
    alerter.answer = staticmethod(lambda: True)
    run(chain, on_success=alerter_success_hook)
    assert len(alerter.posted) == 1


def test_an_alerter_that_fails_fails_no_run_and_the_log_says_why(
    alerter: type[KeepingAlerter], caplog: pytest.LogCaptureFixture
) -> None:
    alerter.answer = staticmethod(lambda: False)
    with caplog.at_level(logging.INFO, "governance_core.hooks"):
        run(chain, on_success=alerter_success_hook)
    why, notice = (record.getMessage() for record in caplog.records if record.name == "governance_core.hooks.notices")
    assert why.endswith("not_in_channel")
    assert notice.endswith(": last step finished")


def test_a_refusal_on_a_plain_pipeline_of_a_project_is_in_its_journal_once(
    scratch: Scratch, alerter: type[KeepingAlerter], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GOVERNANCE_ACTOR", "ada@example.com")
    with pytest.raises(RuntimeError):
        run(refusing, on_failure=compliance_failure_hook)
    (event,) = journal(scratch)
    assert (event.kind, event.body["step"], event.body["actor"]["id"]) == ("violation", "fall", "ada@example.com")
    assert event.body["violations"] == [BROKEN.as_dict()]
    assert len(alerter.posted) == 1


def test_a_violation_by_nobody_that_can_be_named_is_recorded_all_the_same(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("GOVERNANCE_ACTOR")
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    with pytest.raises(RuntimeError):
        run(refusing, on_failure=compliance_failure_hook)
    assert [event.body["actor"] for event in journal(scratch)] == [None]


def test_a_hook_outside_a_run_says_so() -> None:
    with pytest.raises(GovernanceError, match="outside a ZenML run"):
        alerter_success_hook()


def test_the_reference_describes_every_hook() -> None:
    text = (Path(__file__).parents[2] / "docs/reference/hooks.md").read_text(encoding="utf-8")
    assert set(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) == set(hooks.__all__)
