"""Models with versions to move about, and processes that move them."""

import multiprocessing
import os
import traceback
from collections.abc import Callable, Sequence
from uuid import uuid4

from zenml.client import Client
from zenml.zen_stores.sql_zen_store import SqlZenStore

from governance_core.core import GovernanceError
from governance_core.ledger import Event, StageState, verify
from governance_core.lifecycle.protocol import Change, StageLedger
from governance_core.registry import chains, versions
from governance_core.registry.actors import Actor

ADA = Actor("ada@example.org", verified=False, via="git")


def model_with_versions(count: int) -> str:
    """Register a model with versions 1 to ``count`` and return its name."""
    model = Client().create_model(f"model-{uuid4().hex[:8]}")
    for _ in range(count):
        Client().create_model_version(model.id)
    return model.name


def stage_ledger(model: str, lease_seconds: int = 60, slug: str | None = None) -> StageLedger:
    """Return the stages of a model, read anew as a new process would."""
    return StageLedger(versions.find_model(model), chains.journal(slug or model), ADA, lease_seconds)


def change(ledger: StageLedger, number: int, to: str, action: str = "promote") -> Change:
    """Return the plan to move a version."""
    return Change(action, versions.find_version(ledger.model, number), to, [])  # type: ignore[arg-type]


def move(model: str, number: int, to: str, action: str = "promote", slug: str | None = None) -> Event:
    """Move a version as one command does that was asked to and had nothing to check."""
    ledger = stage_ledger(model, slug=slug)
    return ledger.change(ledger.settled(), change(ledger, number, to, action))


def in_production(model: str, *numbers: int) -> None:
    """Take versions to production one after the other."""
    for number in numbers:
        move(model, number, "staging")
        move(model, number, "production")


def held(model: str) -> dict[str, list[int]]:
    """Return the numbers of the versions that the registry has in each stage."""
    found = versions.stage_holders(versions.find_model(model))
    return {stage: [version.number for version in holders] for stage, holders in found.items()}


def recorded(model: str) -> dict[str, list[int]]:
    """Return the numbers of the versions that the ledger has in each stage."""
    holders = stage_ledger(model).settled().holders
    return {stage: [holder["number"]] if holder else [] for stage, holder in holders.items()}


def chain_problems(model: str) -> list[str]:
    """Return what does not hold in a model's stage chain."""
    chain = chains.stages(model)
    return [str(found) for found in verify(chain.name, chain.records())]


def kinds(model: str) -> list[str]:
    """Return the kinds of a stage chain's events, with the result of each outcome."""
    return [str(event.body.get("result", event.kind)) for event in chains.stages(model).events()]


class AfterReading:
    """Make every process of a race read the same head before one of them writes its intent."""

    def __init__(self, processes: int) -> None:
        self.barrier = multiprocessing.get_context("fork").Barrier(processes)

    def __call__(self, settled: Callable[..., StageState]) -> Callable[..., StageState]:
        def read_and_wait(*arguments: object, **named: object) -> StageState:
            state = settled(*arguments, **named)
            self.barrier.wait(timeout=60)
            return state

        return read_and_wait


def fork(command: Callable[[], object]) -> int:
    """Run a command in a process of its own and return its id; its exit code is that of the command line."""
    if child := os.fork():
        return child
    code = 1
    try:
        # A connection belongs to the process that opened it, so the child opens its own.
        store = Client().zen_store
        if isinstance(store, SqlZenStore):
            store.engine.dispose(close=False)
        else:
            store._session = None  # type: ignore[attr-defined]
        command()
        code = 0
    except GovernanceError as error:
        code = error.exit_code
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def exit_codes(children: Sequence[int]) -> list[int]:
    """Wait for processes; a negative code is the signal that ended one."""
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
