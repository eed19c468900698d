"""Who may do what: the table is complete, true to ZenML's terms, and the page says the same."""

from __future__ import annotations

import json
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import typer
from pydantic import ValidationError
from support.command_line import Governance
from support.rendering import render
from support.scratch import Scratch
from zenml.cli.cli import cli
from zenml.client import Client
from zenml.zen_server.rbac.models import Action, ResourceType

from governance_core.access import OF_THE_WORKSPACE, AccessTable, access_table, by_level, markdown, model_commands
from governance_core.cli.app import VERBS, app
from governance_core.lifecycle.promotion import promote
from governance_core.lifecycle.verification import verify_ledger

TABLE = access_table()
PEOPLE = {"platform-engineer", "data-scientist", "reviewer", "auditor"}
PAGE = Path(__file__).parents[2] / "docs/reference/access.md"


def existing_verbs() -> set[str]:
    for verbs in VERBS:
        import_module(f"governance_core.cli.{verbs}")

    def below(command: Any, words: tuple[str, ...]) -> set[str]:
        if not hasattr(command, "commands"):
            return {" ".join(words)}
        return set().union(*(below(verb, (*words, name)) for name, verb in command.commands.items()))

    return below(typer.main.get_command(app), ())


def test_every_verb_that_writes_has_somebody_who_may_call_it_and_every_other_is_known_to_read() -> None:
    writes = {verb.partition(" --")[0] for verb in TABLE.verbs}
    assert writes.isdisjoint(TABLE.reads)
    assert existing_verbs() == writes | set(TABLE.reads)


def test_the_roles_are_those_of_people_and_of_machines() -> None:
    assert TABLE.roles.keys() == PEOPLE | {"ci-staging", "ci-production", "run"}


def test_a_role_names_rights_that_exist() -> None:
    for name in TABLE.roles:
        assert TABLE.permissions(name), name


def test_permissions_are_in_zenmls_own_words_and_on_the_level_where_zenml_has_them() -> None:
    for name in TABLE.roles:
        for kind, actions in TABLE.permissions(name).items():
            assert {Action(action) for action in actions}
            assert (kind in OF_THE_WORKSPACE) is not ResourceType(kind).is_project_scoped()
    levels = by_level(TABLE.permissions("ci-staging"))
    assert levels["workspace"]["secret"] == ["read", "read_secret_value"]
    assert levels["project"]["model"] == ["create", "promote", "read", "update"]


def test_whoever_only_reads_changes_nothing() -> None:
    assert {action for actions in TABLE.permissions("auditor").values() for action in actions} == {"read"}
    assert TABLE.verbs_of("auditor") == []


def test_only_who_promotes_may_promote_and_only_a_platform_engineer_keeps_secrets() -> None:
    permissions = {name: TABLE.permissions(name) for name in TABLE.roles}
    assert {name for name, held in permissions.items() if "promote" in held["model"]} == {
        "platform-engineer",
        "ci-staging",
        "ci-production",
    }
    assert {name for name, held in permissions.items() if "update" in held.get("secret", ())} == {"platform-engineer"}
    assert not {"create", "delete"} & set(permissions["reviewer"].get("pipeline_run", ()))


def test_a_table_that_gives_a_verb_to_a_role_without_the_rights_is_refused() -> None:
    slip = TABLE.model_dump(by_alias=True)
    slip["verbs"]["rollback"]["by"] = ["reviewer"]
    with pytest.raises(ValidationError, match="reviewer may call rollback and lacks rights of production"):
        AccessTable.model_validate(slip)
    slip = TABLE.model_dump(by_alias=True)
    slip["verbs"]["retention"]["by"] = ["ci-staging"]
    with pytest.raises(ValidationError, match="lacks rights of models, runs, artifacts"):
        AccessTable.model_validate(slip)


def test_the_page_holds_the_tables_and_commands_of_the_data() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert markdown(TABLE) in page


@pytest.mark.parametrize("mode", ["oss", "pro"])
def test_the_verb_prints_the_roles_and_commands_that_zenml_takes(
    governance: Governance, monkeypatch: pytest.MonkeyPatch, mode: str
) -> None:
    monkeypatch.chdir(render(snapshot_mode=mode))
    code, out, _ = governance("access")
    assert code == 0
    assert "ci-production: the jobs of the environments production and operations" in out
    assert "calls ledger repair, rollback, secrets apply, secrets rotate, stack register" in out
    assert ("ZenML without Pro has no roles" in out) is (mode == "oss")
    assert ("auditor, project: artifact read; artifact_version read" in out) is (mode == "pro")
    printed = json.loads(governance("access", "--json")[1])
    assert printed["roles"].keys() == TABLE.roles.keys()
    assert out.endswith("\n".join(["", *printed["commands"], ""]))
    if mode == "oss":
        assert printed["commands"].pop(0) == "umask 077", "before a key is written into a file"
    assert len(printed["commands"]) == 3
    for command in printed["commands"]:
        parsed(command.split())


def test_models_that_a_platform_engineer_registered_are_trained_and_promoted(scratch: Scratch) -> None:
    for command in model_commands(scratch.project.model_name, scratch.project.project_slug):
        Client().create_model(command.rpartition(" ")[2])
    before = Client().list_models(size=1).total
    scratch.module.training()
    promote(scratch.root, "staging", version=1)
    assert Client().list_models(size=1).total == before
    assert verify_ledger(scratch.root).violations == ()


def parsed(words: list[str]) -> None:
    """Parse a command of zenml's without running it; a slip ends the test with click's own message."""
    command: Any = cli
    while hasattr(command, "commands"):
        command, words = command.commands[words[1]], words[1:]
    command.make_context(command.name, words[1:])
