"""What the platform does over ZenML's REST interface, on a real server with authentication on."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest
from support.ci_project import CIProjects, job_environment, run
from support.rendering import git
from support.zenml_server import ZenMLServer


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
            assert stacks == {"default", "staging", "production", "pro-staging", "pro-production"}
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
