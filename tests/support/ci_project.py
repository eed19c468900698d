"""Rendered projects as a CI system meets them: set up, locked, with a remote, and an environment without the tests'."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.rendering import ROOT, commit_all, copy_template, git, start_repository

# Of the process that runs the tests: what would tell a job about another CI run, store, interpreter or make.
FOREIGN = (
    "AUTO_OPEN_DASHBOARD",
    "BRANCH_",
    "BUILD_",
    "CHANGE_",
    "CI",
    "GIT",
    "GOVERNANCE_",
    "JENKINS_",
    "JOB_",
    "MAKE",
    "MFLAGS",
    "PYTEST_",
    "PYTHON",
    "REQUIRE_ALL",
    "RUNNER_",
    "TAG_",
    "TEMPLATE_UPDATE_TOKEN",
    "UV_PROJECT_ENVIRONMENT",
    "VIRTUAL_ENV",
    "ZENML_",
)


@dataclass(frozen=True)
class CIProject:
    """A project whose lock is committed and whose ``main`` stands in the bare repository ``remote``.

    ``root`` is a work tree with the environment made, which tests share and leave as it was; to change files they
    `clone`.
    """

    root: Path
    remote: Path

    def clone(self, destination: Path) -> Path:
        """Return another work tree of the remote, without an environment."""
        git(self.remote, "clone", "--quiet", str(self.remote), str(destination))
        return destination


class CIProjects:
    """Makes each project once; those whose dependencies are equal share one lock.

    Args:
        platform: the clone of the platform that they are made from.
        folder: where they are made.
    """

    def __init__(self, platform: Path, folder: Path) -> None:
        self.platform = platform
        self._folder = folder
        self._made: dict[tuple[Any, ...], CIProject] = {}
        self._locks: dict[bytes, bytes] = {}

    def __call__(self, system: str, **answers: Any) -> CIProject:
        """Return the project of a CI system with these answers."""
        key = (system, *sorted(answers.items()))
        if key not in self._made:
            self._made[key] = self._make(self._folder / f"{system}-{len(self._made)}", ci=system, **answers)
        return self._made[key]

    def _make(self, folder: Path, **answers: Any) -> CIProject:
        project = CIProject(folder / "project", folder / "project.git")
        copy_template(project.root, self.platform, **answers)
        start_repository(project.root)
        dependencies = b"".join(
            (project.root / name).read_bytes() for name in ("pyproject.toml", "governance/pyproject.toml")
        )
        lock = project.root / "uv.lock"
        if dependencies in self._locks:
            lock.write_bytes(self._locks[dependencies])
        run(project.root, "make", "setup")
        self._locks[dependencies] = lock.read_bytes()
        commit_all(project.root, "Lock the dependencies")
        git(folder, "clone", "--quiet", "--bare", str(project.root), str(project.remote))
        git(project.root, "remote", "add", "origin", str(project.remote))
        git(project.root, "fetch", "--quiet", "origin")
        git(project.root, "branch", "--quiet", "--set-upstream-to", "origin/main")
        return project


def job_environment() -> dict[str, str]:
    """Return what a runner's machine offers every job: this process's environment without what belongs to the tests.

    uv is found as make finds it, so a job does not install another one.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return inherited | {"PATH": os.pathsep.join([inherited["PATH"], str(ROOT / "build/uv/bin")])}


def run(root: Path, *command: str, ends_with: int = 0, **variables: str) -> str:
    """Run a command of a project as a job does and return what it printed.

    Args:
        root: its working directory.
        ends_with: the exit code that it must have.
        variables: beside those of `job_environment`.
    """
    done = subprocess.run(
        command, cwd=root, env=job_environment() | variables, capture_output=True, text=True, check=False
    )
    assert done.returncode == ends_with, f"{command} ended with {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr
