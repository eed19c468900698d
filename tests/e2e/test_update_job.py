"""The job that takes the next release: from a locked project to a pushed branch and a change request."""

import os
import runpy
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.forge import TOKEN, Forge, Item
from support.releases import NOW, scratch_clone
from support.rendering import ROOT, commit_all, copy_template, edit, git, start_repository

BRANCH = f"platform/{NOW}"
SCRIPT = "scripts/update_template.py"
UV = shutil.which("uv") or str(ROOT / "build/uv/bin/uv")
Update = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a project of the first of two releases, locked and committed."""
    folder = tmp_path_factory.mktemp("releases")
    platform = scratch_clone(folder / "platform", "HEAD")
    source = {"governance_source": "git", "governance_location": f"file://{platform}"}
    project = start_repository(copy_template(folder / "project", f"git+file://{platform}", "v0.0.1", **source))
    shutil.copy(ROOT / "template" / SCRIPT, project / SCRIPT)  # as it stands, also where it is not committed
    subprocess.run([UV, "lock", "--quiet"], cwd=project, check=True)
    commit_all(project, "Lock")
    return project


@pytest.fixture
def project(locked: Path, tmp_path: Path) -> Path:
    """Return a clone of that project, with the repository that it came from as its origin."""
    git(tmp_path, "clone", "--quiet", "--bare", str(locked), "origin.git")
    git(tmp_path, "clone", "--quiet", str(tmp_path / "origin.git"), "project")
    return tmp_path / "project"


@pytest.fixture
def forge() -> Iterator[Forge]:
    with Forge() as forge:
        yield forge


@pytest.fixture
def update(project: Path, forge: Forge) -> Update:
    """Return what runs the job as GitHub would, with the variables that a test changes."""

    def run(**variables: str) -> subprocess.CompletedProcess[str]:
        outside = {name: value for name, value in os.environ.items() if name not in ("VIRTUAL_ENV", "PYTHONPATH")}
        ours = {"PATH": f"{Path(UV).parent}{os.pathsep}{os.environ['PATH']}", "TEMPLATE_UPDATE_TOKEN": TOKEN}
        command = [sys.executable, project / SCRIPT]
        environment = outside | forge.environment("github") | ours | variables
        return subprocess.run(command, cwd=project.parent, env=environment, capture_output=True, text=True, check=False)

    return run


def test_the_next_release_is_proposed_once_and_a_branch_that_is_there_is_left_alone(
    project: Path, forge: Forge, update: Update
) -> None:
    origin = project.parent / "origin.git"

    proposed = update()

    assert proposed.returncode == 0, proposed.stderr
    (_, request) = forge.change_requests
    assert (request.branch, request.base, request.title) == (BRANCH, "main", f"Update the platform to {NOW}")
    assert git(origin, "diff", "--name-only", "main", BRANCH).splitlines() == [
        ".copier-answers.yml",
        "governance/pyproject.toml",
        "uv.lock",
    ]
    assert TOKEN not in proposed.stdout + proposed.stderr + git(origin, "log", "-p", "--all")

    pushed = git(origin, "rev-parse", BRANCH)
    git(project, "switch", "--quiet", "main")
    assert update().returncode == 0
    assert git(origin, "rev-parse", BRANCH) == pushed, "somebody may work on it"
    assert len(forge.change_requests) == 2

    git(project, "checkout", "--quiet", "--force", BRANCH)
    assert update().stdout == "up to date\n"


def test_what_the_team_changed_too_stops_the_job_and_nothing_is_pushed(
    project: Path, forge: Forge, update: Update
) -> None:
    edit(project / "governance/pyproject.toml", 'version = "0.0.1"', 'version = "0.0.1"  # ours')
    commit_all(project, "Note whose it is")

    refused = update()

    assert refused.returncode == 3
    assert "conflict: governance/pyproject.toml: both the team and the platform changed it" in refused.stderr
    assert git(project.parent / "origin.git", "branch", "--format=%(refname:short)") == "main"
    assert len(forge.change_requests) == 1


def test_without_a_token_of_its_own_the_job_says_so_before_it_changes_anything(project: Path, update: Update) -> None:
    refused = update(TEMPLATE_UPDATE_TOKEN="")
    assert refused.returncode == 2
    assert "TEMPLATE_UPDATE_TOKEN is not set" in refused.stderr
    assert git(project, "status", "--porcelain") == ""


def test_git_is_given_the_token_beside_what_it_needs_for_a_private_platform(monkeypatch: pytest.MonkeyPatch) -> None:
    script = runpy.run_path(str(ROOT / "template" / SCRIPT))
    credentials = script["git_credentials"]
    monkeypatch.setitem(credentials.__globals__, "remote", lambda: "https://git.example.com/acme/tumours.git")
    instead = "url.https://reader:secret@git.example.com/platform.git.insteadof"
    platform = {"COUNT": "1", "KEY_0": instead, "VALUE_0": "https://git.example.com/platform.git"}
    for name, value in platform.items():
        monkeypatch.setenv(f"GIT_CONFIG_{name}", value)
    monkeypatch.setenv("TEMPLATE_UPDATE_TOKEN", TOKEN)
    for name, value in credentials().items():
        monkeypatch.setenv(name, value)
    found = git(ROOT, "config", "--get-regexp", r"^(url|http)\..*git\.example\.com").splitlines()
    assert [line.split()[0] for line in found] == [instead, "http.https://git.example.com/.extraheader"]


def test_a_release_that_the_team_declined_is_neither_pushed_nor_proposed_again(
    monkeypatch: pytest.MonkeyPatch, forge: Forge
) -> None:
    def run(*command: str) -> str:
        raise AssertionError(command)

    propose = runpy.run_path(str(ROOT / "template" / SCRIPT))["propose"]
    monkeypatch.setitem(propose.__globals__, "run", run)
    forge.enter(monkeypatch, "github", TEMPLATE_UPDATE_TOKEN=TOKEN)
    forge.change_requests.append(Item(13, "Update", "", branch=BRANCH, base="main", open=False))
    assert propose(NOW, BRANCH) == f"{forge.url}/13 was closed, so {NOW} is not proposed again"


def test_edits_that_are_not_committed_are_not_mixed_with_the_update(project: Path, update: Update) -> None:
    edit(project / "README.md", "## Start", "## Begin")
    refused = update()
    assert refused.returncode == 2
    assert "commit it first" in refused.stderr
    assert git(project, "status", "--porcelain") == "M README.md"
