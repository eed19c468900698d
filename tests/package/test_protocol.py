"""How a stage changes: what one writer does, and what the next one makes of what it left."""

from dataclasses import replace
from uuid import UUID

import pytest
import sqlalchemy
from support.stages import (
    ADA,
    chain_problems,
    change,
    held,
    in_production,
    kinds,
    model_with_versions,
    move,
    recorded,
    stage_ledger,
)
from zenml.client import Client

from governance_core.core import Conflict, Refused, UsageError, this_process
from governance_core.ledger import Event
from governance_core.lifecycle import protocol
from governance_core.registry import chains, versions

pytestmark = pytest.mark.usefixtures("store")

DEAD = this_process() | {"started": "0"}
ELSEWHERE = this_process() | {"host": "another-machine"}


def begin(model: str, number: int, to: str, owner: dict[str, object], lease: int = 60) -> Event:
    """Leave what a writer leaves that got no further than its intent."""
    ledger = stage_ledger(model, lease)
    state = ledger.settled()
    body = ledger._intent(state, change(ledger, number, to)) | {"owner": owner}
    return ledger.chain.append("intent", body, after=state.head)


def by_hand(model: str, number: int, stage: str) -> None:
    found = versions.find_model(model)
    version = versions.find_version(found, number)
    Client().update_model_version(found.id, UUID(version.id), stage=stage, force=True)


def test_a_version_goes_from_nothing_over_staging_to_production_and_to_the_archive() -> None:
    model = model_with_versions(1)
    assert recorded(model) == held(model) == {"staging": [], "production": []}
    move(model, 1, "staging")
    assert recorded(model) == held(model) == {"staging": [1], "production": []}
    move(model, 1, "production")
    assert recorded(model) == held(model) == {"staging": [], "production": [1]}
    move(model, 1, "archived", "archive")
    assert recorded(model) == held(model) == {"staging": [], "production": []}
    assert kinds(model) == ["intent", "done"] * 3
    assert chain_problems(model) == []


def test_the_holder_of_a_stage_is_replaced_and_archived() -> None:
    model = model_with_versions(2)
    in_production(model, 1, 2)
    assert recorded(model) == held(model) == {"staging": [], "production": [2]}
    assert versions.find_version(versions.find_model(model), 1).stage == "archived"


def test_many_versions_can_be_archived() -> None:
    model = model_with_versions(2)
    assert move(model, 1, "archived", "archive").body["result"] == "done"
    assert move(model, 2, "archived", "archive").body["result"] == "done"


def test_an_event_names_versions_by_id_and_says_who_and_cites_the_journal() -> None:
    model = model_with_versions(1)
    noted = chains.journal(model).record("note", {})
    move(model, 1, "staging")
    intent, outcome = chains.stages(model).events()
    version = versions.find_version(versions.find_model(model), 1)
    assert intent.body["version"] == {"id": version.id, "number": 1, "artifacts": []}
    assert intent.body["before"] == {"staging": None, "production": None}
    assert intent.body["after"] == outcome.body["holders"] == {"staging": version.holder, "production": None}
    assert intent.body["actor"] == outcome.body["actor"] == ADA.as_dict()
    assert intent.body["journal"] == noted.citation
    assert intent.body["owner"] == this_process()


def test_a_decision_made_on_an_old_head_changes_nothing() -> None:
    model = model_with_versions(2)
    late = stage_ledger(model)
    state = late.settled()
    move(model, 1, "staging")
    with pytest.raises(Conflict, match="first"):
        late.change(state, change(late, 2, "staging"))
    assert recorded(model) == held(model) == {"staging": [1], "production": []}


def test_the_head_is_noted_in_the_models_description_beside_the_teams_own_words() -> None:
    model = model_with_versions(1)
    Client().update_model(model, description="Predicts churn.\n\nAsk ada.")
    head = move(model, 1, "staging")
    head = move(model, 1, "production")
    found = versions.find_model(model)
    assert found.noted_head() == head.citation
    assert found.description.startswith("Predicts churn.\n\nAsk ada.\n\n")
    assert found.description.count("governance ledger") == 1


