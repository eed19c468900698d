"""A governed run gets exactly one notice, and it agrees with the stored final status."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from threading import Event
from typing import Any

import pytest
from support.alerters import KeepingAlerter
from support.command_line import Governance
from support.scratch import Scratch
from support.trained import journal
from zenml.utils.time_utils import utc_now

from governance_core.core import this_process
from governance_core.lifecycle.history import summary

CODE = """
import os, signal
from zenml.materializers.base_materializer import BaseMaterializer
from zenml.enums import ArtifactType
from zenml.config.retry_config import StepRetryConfig


class Unstorable:
    pass


class Refusing(BaseMaterializer):
    ASSOCIATED_TYPES = (Unstorable,)
    ASSOCIATED_ARTIFACT_TYPE = ArtifactType.DATA

    def save(self, data):
        raise OSError("the disk is full")


def own_hook(exception: BaseException) -> None:
    pass


@step
def one() -> int:
    return 1

@step(enable_cache=False)
def fail(number: int, name: str = "x") -> None:
    raise ValueError(f"{name} is broken")

@step(enable_cache=False, on_failure=own_hook)
def fail_hooked(number: int) -> None:
    raise ValueError("hooked is broken")

@step(enable_cache=False, retry=StepRetryConfig(max_retries=2, delay=0))
def fail_again(number: int) -> None:
    raise ValueError("always broken")

@step(enable_cache=False, output_materializers=Refusing)
def unstorable() -> Unstorable:
    return Unstorable()

