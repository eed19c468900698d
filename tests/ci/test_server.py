"""What the platform does over ZenML's REST interface, on a real server with authentication on."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import pytest
from support.ci_project import CIProjects, job_environment, run
from support.command_line import Governance
from support.rendering import git, project_copy
from support.scratch import scratch_project
from support.servers import Answering
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
from support.zenml_server import ZenMLServer

RACES = 5


def test_this_process_is_the_service_account_while_it_is_connected_and_afterwards_what_it_was(
    store: Path, zenml_server: ZenMLServer
) -> None:
    from zenml.client import Client

    before = Client().zen_store.url
    assert before.startswith("sqlite:")
    for _ in range(2):
        with zenml_server.connected():
            assert Client().zen_store.url == zenml_server.url
            assert Client().active_user.name == "ci"
            assert Client().active_user.is_service_account
            stacks = {stack.name for stack in Client().list_stacks()}
            assert stacks >= {"default", "staging", "production", "pro-staging", "pro-production"}
        assert Client().zen_store.url == before
        assert os.environ["ZENML_CONFIG_PATH"] == str(store)


@pytest.mark.parametrize("pro", [False, True])
def test_a_process_of_its_own_uses_a_stack_of_the_server(zenml_server: ZenMLServer, pro: bool, tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text(
        "import os\nfrom zenml.client import Client\nfrom zenml.stack import Stack\n"
        "stack = Client().get_stack(os.environ['ZENML_STAGING_STACK'])\n"
        "print('store', Stack.from_model(stack).artifact_store.path)"
    )
    printed = run(tmp_path, sys.executable, str(script), **zenml_server.env(pro=pro))
    assert f"store {zenml_server.home}/stores/{'pro-' if pro else ''}staging" in printed


def test_a_job_gets_nothing_of_the_process_that_runs_the_tests(monkeypatch: pytest.MonkeyPatch, store: Path) -> None:
    del store
    for name in ("PYTHONPATH", "GITHUB_TOKEN", "CI", "CI_JOB_TOKEN", "VIRTUAL_ENV", "GOVERNANCE_ACTOR", "MAKEFLAGS"):
        monkeypatch.setenv(name, "of the tests")
    left = {name for name, value in job_environment().items() if value == "of the tests" or name.startswith("ZENML_")}
    assert left == set()


def test_a_ci_project_is_set_up_and_pushed_once_and_projects_with_equal_dependencies_share_a_lock(
    ci_project: CIProjects, tmp_path: Path
) -> None:
    github, jenkins = ci_project("github"), ci_project("jenkins")
    assert ci_project("github") is github
    assert (github.root / ".venv/bin/governance").exists()
    assert (github.root / "uv.lock").read_bytes() == (jenkins.root / "uv.lock").read_bytes()
    for project in (github, jenkins):
        assert git(project.root, "status", "--porcelain") == ""
        assert git(project.root, "rev-parse", "origin/main") == git(project.root, "rev-parse", "HEAD")
    clone = github.clone(tmp_path / "clone")
    assert git(clone, "rev-parse", "origin/main") == git(github.root, "rev-parse", "HEAD")


GOVERNANCE = str(Path(sys.executable).with_name("governance"))


def error_of(project: Path, *command: str, **variables: str) -> str:
    """Return the one line that a verb, or a project's run.py, says before it ends with 2."""
    printed = run(project, *command, ends_with=2, **variables)
    said = [line for line in printed.splitlines() if "Retrying" not in line]  # urllib3's
    assert len(said) == 1, printed
    return said[0]


def test_a_key_that_the_server_refuses_is_one_message_of_verbs_and_runs_and_is_not_printed(
    zenml_server: ZenMLServer, tmp_path: Path
) -> None:
    project = project_copy(tmp_path / "project")
    wrong = zenml_server.env() | {"ZENML_STORE_API_KEY": "ZENKEY_wrong", "PYTHONPATH": str(project / "src")}
    for command in ([GOVERNANCE, "ledger", "log"], [sys.executable, "run.py", "--pipeline", "training"]):
        said = error_of(project, *command, **wrong)
        assert said.startswith("error: the ZenML server that ZENML_STORE_URL names refuses the key")
        assert "ZENML_STORE_API_KEY" in said
        assert "ZENKEY_wrong" not in said


def test_a_server_that_is_none_is_one_message_without_its_address(tmp_path: Path, zenml_server: ZenMLServer) -> None:
    project = project_copy(tmp_path / "project")
    with Answering(200, "<html>") as other:
        variables = zenml_server.env() | {"ZENML_STORE_URL": other.url.replace("//", "//user:hidden@")}
        said = error_of(project, GOVERNANCE, "runs", "settle", **variables)
    assert "ZENML_STORE_URL names does not answer, or is none of ZenML's" in said
    assert "hidden" not in said


@pytest.fixture
def churn(over_rest: ZenMLServer) -> Iterator[UUID]:
    """Return the id of a second project, gone afterwards: where there is one alone, nobody needs to name it."""
    from zenml.client import Client

    del over_rest
    project = Client().create_project("churn", "").id
    yield project
    Client().zen_store.delete_project(project)


