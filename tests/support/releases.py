"""A scratch clone of this repository with release tags, so that updates are tested before there is a release."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from copier import run_update
from support.rendering import ROOT, commit_all, git, template

NOW = "v9999.0.0"


def scratch_clone(destination: Path, commit: str) -> Path:
    """Return a clone whose v0.0.1 is an older commit of the template, and v9999.0.0 the working tree."""
    clone = ["git", "clone", "--quiet", "--no-tags", str(ROOT), str(destination)]
    subprocess.run(clone, check=True, capture_output=True)
    git(destination, "checkout", "--quiet", commit)
    release(destination, "v0.0.1")
    for name in ("copier.yml", "template"):
        source, target = template() / name, destination / name
        if source.is_dir():
            shutil.rmtree(target)
            shutil.copytree(source, target)
        else:
            shutil.copy(source, target)
    release(destination, NOW)
    return destination


def release(platform: Path, tag: str) -> None:
    """Commit the template as it stands in a scratch clone, and tag it."""
    (platform / "governance_core/VERSION").write_text(f"{tag.removeprefix('v')}\n", encoding="utf-8")
    commit_all(platform, f"Release {tag}")
    git(platform, "tag", tag)


def update(project: Path, **answers: str) -> list[str]:
    """Update a project to the newest release, without trust; return the files in conflict.

    Copier itself ends without an error where there are some.
    """
    run_update(project, data=answers, defaults=True, overwrite=True, unsafe=False, quiet=True)
    return git(project, "diff", "--name-only", "--diff-filter=U").splitlines()
