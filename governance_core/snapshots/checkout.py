"""A run of a commit that is not checked out: in a folder of its own, with its own environment."""

from __future__ import annotations

import subprocess
from pathlib import Path

from governance_core.core import GovernanceError, Refused, UsageError, Violation
from governance_core.project import repository_state, worktree

RELEASES = Path("build/releases")  # below the project, where git ignores it
STDERR = 2  # what a run prints is no answer of ours


def run_elsewhere(root: Path, commit: str, pipeline: str, environment: str) -> int:
    """Run a pipeline with the code, the configuration and the locked packages of a commit; return the exit code.

    The folder of the newest release to an environment is kept below ``build/releases`` for its next run.

    Raises:
        UsageError: if the repository does not have the commit.
        Refused: if the folder that was kept is not the commit any more.
        GovernanceError: if it cannot be checked out or set up.
    """
    folder = root / RELEASES / environment / commit[:12]
    worktree(root, commit, folder)
    kept = repository_state(folder)
    if kept.commit != commit or not kept.clean:
        message = f"{folder} is not the released commit any more; delete it, and it is checked out again"
        raise Refused(f"running {pipeline} in {environment}", [Violation("not-released", message)])
    if _command(folder, "make", "--no-print-directory", "setup"):
        raise GovernanceError(f"`make setup` failed in {folder}; nothing was run")
    return _command(folder, ".venv/bin/python", "run.py", "--pipeline", pipeline, "--environment", environment)


def _command(folder: Path, *command: str) -> int:
    try:
        return subprocess.run(command, cwd=folder, stdout=STDERR, check=False).returncode
    except FileNotFoundError as error:
        raise UsageError(f"{command[0]} is not installed, or not on PATH") from error
