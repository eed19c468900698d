"""Somebody changes the store itself: what `ledger verify` finds, and what only a signed copy would.

Not found, and said so in `governance_core.ledger`: the last event replaced by one with a right hash, the end of a chain
cut off, and a whole chain written anew. The head noted in the model's description finds those who forget it.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner
from support.scratch import Scratch
from support.stages import held, move
from support.trained import execute, model_of
from zenml.cli.artifact import prune_artifacts
from zenml.client import Client

from governance_core.core import Refused, canonical_json, digest, this_process
from governance_core.ledger import event_name, seal
from governance_core.lifecycle.promotion import promote
from governance_core.lifecycle.repair import repair
from governance_core.lifecycle.verification import Verification, verify_ledger
from governance_core.registry import chains, versions

LAST = 6  # events of the stage chain


@pytest.fixture
def project(trained: Scratch) -> Scratch:
    """Version 1 is in production and version 2 in staging; the journal holds evidence and more."""
    journal = chains.journal(trained.project.project_slug)
    for number, stage in ((1, "staging"), (1, "production"), (2, "staging")):
        move(trained.project.model_name, number, stage, slug=trained.project.project_slug)
        journal.record("approval", {"version": None})
    assert verify_ledger(trained.root).violations == ()
    return trained


def stage_chain(project: Scratch) -> chains.Chain:
    return chains.stages(project.project.model_name)


def journal_chain(project: Scratch) -> chains.Chain:
    return chains.journal(project.project.project_slug)


def found(project: Scratch) -> set[tuple[str, str]]:
    """Return rule and first words of every violation."""
    violations = verify_ledger(project.root).violations
    return {(violation.rule, violation.message.split(":")[0]) for violation in violations}


def row(chain: chains.Chain, seq: int) -> str:
    return Client().get_model_version(chain.name, event_name(seq)).id.hex


def write(chain: chains.Chain, seq: int, text: str) -> None:
    execute("UPDATE model_version SET description = :text WHERE id = :id", text=text, id=row(chain, seq))


def text(chain: chains.Chain, seq: int) -> str:
    return dict(chain.records())[event_name(seq)]


def forged(original: str, **changes: object) -> str:
    """Return an event's text with other fields and a hash that fits them."""
    fields = json.loads(original) | changes
    del fields["hash"]
    return canonical_json(fields | {"hash": digest(fields)}).decode()


EITHER = pytest.mark.parametrize("chain_of", [stage_chain, journal_chain], ids=["stages", "journal"])
ChainOf = Callable[[Scratch], chains.Chain]


@EITHER
@pytest.mark.parametrize("rehashed", [False, True], ids=["plainly", "with a right hash"])
def test_an_event_edited_by_sql(project: Scratch, chain_of: ChainOf, rehashed: bool) -> None:
    chain = chain_of(project)
    original = text(chain, 2)
    write(chain, 2, forged(original, at="1999") if rehashed else original.replace('"kind":"', '"kind":"x'))
    at = 3 if rehashed else 2
    assert ("chain-broken", f"{chain.name} event {at}") in found(project)


def test_an_event_edited_through_zenmls_own_client(project: Scratch) -> None:
    chain = stage_chain(project)
    Client().update_model_version(chain.name, event_name(1), description="{}")
    assert found(project) >= {("chain-broken", f"{chain.name} event 1")}


@EITHER
def test_a_deleted_event(project: Scratch, chain_of: ChainOf) -> None:
    chain = chain_of(project)
    Client().delete_model_version(Client().get_model_version(chain.name, event_name(3)).id)
    assert ("chain-broken", f"{chain.name} event 4") in found(project)


@EITHER
def test_the_first_event_deleted(project: Scratch, chain_of: ChainOf) -> None:
    chain = chain_of(project)
    Client().delete_model_version(Client().get_model_version(chain.name, event_name(1)).id)
    assert ("chain-broken", f"{chain.name} event 2") in found(project)


@EITHER
def test_two_events_exchanged(project: Scratch, chain_of: ChainOf) -> None:
    chain = chain_of(project)
    second, third = text(chain, 2), text(chain, 3)
    write(chain, 2, third)
    write(chain, 3, second)
    assert {rule for rule, _ in found(project)} >= {"chain-broken"}


@EITHER
def test_an_inserted_event(project: Scratch, chain_of: ChainOf) -> None:
    chain = chain_of(project)
    second = next(chain.events(after_seq=1))
    Client().create_model_version(chain.name, name="fork", description=seal(chain.name, "note", {}, second).text)
    assert {rule for rule, _ in found(project)} >= {"chain-broken"}


@EITHER
def test_an_event_under_another_name(project: Scratch, chain_of: ChainOf) -> None:
    chain = chain_of(project)
    Client().update_model_version(chain.name, event_name(2), name="renamed")
    assert found(project) == {("chain-broken", f"{chain.name} event 2")}


def test_a_renamed_stage_chain(project: Scratch) -> None:
    Client().update_model(stage_chain(project).name, name=f"hidden-{project.package}")
    rules = {rule for rule, _ in found(project)}
    Client().update_model(f"hidden-{project.package}", name=stage_chain(project).name)
    assert rules == {"ledger-lost-events", "drift"}