class TestAfterADeadWriter:
    def test_a_change_that_it_only_intended_is_undone(self) -> None:
        model = model_with_versions(2)
        in_production(model, 1)
        begin(model, 2, "staging", DEAD)
        assert recorded(model) == held(model) == {"staging": [], "production": [1]}
        assert kinds(model)[-3:] == ["intent", "takeover", "aborted"]

    def test_a_change_that_it_made_is_finished(self) -> None:
        model = model_with_versions(1)
        begin(model, 1, "staging", DEAD)
        by_hand(model, 1, "staging")  # as it did right before it died
        assert recorded(model) == held(model) == {"staging": [1], "production": []}
        assert kinds(model)[-3:] == ["intent", "takeover", "done"]
        assert versions.find_model(model).noted_head() == stage_ledger(model).settled().head.citation

    def test_an_archived_version_without_a_stage_is_told_from_one_that_was_not_reached(self) -> None:
        model = model_with_versions(1)
        begin(model, 1, "archived", DEAD)
        stage_ledger(model).settled()
        assert kinds(model)[-1] == "aborted"

    def test_a_second_death_while_taking_over_is_taken_over_as_well(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = model_with_versions(1)
        begin(model, 1, "staging", DEAD)
        ledger = stage_ledger(model)
        with monkeypatch.context() as patch:
            patch.setattr(protocol, "this_process", lambda: DEAD)
            patch.setattr(ledger, "_close", lambda _: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                ledger.settled()
        assert recorded(model) == {"staging": [], "production": []}
        assert kinds(model) == ["intent", "takeover", "takeover", "aborted"]
        assert chains.stages(model).head().body["intent"] == 1

    def test_nothing_is_written_where_only_a_look_was_asked_for(self) -> None:
        model = model_with_versions(1)
        intent = begin(model, 1, "staging", DEAD)
        assert stage_ledger(model).settled(write=False).holders == {"staging": None, "production": None}
        by_hand(model, 1, "staging")
        assert stage_ledger(model).settled(write=False).holders["staging"]["number"] == 1
        assert chains.stages(model).head() == intent

    def test_stages_that_neither_its_beginning_nor_its_end_explains_are_drift(self) -> None:
        model = model_with_versions(3)
        begin(model, 1, "staging", DEAD)
        by_hand(model, 3, "staging")
        with pytest.raises(Refused, match="the ledger says no version, the registry has version 3"):
            stage_ledger(model).settled()
        assert kinds(model)[-1] == "drift"
        by_hand(model, 3, "archived")  # the stages agree again, and yet nobody knows what happened
        with pytest.raises(Refused, match="ledger repair"):
            stage_ledger(model).settled()
        stage_ledger(model).restore("asked")
        assert recorded(model) == {"staging": [], "production": []}


class TestALiveWriter:
    def test_is_left_alone_however_long_it_takes(self) -> None:
        model = model_with_versions(1)
        intent = begin(model, 1, "staging", dict(this_process()), lease=0)
        with pytest.raises(Conflict, match=f"process {this_process()['pid']} on .* is changing a stage"):
            stage_ledger(model).settled()
        assert chains.stages(model).head() == intent

    def test_on_another_machine_is_left_alone_during_its_lease(self) -> None:
        model = model_with_versions(1)
        intent = begin(model, 1, "staging", ELSEWHERE, lease=60)
        with pytest.raises(Conflict, match="its lease is 60 s"):
            stage_ledger(model, lease_seconds=0).settled()
        assert chains.stages(model).head() == intent
        assert chains.journal(model).head().body["for"] == intent.citation | {"chain": f"{model}.stages"}

    def test_on_another_machine_is_taken_over_after_its_lease(self) -> None:
        model = model_with_versions(1)
        begin(model, 1, "staging", ELSEWHERE, lease=0)
        assert recorded(model) == {"staging": [], "production": []}
        assert kinds(model) == ["intent", "takeover", "aborted"]

    def test_is_not_taken_over_by_a_look(self) -> None:
        model = model_with_versions(1)
        begin(model, 1, "staging", ELSEWHERE, lease=0)
        with pytest.raises(Conflict):
            stage_ledger(model).settled(write=False)
        assert chains.journal(model).head() is None


class TestFence:
    def test_a_writer_that_took_half_its_lease_changes_nothing(self) -> None:
        model = model_with_versions(1)
        ledger = stage_ledger(model, lease_seconds=0)
        with pytest.raises(Conflict, match="try again"):
            ledger.change(ledger.settled(), change(ledger, 1, "staging"))
        assert recorded(model) == held(model) == {"staging": [], "production": []}
        assert kinds(model) == ["intent", "aborted"]

    def test_a_stage_changed_by_hand_after_the_decision_is_seen_before_it_is_overwritten(self) -> None:
        model = model_with_versions(3)
        move(model, 3, "staging")
        ledger = stage_ledger(model)
        state = ledger.settled()
        by_hand(model, 2, "staging")
        with pytest.raises(Refused, match="the registry has version 2"):
            ledger.change(state, change(ledger, 1, "staging"))
        assert held(model)["staging"] == [2]

    def test_a_version_deleted_after_the_decision_changes_nothing(self) -> None:
        model = model_with_versions(1)
        ledger = stage_ledger(model)
        planned = change(ledger, 1, "staging")
        state = ledger.settled()
        Client().delete_model_version(UUID(planned.version.id))
        with pytest.raises(Conflict, match="try again"):
            ledger.change(state, planned)
        assert kinds(model) == ["intent", "aborted"]

    def test_a_writer_that_was_taken_over_finds_out_before_it_changes_anything(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = model_with_versions(1)
        ledger = stage_ledger(model)
        state = ledger.settled()
        append = ledger.chain.append

        def append_and_lose(kind: str, body: dict[str, object], after: Event | None) -> Event:
            event = append(kind, body, after)
            if kind == "intent":
                stage_ledger(model).settled()
            return event

        monkeypatch.setattr(protocol, "this_process", lambda: DEAD)
        monkeypatch.setattr(ledger.chain, "append", append_and_lose)
        monkeypatch.setattr(versions, "set_stage", lambda *_, **__: pytest.fail("it changed a stage"))
        with pytest.raises(Conflict, match="taken over"):
            ledger.change(state, change(ledger, 1, "staging"))
        assert kinds(model) == ["intent", "takeover", "aborted"]

    def test_a_change_that_came_after_its_takeover_is_put_back(self, monkeypatch: pytest.MonkeyPatch) -> None:
        model = model_with_versions(2)
        ledger = stage_ledger(model)
        state = ledger.settled()
        set_stage = versions.set_stage

        def set_stage_late(version: str, stage: str, **_: bool) -> None:
            monkeypatch.setattr(versions, "set_stage", set_stage)
            move(model, 2, "staging")
            set_stage(version, stage, replace=True)

        with monkeypatch.context() as patch:
            patch.setattr(protocol, "this_process", lambda: DEAD)
            monkeypatch.setattr(versions, "set_stage", set_stage_late)
            with pytest.raises(Conflict, match="taken over"):
                ledger.change(state, change(ledger, 1, "staging"))
        assert recorded(model) == held(model) == {"staging": [2], "production": []}
        assert chain_problems(model) == []


class TestDrift:
    @pytest.mark.parametrize(("number", "stage"), [(2, "production"), (2, "staging"), (1, "archived")])
    def test_a_stage_changed_by_hand_stops_every_change_until_it_is_restored(self, number: int, stage: str) -> None:
        model = model_with_versions(3)
        in_production(model, 1)
        by_hand(model, number, stage)
        with pytest.raises(Refused, match="changed it by hand"):
            move(model, 3, "staging")
        stage_ledger(model).restore("asked")
        assert recorded(model) == held(model) == {"staging": [], "production": [1]}

    def test_a_holder_without_any_ledger_is_drift_and_no_fresh_start(self) -> None:
        model = model_with_versions(1)
        by_hand(model, 1, "production")
        with pytest.raises(Refused, match="the ledger says no version, the registry has version 1"):
            stage_ledger(model).settled()

    def test_several_holders_of_one_stage_are_brought_back_to_the_one(self) -> None:
        model = model_with_versions(3)
        in_production(model, 1)
        hold_by_sql(model, 2, "production")
        hold_by_sql(model, 3, "production")
        assert sorted(held(model)["production"]) == [1, 2, 3]
        with pytest.raises(Refused, match="drift"):
            stage_ledger(model).settled()
        stage_ledger(model).restore("asked")
        assert recorded(model) == held(model) == {"staging": [], "production": [1]}

    def test_a_deleted_holder_leaves_its_stage_empty_and_the_ledger_says_so(self) -> None:
        model = model_with_versions(2)
        in_production(model, 1)
        Client().delete_model_version(UUID(versions.find_version(versions.find_model(model), 1).id))
        with pytest.raises(Refused, match=r"the ledger says version 1 .*, the registry has no version"):
            stage_ledger(model).settled()
        stage_ledger(model).restore("asked")
        assert recorded(model) == {"staging": [], "production": []}

    def test_restoring_what_agrees_writes_nothing(self) -> None:
        model = model_with_versions(1)
        head = move(model, 1, "staging")
        assert stage_ledger(model).restore("asked") is None
        assert chains.stages(model).head() == head

    def test_a_ledger_that_lost_what_was_noted_stops_every_change(self) -> None:
        model = model_with_versions(1)
        move(model, 1, "staging")
        Client().update_model(f"{model}.stages", name=f"{model}.hidden")
        by_hand(model, 1, "none")  # nobody holds anything, as at the very beginning
        with pytest.raises(Refused, match="ledger-lost-events"):
            stage_ledger(model).settled()
        with pytest.raises(Refused, match="ledger-lost-events"):
            stage_ledger(model).restore("asked")

    def test_a_head_other_than_the_noted_one_stops_every_change(self) -> None:
        model = model_with_versions(1)
        head = move(model, 1, "staging")
        found = versions.find_model(model)
        versions.note_head(found, replace(head, hash="sha256:" + "0" * 64))
        with pytest.raises(Refused, match="ledger-lost-events"):
            stage_ledger(model).settled()


def hold_by_sql(model: str, number: int, stage: str) -> None:
    """Give a stage a second holder, which ZenML's own race can do as well."""
    version = versions.find_version(versions.find_model(model), number)
    statement = sqlalchemy.text("UPDATE model_version SET stage = :stage WHERE id = :id")
    with Client().zen_store.engine.begin() as connection:  # type: ignore[attr-defined]
        connection.execute(statement, {"stage": stage, "id": version.id.replace("-", "")})


@pytest.mark.parametrize("number", [0, -1, 99])
def test_a_version_that_does_not_exist_is_named(number: int) -> None:
    model = versions.find_model(model_with_versions(1))
    with pytest.raises(UsageError, match=f"model {model.name} has no version {number}"):
        versions.find_version(model, number)


def test_a_model_that_does_not_exist_is_named() -> None:
    with pytest.raises(UsageError, match="there is no model nonesuch"):
        versions.find_model("nonesuch")


def test_versions_are_read_newest_first_over_many_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(versions, "PAGE", 2)
    model = versions.find_model(model_with_versions(5))
    assert [version.number for version in versions.newest_versions(model)] == [5, 4, 3, 2, 1]
