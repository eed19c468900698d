"""A team's first day: copy the template, set up, test, train; with nothing but Python, git, make and the registry."""

import hashlib
import os
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from support.rendering import ROOT, commit_all, copy_template, git, platform_repository

from governance_core.core import version


def uv(*arguments: str, cwd: Path) -> None:
    """Run uv as make finds it."""
    command = shutil.which("uv") or str(ROOT / "build/uv/bin/uv")
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run([command, *arguments], cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clone of the platform that a test may edit."""
    return platform_repository(tmp_path_factory.mktemp("platform") / "platform")


@pytest.mark.parametrize("source", ["git", "index"])
def test_the_release_is_locked_from_git_and_from_an_index(platform: Path, tmp_path: Path, source: str) -> None:
    if source == "git":
        released = tmp_path / "released"
        git(platform, "clone", "--quiet", str(platform), str(released))
        git(released, "tag", f"v{version()}")
        location, locked = f"file://{released}", git(released, "rev-parse", "HEAD")
    else:
        simple = tmp_path / "simple/governed-ml-core"
        uv("build", "--quiet", "--wheel", "--out-dir", str(simple), cwd=platform)
        (wheel,) = simple.glob("*.whl")
        locked = hashlib.sha256(wheel.read_bytes()).hexdigest()
        (simple / "index.html").write_text(f'<a href="{wheel.name}#sha256={locked}">{wheel.name}</a>')
        location = f"file://{simple.parent}"
    project = copy_template(tmp_path / "project", governance_source=source, governance_location=location)

    uv("lock", "--quiet", cwd=project)

    lock = tomllib.loads((project / "uv.lock").read_text())
    (package,) = [package for package in lock["package"] if package["name"] == "governed-ml-core"]
    assert package["version"] == version()
    assert locked in str(package), "the lock holds the commit, or the hash of the wheel"


def test_a_project_trains_at_once_in_a_folder_with_blanks_and_unicode(
    platform: Path, tmp_path: Path, zenml_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "mes modèles" / "premier projet"
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(zenml_home))
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "ZENML_REPOSITORY_PATH"):
        monkeypatch.delenv(name, raising=False)
    path = f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)

    def run(*command: str, cwd: Path = project, ends_with: int = 0) -> str:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == ends_with, f"{command}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    run("copier", "copy", "--quiet", "--defaults", str(platform), str(project), cwd=tmp_path)
    git(project, "init", "--quiet", "--initial-branch=main")
    git(project, "config", "user.email", "ada@example.com")
    commit_all(project, "Start from the template")

    run("make", "setup", "test", "train")

    assert git(project, "status", "--porcelain") == "?? uv.lock"
    commit_all(project, "Lock")
    run("make", "lint", "check")
    run("make", "setup")
    assert git(project, "status", "--porcelain") == "", "the lock holds"

    python = str(project / ".venv/bin/python")
    for pipeline in ("batch_inference", "monitoring"):
        reading = [python, str(project / "run.py"), "--pipeline", pipeline]
        assert "has no version in production" in run(*reading, cwd=tmp_path, ends_with=2)
    promote = [python, str(project / "scripts/promote_model.py"), "--to-stage", "staging", "--dry-run"]
    assert "local" in run(*promote, "--version", "1", cwd=tmp_path, ends_with=3)
    rollback = [python, str(project / "scripts/rollback_model.py")]
    assert "nothing-before" in run(*rollback, cwd=tmp_path, ends_with=3)

    with (platform / "governance_core/core/errors.py").open("a") as module:
        module.write("# edited\n")
    run("make", "setup")
    (installed,) = project.glob(".venv/lib/*/site-packages/governance_core/core/errors.py")
    assert installed.read_text().endswith("# edited\n"), "uv rebuilds the wheel of an edited package"
