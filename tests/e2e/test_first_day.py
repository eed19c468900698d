"""A team's first day: copy the template, set up, test, train; with nothing but Python, git, make and the registry."""

import os
import subprocess
from pathlib import Path

import pytest
from support.rendering import commit_all, git, template_repository

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a plain clone of the platform's repository: no tags, and everything that uv builds the package from."""
    platform = template_repository(tmp_path_factory.mktemp("platform") / "platform")
    listed = git(ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard", "governance_core")
    for name in ["pyproject.toml", "README.md", *filter(None, listed.split("\0"))]:
        (platform / name).parent.mkdir(parents=True, exist_ok=True)
        (platform / name).write_bytes((ROOT / name).read_bytes())
    commit_all(platform, "The package")
    return platform


def test_a_project_trains_at_once_in_a_folder_with_blanks_and_unicode(
    platform: Path, tmp_path: Path, zenml_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "mes modèles" / "premier projet"
    monkeypatch.setenv("ZENML_CONFIG_PATH", str(zenml_home))
    for name in ("VIRTUAL_ENV", "PYTHONPATH", "ZENML_REPOSITORY_PATH"):
        monkeypatch.delenv(name, raising=False)
    path = f"{ROOT / '.venv/bin'}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", path)

    def run(*command: str, cwd: Path = project) -> str:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
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
    run(python, str(project / "run.py"), "--pipeline", "training", cwd=tmp_path)