@step(enable_cache=False)
def die(number: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


@governed_pipeline
def good():
    one()

@governed_pipeline
def failing():
    fail(one())

@governed_pipeline(execution_mode="continue_on_failure")
def failing_twice():
    number = one()
    fail(number, name="left", id="left")
    fail(number, name="right", id="right")

@governed_pipeline
def failing_hooked():
    fail_hooked(one())

@governed_pipeline
def retrying():
    fail_again(one())

@governed_pipeline
def losing_its_output():
    unstorable()

@governed_pipeline
def dying():
    die(one())
"""


DRIFTING = """
from governance_core.steps import detect_drift

@governed_pipeline
def drifting(shift: int = 0):
    detect_drift(features(load(120)), features(moved(load(120), shift)))

@step
def moved(data: pd.DataFrame, shift: int) -> Annotated[pd.DataFrame, "moved"]:
    return data + shift
"""


@pytest.fixture
def module(scratch: Scratch) -> Any:
    return scratch.add("runs", CODE)


@pytest.fixture
def settle(scratch: Scratch) -> Callable[[], list[tuple[str, str]]]:
    from governance_core.lifecycle.settle import settle

    return lambda: [(notice.status, notice.text) for notice in settle(scratch.project.project_slug)]


def last_run(name: str) -> Any:
    from zenml.client import Client

    return Client().get_pipeline(name).last_run


def attempt(pipeline: Any) -> Any:
    with pytest.raises(RuntimeError, match="Pipeline run has failed"):
        pipeline()
    run = last_run(pipeline.name)
    assert run.status.value == "failed"
    return run


def unfinished(run: Any, hours_silent: int = 0, **process: Any) -> None:
    """Make a finished run look as if it still went on, submitted by this process but for what is given."""
    evidence = run.snapshot.step_configurations["record_evidence"].config.parameters["submission"]
    submitter = {**evidence["process"], **process}
    old, new = (json.dumps(value, separators=(",", ":")) for value in (evidence["process"], submitter))
    seen = utc_now() - timedelta(hours=hours_silent)
    execute("UPDATE pipeline_run SET status='running', updated=:seen WHERE id=:id", id=run.id.hex, seen=seen)
    execute(
        "UPDATE step_run SET updated=:seen, latest_heartbeat=NULL WHERE pipeline_run_id=:id", id=run.id.hex, seen=seen
    )
    replaced = (
        "UPDATE step_configuration SET config=replace(config, :old, :new) WHERE snapshot_id=:id AND instr(config, :old)"
    )
    execute(replaced, old=old, new=new, id=run.snapshot.id.hex)


def execute(statement: str, **values: Any) -> None:
    from sqlmodel import Session, text
    from zenml.client import Client

    with Session(Client().zen_store.engine) as session:
        assert session.execute(text(statement), values).rowcount
        session.commit()


DEAD = {"started": "before this process"}


def test_a_run_that_completed_gets_one_notice(module: Any, settle: Any) -> None:
    run = module.good()
    assert settle() == [("completed", "completed")]
    assert settle() == []
    assert {tag.name for tag in last_run(run.pipeline.name).tags} == {"governed"}  # its notice is no longer due


def test_a_training_notice_names_the_version(scratch: Scratch) -> None:
    scratch.module.training()
    from governance_core.lifecycle.settle import settle

    (notice,) = settle(scratch.project.project_slug)
    assert notice.version == f"version 1 of {scratch.project.model_name}"
    assert str(notice).endswith(f": completed, {notice.version}")


def test_a_run_whose_steps_all_come_from_the_cache_gets_one_notice(module: Any, settle: Any) -> None:
    module.good()
    settle()
    run = module.good()
    assert run.steps["one"].status.value == "cached"
    assert settle() == [("completed", "completed")]
    assert settle() == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("failing", "failed; step fail: x is broken"),
        ("failing_twice", "failed; step left: left is broken; step right: right is broken"),
        ("failing_hooked", "failed; step fail_hooked: hooked is broken"),
        ("retrying", "failed; step fail_again: always broken"),
        ("losing_its_output", "failed; step unstorable"),
    ],
)
def test_a_run_that_failed_gets_one_notice_that_says_why(module: Any, settle: Any, name: str, text: str) -> None:
    attempt(getattr(module, name))
    assert settle() == [("failed", text)]
    assert settle() == []


def test_a_failure_hook_given_with_options_changes_nothing(module: Any, settle: Any) -> None:
    attempt(module.failing.with_options(on_failure=module.own_hook))
    assert settle() == [("failed", "failed; step fail: x is broken")]


@pytest.mark.parametrize("broken", ["_evidence", "journal"])
def test_a_run_whose_evidence_fails_gets_one_failure_notice(
    module: Any, settle: Any, broken: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.pipelines import evidence

    monkeypatch.setattr(evidence, broken, lambda *_: 1 / 0)
    attempt(module.good)
    assert settle() == [("failed", "failed; step record_evidence: division by zero")]


def test_the_platforms_hooks_leave_a_governed_run_to_its_notice(
    module: Any, settle: Any, caplog: pytest.LogCaptureFixture
) -> None:
    from governance_core.hooks import alerter_failure_hook, alerter_success_hook

    hooks = {"on_success": alerter_success_hook, "on_failure": alerter_failure_hook}
    module.good.with_options(**hooks)()
    attempt(module.failing.with_options(**hooks))
    assert [record for record in caplog.records if record.name.startswith("governance_core.hooks")] == []
    assert len(settle()) == 2


def test_a_run_that_goes_on_gets_no_notice(module: Any, settle: Any) -> None:
    unfinished(module.good(), hours_silent=99)
    assert settle() == []


LOST = ("lost", "lost: nobody is running it any more")


def test_a_run_whose_process_died_is_reported_lost_and_corrected_once_if_it_ends_after_all(
    module: Any, settle: Any
) -> None:
    run = module.good()
    unfinished(run, **DEAD)
    assert settle() == [LOST]
    assert settle() == []
    execute("UPDATE pipeline_run SET status='completed' WHERE id=:id", id=run.id.hex)
    assert settle() == [("completed", "was reported as lost and has ended after all: completed")]
    assert settle() == []


def test_a_run_that_ends_just_before_its_process_is_not_lost(
    module: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.lifecycle import settle as settling

    run = module.good()
    unfinished(run, **DEAD)
    judge = settling.is_lost

    def ends_meanwhile(seen: Any) -> bool:
        execute("UPDATE pipeline_run SET status='completed' WHERE id=:id", id=run.id.hex)
        return judge(seen)

    monkeypatch.setattr(settling, "is_lost", ends_meanwhile)
    assert settle() == [("completed", "completed")]


@pytest.mark.parametrize(("hours", "notices"), [(5, []), (7, [LOST])])
def test_a_run_elsewhere_is_lost_when_it_is_silent_for_longer_than_the_policy_allows(
    module: Any, settle: Any, hours: int, notices: list[Any]
) -> None:
    unfinished(module.good(), hours_silent=hours, host="another machine")
    assert settle() == notices


def test_on_another_orchestrator_the_death_of_the_submitter_says_nothing(
    module: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.lifecycle import settle as settling

    monkeypatch.setattr(settling, "_orchestrator", lambda _: "kubernetes")
    unfinished(module.good(), **DEAD)
    assert settle() == []


@pytest.mark.usefixtures("module")
def test_a_run_killed_by_the_system_is_reported_lost(scratch: Scratch, settle: Any) -> None:
    source = str(scratch.root / "src")
    code = f"""
import sys; sys.path.insert(0, {source!r})
from zenml.utils import source_utils; source_utils.set_custom_source_root({source!r})
from {scratch.package}.runs import dying; dying()
"""
    ended = subprocess.run([sys.executable, "-c", code], cwd=scratch.root, capture_output=True, check=False)
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    run = last_run("dying")
    assert run.status.value == "running"
    assert settle() == [LOST]
    assert settle() == []


def test_two_that_settle_at_once_send_one_notice(module: Any, settle: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from governance_core.hooks.notices import Alerts

    sent: list[Any] = []

    def second_settler_comes(_: Alerts, notice: Any, _stack: Any) -> None:
        sent.append(notice)
        if len(sent) == 1:
            assert settle() == []  # the first has claimed the notice and not yet noted that it is sent

    module.good()
    monkeypatch.setattr(Alerts, "send", second_settler_comes)
    assert len(settle()) == len(sent) == 1


@pytest.mark.parametrize(("owner", "minutes", "notices"), [(DEAD, 0, 1), ({"host": "x"}, 0, 0), ({"host": "x"}, 2, 1)])
def test_the_notice_of_a_settler_that_died_before_sending_is_sent_by_one_other(  # noqa: PLR0917
    scratch: Scratch, module: Any, settle: Any, owner: dict[str, str], minutes: int, notices: int
) -> None:
    from governance_core.hooks.notices import Alerts
    from governance_core.registry import claims

    module.good()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(claims, "this_process", lambda: {**this_process(), **owner})
        patch.setattr(Alerts, "send", lambda *_: sys.exit("killed"))
        with pytest.raises(SystemExit):
            settle()
    made = "UPDATE model_version SET created=:then WHERE model_id=(SELECT id FROM model WHERE name=:name)"
    execute(made, then=utc_now() - timedelta(minutes=minutes), name=f"{scratch.project.project_slug}.notices")
    assert len(settle()) == notices
    assert settle() == []


def test_a_notice_that_a_settler_sent_before_it_died_is_not_sent_again(
    module: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.lifecycle import settle as settling
    from governance_core.registry import claims

    module.good()
    search = settling._tagged

    def first_settler_sends_and_dies(tag: str, **filters: Any) -> Any:
        found = search(tag, **filters)
        if found:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(settling, "_tagged", search)
                patch.setattr(claims, "this_process", lambda: {**this_process(), **DEAD})
                assert len(settle()) == 1
        return found

    monkeypatch.setattr(settling, "_tagged", first_settler_sends_and_dies)
    assert settle() == []


def test_a_run_of_another_project_is_left_to_its_own_settler(module: Any, settle: Any) -> None:
    from governance_core.lifecycle.settle import settle as settle_project

    module.good()
    assert settle_project("another-project") == []
    assert len(settle()) == 1


def test_whoever_runs_a_pipeline_sends_its_notice(
    scratch: Scratch, module: Any, settle: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.hooks.notices import Alerts
    from governance_core.lifecycle.running import run

    sent: list[Any] = []
    monkeypatch.setattr(Alerts, "send", lambda _, notice, _stack: sent.append(notice))
    monkeypatch.setenv("ZENML_ACTIVE_STACK_ID", "")
    scratch.write("configs/local.yaml", "")
    run(module.good, "local", scratch.root)
    with pytest.raises(SystemExit):
        run(module.failing, "local", scratch.root)
    assert [notice.status for notice in sent] == ["completed", "failed"]
    assert settle() == []


def test_the_verb_says_what_it_sent_and_with_json_stdout_holds_nothing_else(
    scratch: Scratch, module: Any, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    from governance_core.hooks.notices import Alerts

    monkeypatch.chdir(scratch.root)
    monkeypatch.setattr(Alerts, "send", lambda _, notice, _stack: print(notice))
    module.good()
    code, out, _ = governance("runs", "settle", "--json")
    (notice,) = json.loads(out)["notices"]
    assert (code, notice["pipeline"], notice["status"]) == (0, "good", "completed")
    assert governance("runs", "settle")[:2] == (0, "no notice is due\n")
    module.good()
    code, out, _ = governance("runs", "settle")
    assert code == 0
    assert out.endswith(": completed\n1 notices sent\n")


def test_on_a_server_the_notice_of_a_failed_run_links_to_the_dashboard(
    module: Any, scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.hooks import notices
    from governance_core.lifecycle.settle import settle

    monkeypatch.setattr(notices, "get_run_url", lambda run: f"https://zenml.example.com/runs/{run.id}")
    run = attempt(module.failing)
    (notice,) = settle(scratch.project.project_slug)
    assert str(notice).endswith(f": failed; step fail: x is broken\nhttps://zenml.example.com/runs/{run.id}")


def test_an_alerter_that_fails_changes_no_outcome_and_the_journal_says_which_notice_it_lost(
    scratch: Scratch, module: Any, settle: Any, alerter: type[KeepingAlerter]
) -> None:
    alerter.answer = staticmethod(lambda: False)
    run = module.good()
    assert settle() == [("completed", "completed")]
    event = journal(scratch)[-1]
    assert (event.kind, event.body["run"], event.body["reason"]) == (
        "alert-failed",
        str(run.id),
        "ConnectionError: not_in_channel",
    )
    assert summary(event).endswith(f" alert-failed of run {run.name} (ConnectionError: not_in_channel)")
    assert settle() == []


def test_a_sweep_tells_the_alerter_of_the_stack_that_the_run_was_on_whichever_is_active(
    module: Any, settle: Any, alerter: type[KeepingAlerter]
) -> None:
    from zenml.client import Client

    run, with_alerter = module.good(), Client().active_stack_model
    Client().activate_stack("default")
    try:
        assert settle() == [("completed", "completed")]
    finally:
        Client().activate_stack(with_alerter.id)
    (posted,) = alerter.posted
    assert run.name in posted


def test_an_alerter_that_hangs_keeps_a_sweep_waiting_once(
    scratch: Scratch, module: Any, settle: Any, alerter: type[KeepingAlerter], monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.hooks import notices

    monkeypatch.setattr(notices, "FIRST_WAIT", 1.5)
    monkeypatch.setattr(notices, "LATER_WAIT", 0.01)
    released = Event()
    alerter.answer = staticmethod(lambda: released.wait(60))
    for _ in range(4):
        module.good()
    assert len(settle()) == 4
    released.set()
    reasons = [event.body["reason"] for event in journal(scratch) if event.kind == "alert-failed"]
    assert reasons == ["TimeoutError: no answer within 1.5 s", *["TimeoutError: no answer within 0.01 s"] * 3]


def test_a_journal_that_cannot_be_written_keeps_no_notice_from_being_settled(
    module: Any, settle: Any, alerter: type[KeepingAlerter], monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.registry import compliance

    alerter.answer = staticmethod(lambda: False)
    module.good()
    monkeypatch.setattr(compliance, "journal", lambda _: 1 / 0)
    assert settle() == [("completed", "completed")]
    assert settle() == []


def test_a_completed_run_whose_data_drifted_says_so_in_its_notice(scratch: Scratch) -> None:
    from governance_core.lifecycle.settle import settle

    module = scratch.add("drifting", DRIFTING)
    module.drifting(shift=0)
    module.drifting(shift=9)
    calm, alarm = settle(scratch.project.project_slug)
    assert (calm.status, calm.text, calm.good) == ("completed", "completed", True)
    assert (alarm.status, alarm.good) == ("completed", False)
    assert alarm.text.startswith("completed; step detect_drift: drift_score = 1.0 must be at most 0.3")
