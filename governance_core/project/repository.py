"""What only the submitter's machine can see: the git state of a project and its lock."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from governance_core.core import UsageError, file_digest

# What git says where there is nothing to tell yet, as opposed to where it refuses to tell.
NOTHING_THERE = ("not a git repository", "does not have any commits yet")


@dataclass(frozen=True)
class RepositoryState:
    """The commit that is checked out, its tree hash, and whether every file equals it (untracked files count).

    Commit and tree are None, and clean is False, where there is no repository or no commit yet.
    """

    commit: str | None
    tree: str | None
    clean: bool


def repository_state(root: Path) -> RepositoryState:
    """Read the git state of the repository that holds ``root``.

    Raises:
        UsageError: if git is missing or refuses to read the repository.
    """
    head = _git(root, "log", "-1", "--format=%H %T")
    if head is None:
        return RepositoryState(commit=None, tree=None, clean=False)
    commit, tree = head.split()
    changes = _git(root, "status", "--porcelain", "--untracked-files=normal")  # whatever status.showUntrackedFiles says
    return RepositoryState(commit, tree, clean=changes == "")


def in_history(root: Path, commit: str | None, tree: str | None) -> bool:
    """Tell whether the commit, or a commit with the same tree, occurs in the history of what is checked out.

    The tree hash survives a squash or a rebase that keeps the files; a shallow clone knows only the commits it fetched.
    """
    history = _git(root, "log", "--format=%H %T")
    return history is not None and not {commit, tree}.isdisjoint(history.split())


def worktree(root: Path, commit: str, folder: Path) -> None:
    """Check a commit out into a folder of its own, where it is not there yet; the folders beside it are deleted then.

    The file ``complete`` beside the folder names it once git is done with it, so that what a kill left behind is made
    anew; processes that ask for it at the same time take turns.

    Raises:
        UsageError: if the repository does not have the commit.
    """
    import fcntl  # nothing else needs it, and Windows has none

    if _run(root, "cat-file", "-e", f"{commit}^{{commit}}").returncode:
        raise UsageError(
            f"{root} does not have commit {commit}; fetch the whole history (fetch-depth: 0 or `git fetch --unshallow`)"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (folder.parent / "complete").open("a+", encoding="utf-8") as complete:
        fcntl.flock(complete, fcntl.LOCK_EX)
        complete.seek(0)
        if complete.read() == folder.name and folder.is_dir():
            return
        complete.truncate(0)
        for other in folder.parent.iterdir():
            if other.is_dir():
                shutil.rmtree(other)
        _git(root, "worktree", "prune")  # what was deleted, here or by hand
        # Twice: git keeps a worktree locked that it did not complete.
        _git(root, "worktree", "add", "--quiet", "--force", "--force", "--detach", str(folder), commit)
        complete.write(folder.name)


def is_on_branch(root: Path, branch: str) -> bool:
    """Tell whether what is checked out is a commit of a branch: the remote ``origin``'s, or ours where none is set.

    Raises:
        UsageError: if the branch is not here, or a shallow clone cannot tell.
    """
    remote = "origin" in (_git(root, "remote") or "").split()
    reference = f"refs/remotes/origin/{branch}" if remote else f"refs/heads/{branch}"
    if _run(root, "rev-parse", "--verify", "--quiet", reference).returncode:
        fetch = f"; fetch it: git fetch origin +refs/heads/{branch}:{reference}" if remote else ""
        raise UsageError(f"there is no branch {reference} in {root}{fetch}")
    if _run(root, "merge-base", "--is-ancestor", "HEAD", reference).returncode == 0:
        return True
    if (_git(root, "rev-parse", "--is-shallow-repository") or "").strip() == "true":
        raise UsageError(f"{root} is a shallow clone, which cannot tell whether HEAD is on {branch}: fetch-depth: 0")
    return False


def overtaken_on(root: Path) -> str | None:
    """Return the branch of ``origin`` that holds what is checked out and has newer commits.

    None where what is checked out is the tip of origin/main or origin/staging, as they were fetched, or is on neither.
    """
    head, overtaken = _git(root, "rev-parse", "HEAD"), None
    for branch in ("origin/main", "origin/staging"):
        tip = _run(root, "rev-parse", "--verify", "--quiet", f"refs/remotes/{branch}")
        if tip.stdout == head:
            return None
        if not tip.returncode and not _run(root, "merge-base", "--is-ancestor", "HEAD", tip.stdout.strip()).returncode:
            overtaken = overtaken or branch
    return overtaken


def git_email(root: Path) -> str | None:
    """Return git's ``user.email`` as it holds in ``root``; None where none is configured."""
    found = _run(root, "config", "user.email")
    return found.stdout.strip() or None


def remote_url(root: Path) -> str | None:
    """Return the address of the remote ``origin`` without user name and password; None where there is none."""
    found = _run(root, "remote", "get-url", "origin").stdout.strip()
    # A password may hold an @ of its own: the last one before the path ends it.
    return re.sub(r"(?<=://)[^/]*@", "", found) or None


def lock_digest(root: Path) -> str | None:
    """Return the digest of ``uv.lock``; None where the project has no lock yet."""
    lock = root / "uv.lock"
    return file_digest(lock) if lock.is_file() else None


def files_below(root: Path, folder: str) -> list[str]:
    """Return the files below a folder of the project that git does not ignore, as paths below ``root``."""
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", folder)
    if listed is None:
        return sorted(path.relative_to(root).as_posix() for path in (root / folder).rglob("*") if path.is_file())
    return sorted(name for name in set(listed.split("\0")) if name and (root / name).is_file())


def _git(root: Path, *arguments: str) -> str | None:
    done = _run(root, *arguments)
    if done.returncode == 0:
        return done.stdout
    if any(words in done.stderr for words in NOTHING_THERE):
        return None
    raise UsageError(f"git cannot read {root}: {done.stderr.strip()}")


def _run(root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    # Another repository must not be read because a git hook exported its GIT_DIR.
    environment = {name: value for name, value in os.environ.items() if name not in {"GIT_DIR", "GIT_WORK_TREE"}}
    try:
        return subprocess.run(
            ["git", "-C", str(root), *arguments],
            env=environment | {"LC_ALL": "C"},
            capture_output=True,
            encoding="utf-8",
            check=False,
        )
    except FileNotFoundError as error:
        raise UsageError("git is not installed, or not on PATH") from error
