"""Real processes that want the same stage at the same moment."""

from __future__ import annotations

from functools import partial

import pytest
from support.scratch import Scratch
from support.stages import (
    AfterReading,
    chain_problems,
    change,
    exit_codes,
    fork,
    held,
    in_production,
    kinds,
    model_with_versions,
    recorded,
    stage_ledger,
)

from governance_core.ledger import verify
from governance_core.lifecycle.promotion import promote
from governance_core.lifecycle.protocol import StageLedger
from governance_core.registry import chains

ROUNDS = 20
pytestmark = pytest.mark.usefixtures("store")


def test_of_four_processes_that_read_one_head_one_gets_the_stage_and_three_a_conflict() -> None:
    model = model_with_versions(5)
    in_production(model, 5)

    def take(number: int, wait: AfterReading) -> None:
        ledger = stage_ledger(model)
        state = wait(ledger.settled)()
        ledger.change(state, change(ledger, number, "production"))

    for _ in range(ROUNDS):
        [holder] = held(model)["production"]
        numbers = sorted({1, 2, 3, 4, 5} - {holder})
        wait = AfterReading(4)
        codes = exit_codes([fork(partial(take, number, wait)) for number in numbers])
        assert sorted(codes) == [0, 4, 4, 4]
        assert held(model) == recorded(model) == {"staging": [], "production": [numbers[codes.index(0)]]}
        assert kinds(model)[-2:] == ["intent", "done"]
    assert len(kinds(model)) == 2 * (2 + ROUNDS)
    assert chain_problems(model) == []


def test_of_two_promotions_with_force_one_exits_0_and_the_other_4_while_others_write_the_journal(
    trained: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = trained.project.model_name
    journal = chains.journal(trained.project.project_slug)

    def take(number: int, wait: AfterReading) -> None:
        monkeypatch.setattr(StageLedger, "settled", wait(StageLedger.settled))
        promote(trained.root, "staging", version=number, force=True)

    def write(wait: AfterReading) -> None:
        wait.barrier.wait(timeout=60)
        for kind in ("refusal", "approval", "evidence"):
            journal.record(kind, {"version": None})
            assert max(map(len, held(model).values())) <= 1

    promote(trained.root, "staging", version=3)
    for _ in range(ROUNDS):
        [holder] = held(model)["staging"]
        numbers = sorted({1, 2, 3} - {holder})
        wait = AfterReading(3)
        writer = fork(partial(write, wait))
        codes = exit_codes([fork(partial(take, number, wait)) for number in numbers])
        assert sorted(codes) == [0, 4]
        assert exit_codes([writer]) == [0]
        assert held(model) == recorded(model) == {"staging": [numbers[codes.index(0)]], "production": []}
    assert chain_problems(model) == list(verify(journal.name, journal.records())) == []


def test_processes_that_record_at_once_all_get_their_events_in() -> None:
    journal = chains.Chain(f"{model_with_versions(0)}.journal")
    writers = [fork(lambda: [journal.record("note", {}) for _ in range(10)]) for _ in range(4)]
    assert exit_codes(writers) == [0] * 4
    fresh = chains.Chain(journal.name)
    assert len(list(fresh.events())) == 40
    assert list(verify(fresh.name, fresh.records())) == []
