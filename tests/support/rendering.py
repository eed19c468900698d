"""Render the template as a user without --trust would, and refuse what a user could not answer."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from copier import run_copy

ROOT = Path(__file__).parents[2]
# What a session renders is kept until it ends; tests get copies.
_renders = tempfile.TemporaryDirectory(prefix="renders-")


@cache
def template() -> Path:
    """Return a plain copy of the template: uncommitted edits count, and Copier has no git history to look at."""
    copy = Path(_renders.name) / "template"
    for name in ("copier.yml", "template", "governance_core/VERSION"):
        source, target = ROOT / name, copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
    return copy


@cache
def questions() -> dict[str, dict[str, Any]]:
    """Return the questions of copier.yml by name."""
    settings = yaml.safe_load((ROOT / "copier.yml").read_text(encoding="utf-8"))
    return {name: question for name, question in settings.items() if not name.startswith("_")}


def copy_template(destination: Path, source: Path | str | None = None, ref: str | None = None, **answers: Any) -> Path:
    """Run ``copier copy --defaults`` in this process, without trust; of a git repository, its newest tag or ``ref``.

    Raises:
        LookupError: for an answer to a question that the template does not ask; Copier itself would ignore it.
    """
    unknown = answers.keys() - questions().keys()
    if unknown:
        raise LookupError(f"the template asks no {', '.join(sorted(unknown))}")
    run_copy(str(source or template()), destination, data=answers, vcs_ref=ref, defaults=True, unsafe=False, quiet=True)
    return destination


@cache
def _rendered(answers: tuple[tuple[str, Any], ...]) -> Path:
    return copy_template(Path(tempfile.mkdtemp(dir=_renders.name)) / "project", **dict(answers))


def render(**answers: Any) -> Path:
    """Return a render of these answers to read from; it is made once a session."""
    return _rendered(tuple(sorted(answers.items())))


def project_copy(destination: Path, **answers: Any) -> Path:
    """Return a render of these answers to write to, in a git repository with one commit."""
    shutil.copytree(render(**answers), destination)
    return start_repository(destination)


def start_repository(project: Path) -> Path:
    """Make a project a git repository with one commit."""
    git(project, "init", "--quiet", "--initial-branch=main")
    commit_all(project, "Start from the template")
    return project


def files(root: Path) -> dict[str, bytes]:
    """Return the content of each file below a folder, .git left out, by its path."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file() and ".git" not in path.relative_to(root).parts)
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in found}


def edit(path: Path, old: str, new: str) -> None:
    """Replace the first ``old`` in a file, which must be there."""
    text = path.read_text(encoding="utf-8")
    assert old in text, f"{old!r} is not in {path}"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def git(root: Path, *arguments: str) -> str:
    """Run git with an identity of its own and return what it prints."""
    identity = ["-c", "user.name=Test", "-c", "user.email=test@example.com", "-c", "commit.gpgsign=false"]
    # Nothing is packed in the background while somebody clones.
    command = ["git", "-C", str(root), *identity, "-c", "maintenance.auto=false", *arguments]
    return subprocess.run(command, check=True, capture_output=True, encoding="utf-8").stdout.strip()


def commit_all(root: Path, message: str) -> str:
    """Commit everything and return the commit's hash."""
    git(root, "add", "--all")
    git(root, "commit", "--quiet", "--message", message)
    return git(root, "rev-parse", "HEAD")


def template_repository(destination: Path) -> Path:
    """Return a plain clone of the template as it is now: one commit, no tags."""
    shutil.copytree(template(), destination)
    shutil.copy(ROOT / ".gitattributes", destination)
    git(destination, "init", "--quiet", "--initial-branch=main")
    commit_all(destination, "The platform")
    return destination


def platform_repository(destination: Path) -> Path:
    """Return such a clone with everything that uv builds the package from."""
    platform = template_repository(destination)
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "governance_core")
    for name in ["pyproject.toml", "README.md", *filter(None, listed.split("\0"))]:
        (platform / name).parent.mkdir(parents=True, exist_ok=True)
        (platform / name).write_bytes((ROOT / name).read_bytes())
    commit_all(platform, "The package")
    return platform
