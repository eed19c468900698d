"""Promotion, approval and rollback of versions that real governed runs made."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from support.command_line import Governance
from support.scratch import Scratch
from support.stages import chain_problems, held, recorded
from support.trained import journal, model_files, model_of
from zenml.client import Client

from governance_core.core import Refused, UsageError
from governance_core.lifecycle.approval import approve
from governance_core.lifecycle.promotion import promote
from governance_core.lifecycle.rollback import rollback
from governance_core.lifecycle.verification import verify_ledger
from governance_core.registry import chains, versions


def rules(command: Callable[[], Any]) -> set[str]:
    with pytest.raises(Refused) as refusal:
        command()
    return {violation.rule for violation in refusal.value.violations}


def events(trained: Scratch) -> int:
    return len(journal(trained)) + len(list(chains.stages(trained.project.model_name).events()))


def to_production(trained: Scratch, *numbers: int) -> None:
    for number in numbers:
        promote(trained.root, "staging", version=number, force=True)
        promote(trained.root, "production", version=number, force=True)


def production(trained: Scratch) -> list[int]:
    model = trained.project.model_name
    assert held(model) == recorded(model)
    return held(model)["production"]


@pytest.fixture
def person(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda name: monkeypatch.setenv("GOVERNANCE_ACTOR", name)


class TestStages:
    def test_a_version_goes_to_staging_and_from_there_to_production(self, trained: Scratch) -> None:
        staged = promote(trained.root, "staging", version=1, reason="first")
        assert str(staged).startswith(f"{trained.project.model_name} version 1 went to staging (event 2")
        promoted = promote(trained.root, "production", from_stage="staging")
        assert promoted.event.body["result"] == "done"
        assert production(trained) == [1]
        assert verify_ledger(trained.root).violations == ()

    def test_a_release_that_failed_behind_its_promotion_can_be_done_again(self, trained: Scratch) -> None:
        def again() -> list[Any]:
            asked = {"to_stage": "production", "from_stage": "staging"}
            return [approve(trained.root, None, **asked), promote(trained.root, **asked, force=True)]

        to_production(trained, 1)
        written = events(trained)
        approved, promoted = again()
        assert str(approved) == str(promoted)
        assert str(promoted) == f"{trained.project.model_name} version 1 is already in production; nothing was changed"
        assert (approved.already, promoted.already, events(trained)) == (True, True, written)

        promote(trained.root, "staging", version=2)
        promote(trained.root, "archived", version=2)
        with pytest.raises(UsageError, match="is in staging"):  # the newest change was another
            again()
        to_production(trained, 3)
        rollback(trained.root, reason="worse")
        assert production(trained) == [1]
        for command in (approve, promote):
            named = {"version": None} if command is approve else {}
            with pytest.raises(UsageError, match="is in staging"):
                command(trained.root, to_stage="production", from_stage="staging", **named)

    def test_the_event_says_who_why_from_where_on_what_grounds(self, trained: Scratch) -> None:
        promote(trained.root, "staging", version=1, reason="because")
        intent = next(chains.stages(trained.project.model_name).events())
        evidence = journal(trained)[0]
        assert intent.body["actor"]["id"] == "trainer@example.com"
        assert (intent.body["reason"], intent.body["from"], intent.body["force"]) == ("because", None, False)
        assert intent.body["evidence"] == evidence.citation
        assert intent.body["journal"] == journal(trained)[-1].citation
        assert intent.body["policy"].startswith("sha256:")
        [model] = evidence.body["models"]
        assert intent.body["version"]["artifacts"] == [{"artifact": model["artifact"], "digest": model["digest"]}]

    def test_production_without_staging_is_refused(self, trained: Scratch) -> None:
        assert rules(lambda: promote(trained.root, "production", version=1)) == {"stage-order"}
        with pytest.raises(UsageError, match="is in staging"):
            promote(trained.root, "production")

    def test_what_is_in_production_does_not_go_back_to_staging(self, trained: Scratch) -> None:
        to_production(trained, 3)
        assert rules(lambda: promote(trained.root, "staging", version=3, force=True)) == {"stage-order"}

    def test_nothing_older_than_the_newest_goes_to_staging_unnamed(self, trained: Scratch) -> None:
        to_production(trained, 3)
        assert rules(lambda: promote(trained.root, "staging", force=True)) == {"stage-order"}

    @pytest.mark.parametrize("stage", ["staging", "production"])
    def test_an_occupied_stage_is_refused_without_force_which_replaces_its_holder(
        self, trained: Scratch, stage: str
    ) -> None:
        promote(trained.root, "staging", version=1)
        if stage == "production":
            promote(trained.root, "production", version=1)
            promote(trained.root, "staging", version=2)
        assert rules(lambda: promote(trained.root, stage, version=2)) == {"stage-occupied"}
        decision = promote(trained.root, stage, version=2, force=True)
        assert "in place of version 1" in str(decision)
        assert held(trained.project.model_name)[stage] == [2]

    def test_force_skips_no_check(self, trained: Scratch) -> None:
        assert rules(lambda: promote(trained.root, "production", version=1, force=True)) == {"stage-order"}

    def test_what_no_governed_run_made_is_never_promoted(self, trained: Scratch) -> None:
        Client().create_model_version(trained.project.model_name)
        assert rules(lambda: promote(trained.root, "staging", version=4, force=True)) == {"no-model-artifact"}

    def test_a_version_that_holds_the_stage_is_left_there_and_nothing_is_written(self, trained: Scratch) -> None:
        promote(trained.root, "staging", version=1)
        before = events(trained)
        assert promote(trained.root, "staging", version=1).already
        assert events(trained) == before

    def test_production_is_archived_only_with_force(self, trained: Scratch) -> None:
        to_production(trained, 1)
        assert rules(lambda: promote(trained.root, "archived", version=1)) == {"production-holder"}
        promote(trained.root, "archived", version=1, force=True)
        assert production(trained) == []
        assert promote(trained.root, "archived", version=1).already

    def test_what_holds_no_stage_is_archived_without_any_check(self, trained: Scratch) -> None:
        for number in (1, 2, 3):
            promote(trained.root, "archived", version=number)
        assert {version.stage for version in versions.newest_versions(model_of(trained))} == {"archived"}

    def test_a_dry_run_says_the_same_and_writes_nothing(self, trained: Scratch) -> None:
        before = events(trained)
        foreseen = promote(trained.root, "staging", dry_run=True)
        assert rules(lambda: promote(trained.root, "production", version=1, dry_run=True)) == {"stage-order"}
        assert events(trained) == before
        done = promote(trained.root, "staging")
        same = {"action", "model", "version", "to", "before", "after"}
        assert {name: foreseen.as_dict()[name] for name in same} == {name: done.as_dict()[name] for name in same}
        assert "would go to staging" in str(foreseen)

    def test_every_refusal_is_an_event_with_every_rule_and_what_was_asked(self, trained: Scratch) -> None:
        to_production(trained, 1)
        found = rules(lambda: promote(trained.root, "production", version=2, reason="hurry"))
        assert found == {"stage-order", "stage-occupied"}
        refusal = journal(trained)[-1]
        assert refusal.kind == "refusal"
        assert {violation["rule"] for violation in refusal.body["violations"]} == found
        assert (refusal.body["number"], refusal.body["to"], refusal.body["reason"]) == (2, "production", "hurry")
        assert refusal.body["actor"]["id"] == "trainer@example.com"

    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            ({"to_stage": "live"}, "unknown stage 'live'; allowed here: staging, production, archived"),
            ({"to_stage": "staging", "from_stage": "live"}, "unknown stage 'live'; allowed here: staging, production"),
            ({"to_stage": "staging", "version": 9}, "has no version 9"),
            ({"to_stage": "staging", "model": "nonesuch"}, "there is no model nonesuch"),
            ({"to_stage": "production", "from_stage": "staging"}, "no version of .* is in staging"),
            ({"to_stage": "archived"}, "name the version to archive"),
            ({"to_stage": "staging", "version": 1, "from_stage": "staging"}, "not both"),
        ],
    )
    def test_what_does_not_exist_is_named(self, trained: Scratch, arguments: dict[str, Any], message: str) -> None:
        with pytest.raises(UsageError, match=message):
            promote(trained.root, **arguments)


@pytest.fixture
def high(trained: Scratch) -> Scratch:
    """A project of which production needs approvals by two people."""
    trained.write("governance.yaml", "policy:\n  production:\n    approvals: 2\n")
    trained.commit()
    promote(trained.root, "staging", version=1)
    return trained


class TestApprovals:
    def test_production_needs_as_many_people_as_policy_says(self, high: Scratch, person: Callable[[str], None]) -> None:
        assert rules(lambda: promote(high.root, "production", version=1)) == {"approvals"}
        person("ada@example.org")
        assert "1 of 2" in str(approve(high.root, 1, "production", reason="read the report"))
        with pytest.raises(Refused, match=r"1 of 2 approvals by distinct people \(ada@example.org\)"):
            promote(high.root, "production", version=1)
        person("grace@example.org")
        assert approve(high.root, 1, "production").given == 2
        promote(high.root, "production", version=1)
        intent = list(chains.stages(high.project.model_name).events())[2]
        given = [event.citation for event in journal(high) if event.kind == "approval"]
        assert intent.body["approvals"] == given

    def test_nobody_approves_what_they_trained(self, high: Scratch, person: Callable[[str], None]) -> None:
        person("Trainer@Example.com")
        assert rules(lambda: approve(high.root, 1, "production")) == {"own-approval"}
        assert journal(high)[-1].kind == "refusal"

    def test_nobody_approves_twice(self, high: Scratch, person: Callable[[str], None]) -> None:
        person("ada@example.org")
        approve(high.root, 1, "production")
        person("ADA@example.org")
        assert rules(lambda: approve(high.root, 1, "production")) == {"approved-twice"}

    def test_what_got_into_the_journal_past_the_command_does_not_count(
        self, high: Scratch, person: Callable[[str], None]
    ) -> None:
        person("ada@example.org")
        approve(high.root, 1, "production")
        given = journal(high)[-1].body
        chain = chains.journal(high.project.project_slug)
        chain.record("approval", given)  # the same person again
        chain.record("approval", given | {"actor": {"id": "trainer@example.com"}})
        chain.record("approval", given | {"actor": {"id": "eve"}, "artifacts": []})
        with pytest.raises(Refused, match=r"1 of 2 approvals by distinct people \(ada@example.org\)"):
            promote(high.root, "production", version=1)

    def test_evidence_that_the_run_did_not_write_itself_hides_nobody(
        self, high: Scratch, person: Callable[[str], None]
    ) -> None:
        genuine = next(event.body for event in journal(high) if event.body["number"] == 1)
        chains.journal(high.project.project_slug).record("evidence", genuine | {"actor": {"id": "eve"}})
        person("trainer@example.com")
        assert rules(lambda: approve(high.root, 1, "production")) == {"own-approval"}

    def test_an_approved_version_whose_model_file_changed_is_refused(
        self, high: Scratch, person: Callable[[str], None]
    ) -> None:
        for name in ("ada", "grace"):
            person(name)
            approve(high.root, 1, "production")
        file = model_files(high, 1)[0]
        file.write_bytes(file.read_bytes() + b" ")
        assert rules(lambda: promote(high.root, "production", version=1)) == {"artifact-changed"}

    def test_an_approval_counts_for_its_version_only(self, high: Scratch, person: Callable[[str], None]) -> None:
        for name in ("ada", "grace"):
            person(name)
            approve(high.root, 2, "production")
        assert rules(lambda: promote(high.root, "production", version=1)) == {"approvals"}

    def test_what_no_governed_run_made_cannot_be_approved(self, high: Scratch, person: Callable[[str], None]) -> None:
        Client().create_model_version(high.project.model_name)
        person("ada")
        assert rules(lambda: approve(high.root, 4, "production")) == {"no-evidence"}

    def test_only_production_asks_for_approvals(self, high: Scratch) -> None:
        with pytest.raises(UsageError, match="allowed here: production"):
            approve(high.root, 1, "staging")


class TestRollback:
    def test_production_goes_to_what_was_there_before_and_it_is_recorded(
        self, trained: Scratch, person: Callable[[str], None]
    ) -> None:
        to_production(trained, 1, 2)
        person("night-shift@example.org")
        decision = rollback(trained.root, reason="wrong scores")
        assert production(trained) == [1]
        assert "version 1 went to production, in place of version 2" in str(decision)
        intent = list(chains.stages(trained.project.model_name).events())[-2]
        assert intent.body["actor"]["id"] == "night-shift@example.org"
        assert intent.body["reason"] == "wrong scores"
        assert (intent.body["from"]["number"], intent.body["version"]["number"]) == (2, 1)
        assert chain_problems(trained.project.model_name) == []

    def test_there_is_no_moment_without_a_version_in_production(
        self, trained: Scratch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        to_production(trained, 1, 2)
        moves: list[tuple[Any, ...]] = []
        set_stage = versions.set_stage

        def counted(*arguments: Any, **named: Any) -> None:
            moves.append(arguments)
            set_stage(*arguments, **named)

        monkeypatch.setattr(versions, "set_stage", counted)
        rollback(trained.root)
        assert len(moves) == 1  # one call, which ZenML makes one transaction

    def test_rolling_back_twice_goes_on_back_and_does_not_toggle(self, trained: Scratch) -> None:
        to_production(trained, 1, 2, 3)
        rollback(trained.root)
        assert production(trained) == [2]
        rollback(trained.root)
        assert production(trained) == [1]
        with pytest.raises(Refused, match=r"no version that was in production before; --to-version reaches .*: 2, 3"):
            rollback(trained.root)

    def test_a_version_that_was_rolled_back_from_is_reached_by_its_number(self, trained: Scratch) -> None:
        to_production(trained, 1, 2)
        rollback(trained.root)
        rollback(trained.root, to_version=2)
        assert production(trained) == [2]

    def test_a_version_promoted_after_a_rollback_goes_back_past_the_one_that_was_left(self, trained: Scratch) -> None:
        to_production(trained, 1, 2)
        rollback(trained.root)
        to_production(trained, 3)
        rollback(trained.root)
        assert production(trained) == [1]

    def test_an_emptied_production_goes_back_to_its_last_version(self, trained: Scratch) -> None:
        to_production(trained, 1)
        promote(trained.root, "archived", version=1, force=True)
        rollback(trained.root)
        assert production(trained) == [1]

    def test_past_the_first_version_there_is_nothing(self, trained: Scratch) -> None:
        assert rules(lambda: rollback(trained.root)) == {"nothing-before"}
        to_production(trained, 1)
        with pytest.raises(Refused, match=r"the ledger knows no version that was in production before$"):
            rollback(trained.root)
        assert journal(trained)[-1].kind == "refusal"

    def test_a_version_that_was_never_in_production_is_no_way_back(self, trained: Scratch) -> None:
        to_production(trained, 1, 2)
        assert rules(lambda: rollback(trained.root, to_version=3)) == {"never-in-production"}
        assert production(trained) == [2]

    def test_the_version_in_production_is_left_there_and_nothing_is_written(self, trained: Scratch) -> None:
        to_production(trained, 1)
        before = events(trained)
        assert rollback(trained.root, to_version=1).already
        assert events(trained) == before

    def test_an_artifact_that_changed_since_is_no_way_back(self, trained: Scratch) -> None:
        to_production(trained, 1, 2)
        files = model_files(trained, 1)
        files[0].write_bytes(files[0].read_bytes() + b" ")
        assert rules(lambda: rollback(trained.root)) == {"artifact-changed", "choose"}
        for file in files:
            file.unlink()
        assert rules(lambda: rollback(trained.root)) == {"artifact-gone", "choose"}
        assert production(trained) == [2]

    def test_a_deleted_version_is_no_way_back(self, scratch: Scratch) -> None:
        scratch.module.training()
        scratch.module.training()
        to_production(scratch, 1, 2)
        found = Client().get_model_version(scratch.project.model_name, 1)
        Client().delete_model_version(found.id)
        assert rules(lambda: rollback(scratch.root)) == {"version-gone", "choose"}

    def test_a_broken_chain_is_no_ground_to_go_back_on(self, trained: Scratch) -> None:
        to_production(trained, 1, 2)
        chain = chains.stages(trained.project.model_name).name
        event = Client().get_model_version(chain, "e000003")
        Client().update_model_version(chain, event.id, description=event.description.replace("ada", "eve") + " ")
        assert rules(lambda: rollback(trained.root)) == {"chain-broken"}

    def test_a_dry_run_says_the_same_and_writes_nothing(self, trained: Scratch) -> None:
        to_production(trained, 1, 2)
        before = events(trained)
        foreseen = rollback(trained.root, dry_run=True)
        assert (events(trained), production(trained)) == (before, [2])
        same = {"action", "model", "version", "to", "before", "after", "shown"}
        done = rollback(trained.root)
        assert {name: foreseen.as_dict()[name] for name in same} == {name: done.as_dict()[name] for name in same}

    def test_what_todays_policy_says_is_shown_and_recorded_and_no_obstacle(self, trained: Scratch) -> None:
        to_production(trained, 1, 2)
        trained.write("governance.yaml", "policy: {production: {approvals: -1}}\n")
        decision = rollback(trained.root)
        assert [found.rule for found in decision.shown] == ["policy-unreadable"]
        assert "today's policy would refuse it" in str(decision)
        intent = list(chains.stages(trained.project.model_name).events())[-2]
        assert [found["rule"] for found in intent.body["today"]] == ["policy-unreadable"]
        assert production(trained) == [1]

    def test_very_many_violations_bar_neither_the_way_back_nor_the_record_of_a_refusal(self, trained: Scratch) -> None:
        to_production(trained, 1, 2)
        promote(trained.root, "staging", version=3)
        for number in range(500):
            trained.write(f"governance/{'x' * 200}{number}", "")
        with pytest.raises(Refused) as refusal:
            promote(trained.root, "production", force=True)
        assert len(refusal.value.violations) == 500
        recorded = journal(trained)[-1].body["violations"]
        assert (len(recorded), recorded[-1]) == (101, {"rule": "and-more", "message": "400 more"})
        assert len(rollback(trained.root).shown) == 500
        assert production(trained) == [1]


class TestCommands:
    """The verbs, as a user types them: what they print and with which code they end."""

    def test_the_way_of_a_version(
        self, trained: Scratch, monkeypatch: pytest.MonkeyPatch, governance: Governance
    ) -> None:
        monkeypatch.chdir(trained.root / "src")
        code, shown, _ = governance("promote", "--version", "1", "--to-stage", "staging", "--json")
        assert (code, json.loads(shown)["version"]["number"]) == (0, 1)
        assert governance("promote", "--from-stage", "staging", "--to-stage", "production")[0] == 0
        assert governance("promote", "--version", "2", "--to-stage", "production")[0] == 3
        assert governance("rollback")[0] == 3
        assert governance("rollback", "--to-version", "0")[0] == 2
        assert governance("promote", "--version", "0", "--to-stage", "staging")[0] == 2
        assert governance("approve", "--version", "2", "--to-stage", "production")[0] == 3
        monkeypatch.setenv("GOVERNANCE_ACTOR", "ada@example.org")
        code, shown, _ = governance("approve", "--version", "2", "--to-stage", "production", "--json")
        assert (code, json.loads(shown)["given"]) == (0, 1)
        code, shown, _ = governance("ledger", "verify", "--json")
        assert (code, json.loads(shown)["holds"]) == (0, True)
        code, shown, _ = governance("ledger", "log", "--limit", "3")
        assert code == 0
        assert [line.split()[3] for line in shown.splitlines()] == ["approval", "refusal", "refusal"]
        assert "ada@example.org (unverified)" in shown
        code, shown, _ = governance("ledger", "log", "--json")
        assert json.loads(shown)["events"][0]["kind"] == "approval"

    def test_a_ledger_that_does_not_hold_and_its_repair(
        self, trained: Scratch, monkeypatch: pytest.MonkeyPatch, governance: Governance
    ) -> None:
        to_production(trained, 1)
        monkeypatch.chdir(trained.root)
        by_hand = Client().get_model_version(trained.project.model_name, 2)
        Client().update_model_version(trained.project.model_name, by_hand.id, stage="production", force=True)
        code, shown, _ = governance("ledger", "verify", "--json")
        assert (code, json.loads(shown)["holds"]) == (3, False)
        assert "the registry has version 2" in governance("ledger", "verify")[1]
        assert governance("promote", "--version", "2", "--to-stage", "staging")[0] == 3
        assert "has again what the ledger says" in governance("ledger", "repair", "--reason", "by hand")[1]
        assert "nothing was changed" in governance("ledger", "repair")[1]
        assert production(trained) == [1]
        assert governance("ledger", "verify")[0] == 0