def test_a_renamed_stage_chain_of_stages_that_nobody_holds(project: Scratch) -> None:
    for number in (1, 2):
        move(project.project.model_name, number, "archived", "archive")
    Client().update_model(stage_chain(project).name, name=f"hidden-{project.package}")
    assert {rule for rule, _ in found(project)} == {"ledger-lost-events"}
    with pytest.raises(Refused, match="ledger-lost-events"):
        promote(project.root, "staging", version=3)
    Client().update_model(f"hidden-{project.package}", name=stage_chain(project).name)


def test_a_renamed_journal(project: Scratch) -> None:
    Client().update_model(journal_chain(project).name, name=f"hidden-{project.package}")
    assert {rule for rule, _ in found(project)} == {"journal-lost-events"}


def test_another_models_chain_under_this_models_name(project: Scratch) -> None:
    chain = stage_chain(project)
    Client().update_model(chain.name, name=f"hidden-{project.package}")
    other = chains.Chain(f"other-{project.package}.stages")
    other.record("note", {})
    Client().update_model(other.name, name=chain.name)
    assert ("chain-broken", f"{chain.name} event 1") in found(project)
    Client().delete_model(chain.name)
    Client().update_model(f"hidden-{project.package}", name=chain.name)


def test_a_stage_chain_cut_off_behind_the_noted_head(project: Scratch) -> None:
    chain = stage_chain(project)
    assert chain.head().seq == LAST
    Client().delete_model_version(Client().get_model_version(chain.name, event_name(LAST)).id)
    assert "ledger-lost-events" in {rule for rule, _ in found(project)}


def test_a_last_event_replaced_by_somebody_who_forgets_the_noted_head(project: Scratch) -> None:
    chain = stage_chain(project)
    write(chain, LAST, forged(text(chain, LAST), at="1999"))
    assert {rule for rule, _ in found(project)} == {"ledger-lost-events"}


def test_verify_names_the_heads_to_be_kept_elsewhere(project: Scratch) -> None:
    verification = verify_ledger(project.root).as_dict()
    assert verification["heads"] == {
        chain.name: chain.head().citation for chain in (stage_chain(project), journal_chain(project))
    }
    json.dumps(verification)


def test_a_journal_cut_off_and_written_on(project: Scratch) -> None:
    chain = journal_chain(project)
    for seq in (6, 5, 4):
        Client().delete_model_version(Client().get_model_version(chain.name, event_name(seq)).id)
    fresh = journal_chain(project)
    for _ in range(2):
        fresh.record("approval", {"version": None})
    assert {rule for rule, _ in found(project)} == {"journal-lost-events"}


@pytest.mark.parametrize(("number", "stage"), [(3, "production"), (3, "staging"), (1, "archived"), (2, "none")])
def test_a_stage_set_by_hand_is_found_and_put_back(project: Scratch, number: int, stage: str) -> None:
    model = model_of(project)
    version = Client().get_model_version(model.id, number)
    Client().update_model_version(model.id, version.id, stage=stage, force=True)
    assert {rule for rule, _ in found(project)} == {"drift"}
    outcome = repair(project.root, reason="by hand")
    assert outcome.body["action"] == "repair"
    assert held(model.name) == {"staging": [2], "production": [1]}
    assert verify_ledger(project.root).violations == ()


def test_a_broken_chain_is_no_ground_for_a_repair(project: Scratch) -> None:
    write(stage_chain(project), 2, "{}")
    with pytest.raises(Refused, match="chain-broken"):
        repair(project.root)
    assert journal_chain(project).head().body["action"] == "repair"


def test_an_event_of_another_kind_in_the_stage_chain_stops_every_change(project: Scratch) -> None:
    stage_chain(project).record("note", {})
    assert ("chain-broken", f"{stage_chain(project).name} event 7") in found(project)


def test_pruning_artifacts_takes_nothing_from_the_ledger(project: Scratch) -> None:
    before = list(stage_chain(project).records()), list(journal_chain(project).records())
    assert CliRunner().invoke(prune_artifacts, ["--yes", "--only-metadata"]).exit_code == 0
    assert (list(stage_chain(project).records()), list(journal_chain(project).records())) == before
    assert verify_ledger(project.root).violations == ()


def test_what_a_dead_process_left_is_explained_and_is_no_violation(project: Scratch) -> None:
    chain = stage_chain(project)
    head = chain.head()
    intent = list(chain.events())[-2]
    owner = {"owner": this_process() | {"started": "0"}}
    after = {"staging": None, "production": head.body["holders"]["staging"]}
    body = {**intent.body, **owner, "to": "production", "before": head.body["holders"], "after": after}
    chain.append("intent", body, after=head)
    verification: Verification = verify_ledger(project.root)
    assert verification.violations == ()
    assert "event 7 began promote of version 2 to production by process" in str(verification)
    assert verification.unfinished.endswith("which died; the next command undoes it")
    versions.set_stage(intent.body["version"]["id"], "production", replace=True)
    assert verify_ledger(project.root).unfinished.endswith("which died; the next command finishes it")
    versions.set_stage(versions.find_version(model_of(project), 3).id, "production", replace=True)
    verification = verify_ledger(project.root)
    assert verification.unfinished.endswith("which died; the next command cannot explain it")
    assert {violation.rule for violation in verification.violations} == {"drift"}