@pytest.mark.usefixtures("churn")
def test_a_job_that_names_none_of_several_projects_is_told_so(zenml_server: ZenMLServer, tmp_path: Path) -> None:
    governance, project = Path(sys.executable).with_name("governance"), project_copy(tmp_path / "project")
    said = run(project, str(governance), "ledger", "log", ends_with=2, **zenml_server.env())
    assert "has more projects than one: ZENML_PROJECT names the one to work in" in said


def test_a_project_is_chosen_by_name(
    over_rest: ZenMLServer, churn: UUID, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    from zenml.client import Client

    Client().create_model("only-there")
    project = project_copy(tmp_path / "project", model_name="only-there")
    monkeypatch.chdir(project)
    monkeypatch.setenv("ZENML_ACTIVE_PROJECT_ID", "")
    assert governance("ledger", "log")[0] == 0
    monkeypatch.setenv("ZENML_PROJECT", "churn")
    code, _, said = governance("ledger", "log")
    assert (code, "no model only-there in the ZenML project churn" in said) == (2, True)
    assert Client().active_project.id == churn
    monkeypatch.setenv("ZENML_PROJECT", "chur")
    code, _, said = governance("ledger", "log")
    assert (code, "there is no project 'chur', which ZENML_PROJECT names" in said) == (2, True)
    assert "churn, default" in said
    assert governance("policy", "show")[0] == 0, "a verb without ZenML asks nobody"
    assert over_rest.url == Client().zen_store.url


def test_a_server_that_stops_answering_is_told_apart_from_what_else_fails(over_rest: ZenMLServer) -> None:
    from requests import Request
    from requests.exceptions import ConnectTimeout

    from governance_core.registry.connection import explained

    def timeout(url: str) -> ConnectTimeout:
        return ConnectTimeout("key=hidden", request=Request("GET", url).prepare())

    assert "stopped answering; try again" in str(explained(timeout(f"{over_rest.url}/api/v1/models")))
    assert explained(timeout("https://forge.example.com/api/v4/projects")) is None
    assert explained(ConnectTimeout("of whom nobody knows whom it asked")) is None
    assert explained(RuntimeError("of another kind")) is None
    assert explained(FileNotFoundError("a file")) is None


def test_of_two_processes_that_read_one_head_one_gets_the_stage_and_one_a_conflict(
    over_rest: ZenMLServer,
) -> None:
    model = model_with_versions(3)
    in_production(model, 3)

    def take(number: int, wait: AfterReading) -> None:
        ledger = stage_ledger(model)
        state = wait(ledger.settled)()
        ledger.change(state, change(ledger, number, "production"))

    for _ in range(RACES):
        [holder] = held(model)["production"]
        candidates = sorted({1, 2, 3} - {holder})
        wait = AfterReading(2)
        codes = exit_codes([fork(partial(take, number, wait)) for number in candidates])
        assert sorted(codes) == [0, 4], over_rest.log
        assert held(model) == recorded(model) == {"staging": [], "production": [candidates[codes.index(0)]]}
        assert kinds(model)[-2:] == ["intent", "done"]
    assert len(kinds(model)) == 2 * (2 + RACES)
    assert chain_problems(model) == []


@pytest.mark.usefixtures("over_rest")
def test_the_ledger_names_person_account_and_ci_run_and_retention_and_rollback_keep_it_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    monkeypatch.setenv("GOVERNANCE_ENVIRONMENT", "staging")
    github = {
        "GITHUB_ACTIONS": "true",
        "GITHUB_ACTOR": "ada",
        "GITHUB_SERVER_URL": "https://github.example.com",
        "GITHUB_REPOSITORY": "team/project",
        "GITHUB_RUN_ID": "7",
    }
    with scratch_project(tmp_path / "project") as scratch:
        monkeypatch.chdir(scratch.root)
        for _ in range(3):
            scratch.module.training()
        assert governance("runs", "settle")[0] == 0
        for name, value in github.items():
            monkeypatch.setenv(name, value)
        for stage in ("staging", "production"):
            code, _, said = governance("promote", "--version", 1, "--to-stage", stage)
            assert code == 0, said
        deleted = json.loads(governance("retention", "--keep-last", 1, "--json")[1])
        assert [version["number"] for version in deleted["versions"]] == [2]
        assert governance("promote", "--version", 3, "--to-stage", "staging")[0] == 0
        assert governance("promote", "--from-stage", "staging", "--to-stage", "production", "--force")[0] == 0
        assert governance("rollback", "--reason", "wrong scores")[0] == 0
        code, said, _ = governance("ledger", "verify")
        assert (code, "production: version 1" in said) == (0, True)
        events = json.loads(governance("ledger", "log", "--json")[1])["events"]
        trained = [event["body"]["actor"] for event in events if event["kind"] == "evidence"]
        acted = [event["body"]["actor"] for event in events if event["kind"] in {"intent", "outcome", "retention"}]

    assert {actor["id"] for actor in trained} == {"ci"}
    assert all(actor["verified"] for actor in trained), "the server itself knows the account"
    assert len(acted) == 11
    for actor in acted:
        assert (actor["id"], actor["service_account"], actor["verified"]) == ("ada", "ci", False)
        assert actor["ci_run"] == "https://github.example.com/team/project/actions/runs/7"
