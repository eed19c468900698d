"""A process killed at every point at which a promotion, a rollback or a recovery writes something."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from functools import partial
from itertools import count

import pytest
import sqlalchemy
from sqlmodel import Session
from support.scratch import Scratch
from support.stages import (
    chain_problems,
    change,
    exit_codes,
    fork,
    held,
    in_production,
    kinds,
    model_with_versions,
    move,
    recorded,
    stage_ledger,
)
from zenml.client import Client

from governance_core.core import Conflict, this_process
from governance_core.ledger import StageState
from governance_core.lifecycle import protocol
from governance_core.lifecycle.protocol import StageLedger
from governance_core.lifecycle.verification import verify_ledger
from governance_core.registry import versions

pytestmark = pytest.mark.usefixtures("store")


def at_every_write(reached: Callable[[], None]) -> None:
    """Call ``reached`` before and after each database commit, and before each file is opened to be written."""

    def audit(event: str, arguments: tuple[object, ...]) -> None:
        if event == "open" and isinstance(arguments[2], int) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
            reached()

    sys.addaudithook(audit)  # stays for the life of the process, as do the listeners: call it in one that is forked
    sqlalchemy.event.listen(Client().zen_store.engine, "commit", lambda _: reached())  # type: ignore[attr-defined]
    sqlalchemy.event.listen(Session, "after_commit", lambda _: reached())


def killed_at(point: int, command: Callable[[], object]) -> int:
    """Run a command in a process that is killed at its n-th write; returns the exit code, -9 if it got there."""

    def run() -> None:
        writes = count(1)

        def reached() -> None:
            if next(writes) == point:
                die()

        at_every_write(reached)
        command()

    return exit_codes([fork(run)])[0]


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def staged_behind_production() -> str:
    model = model_with_versions(2)
    in_production(model, 1)
    move(model, 2, "staging")
    return model


def second_in_production() -> str:
    model = model_with_versions(2)
    in_production(model, 1, 2)
    return model


def leave_open(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(versions, "set_stage", die)
        assert exit_codes([fork(partial(move, model, 2, "production"))]) == [-signal.SIGKILL]
    assert kinds(model)[-1] == "intent"


BEFORE_PROMOTION = {"staging": [2], "production": [1]}


@pytest.mark.parametrize(
    ("prepare", "command", "before", "after"),
    [
        (
            staged_behind_production,
            lambda model: move(model, 2, "production"),
            BEFORE_PROMOTION,
            {"staging": [], "production": [2]},
        ),
        (
            second_in_production,
            lambda model: move(model, 1, "production", "rollback"),
            {"staging": [], "production": [2]},
            {"staging": [], "production": [1]},
        ),
    ],
    ids=["promotion", "rollback"],
)
def test_killed_at_any_write_a_change_is_explained_and_finished_or_undone_by_the_next_command(
    trained: Scratch,
    prepare: Callable[[], str],
    command: Callable[[str], object],
    before: dict[str, list[int]],
    after: dict[str, list[int]],
) -> None:
    seen = [after]
    for point in count(1):
        if seen[-1] == after:
            model = prepare()
        code = killed_at(point, partial(command, model))
        assert chain_problems(model) == []
        seen.append(held(model))
        foreseen = stage_ledger(model).settled(write=False).holders
        verification = verify_ledger(trained.root, model)
        assert verification.violations == ()
        assert verification.holders == foreseen
        assert bool(verification.unfinished) is (kinds(model)[-1] == "intent")
        assert stage_ledger(model).settled().holders == foreseen
        assert recorded(model) == held(model) == seen[-1]
        if code == 0:
            break
        assert code == -signal.SIGKILL
    seen.pop(0)
    half = seen.index(after)
    assert half > 2, "no write before the stage changed was hit"
    assert len(seen) - half > 2, "no write after it was hit"
    assert seen == [before] * half + [after] * (len(seen) - half)


def test_killed_at_any_write_a_recovery_is_taken_up_by_the_next_command(monkeypatch: pytest.MonkeyPatch) -> None:
    model = staged_behind_production()
    for point in count(1):
        leave_open(model, monkeypatch)
        code = killed_at(point, lambda: stage_ledger(model).settled())
        assert recorded(model) == held(model) == BEFORE_PROMOTION
        assert chain_problems(model) == []
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert point > 4, "no write was hit"


def test_killed_at_any_write_a_repair_can_be_repeated() -> None:
    model = second_in_production()
    first = versions.find_version(versions.find_model(model), 1)
    for point in count(1):
        versions.set_stage(first.id, "production", replace=True)  # past the ledger
        code = killed_at(point, lambda: stage_ledger(model).restore("asked"))
        stage_ledger(model).restore("asked")
        assert recorded(model) == held(model) == {"staging": [], "production": [2]}
        assert chain_problems(model) == []
        if code == 0:
            break
        assert code == -signal.SIGKILL
    assert point > 6, "no write was hit"


def stopped(command: Callable[[], object]) -> int:
    """Start a process that stops itself, and return it when it has."""
    child = fork(command)
    _, status = os.waitpid(child, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
    return child


def stop_myself(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGSTOP)


def test_a_slow_writer_is_left_alone_and_finishes() -> None:
    model = staged_behind_production()

    def slow() -> None:
        ledger = stage_ledger(model)
        state: StageState = ledger.settled()
        may_change = ledger._may_change
        ledger._may_change = lambda *given: (stop_myself(), may_change(*given))[1]  # type: ignore[method-assign]
        ledger.change(state, change(ledger, 2, "production"))

    child = stopped(slow)
    head = stage_ledger(model).chain.head()
    for _ in range(2):
        with pytest.raises(Conflict, match=f"process {child} on .* is changing a stage"):
            move(model, 2, "archived", "archive")
    assert stage_ledger(model).chain.head() == head
    os.kill(child, signal.SIGCONT)
    assert exit_codes([child]) == [0]
    assert recorded(model) == held(model) == {"staging": [], "production": [2]}


def test_a_writer_elsewhere_that_wakes_after_its_lease_puts_back_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    """ZenML cannot make a stage change conditional: what comes late is undone by who sent it, and exits 4."""
    model = staged_behind_production()

    def late() -> None:
        monkeypatch.setattr(protocol, "this_process", lambda: this_process() | {"host": "another-machine"})
        ledger = StageLedger(
            versions.find_model(model), stage_ledger(model).journal, stage_ledger(model).actor, lease_seconds=0
        )
        state = ledger.settled()
        set_stage = versions.set_stage

        def stop_and_set(*given: object, **named: object) -> None:
            monkeypatch.setattr(versions, "set_stage", set_stage)
            stop_myself()
            set_stage(*given, **named)

        monkeypatch.setattr(versions, "set_stage", stop_and_set)
        ledger._may_change = lambda *_: True  # type: ignore[method-assign] # it was fenced in time
        ledger.change(state, change(ledger, 2, "production"))

    child = stopped(late)
    move(model, 2, "archived", "archive")
    os.kill(child, signal.SIGCONT)
    assert exit_codes([child]) == [4]
    assert recorded(model) == held(model) == {"staging": [], "production": [1]}
    assert chain_problems(model) == []
