"""`copier update` from an earlier commit of this template: the platform's part moves on, the team's part stays."""

from pathlib import Path
from typing import Any

import pytest
import yaml
from copier import VcsRef, run_update
from support.releases import release, scratch_clone, update
from support.rendering import ROOT, commit_all, copy_template, edit, files, git, start_repository

from governance_core.project import file_class, governed_findings

# The first commit whose render trains.
EARLIER = "d5275e65b234f53a8e5c48baadcad9df14fc6bde"
ANSWERS: list[dict[str, Any]] = [
    {"governance_source": "path", "governance_location": "/platform"},
    {
        "problem": "regression",
        "project_name": "Überleben & Größe",
        "risk_tier": "high",
        "governance_source": "index",
        "governance_location": "https://packages.example.com/simple",
    },
]


@pytest.fixture(scope="module")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if git(ROOT, "rev-parse", "--is-shallow-repository") == "true":
        pytest.skip("a shallow clone has no earlier commit of the template; `git fetch --unshallow` gets them")
    return scratch_clone(tmp_path_factory.mktemp("platform") / "platform", EARLIER)


@pytest.fixture
def project(platform: Path, tmp_path: Path) -> Path:
    """Return a project of the earlier release."""
    return start_repository(copy_template(tmp_path / "project", platform, "v0.0.1", **ANSWERS[0]))


def of_class(root: Path, *classes: str) -> dict[str, bytes]:
    return {path: content for path, content in files(root).items() if file_class(path) in classes}


@pytest.mark.parametrize("answers", ANSWERS)
def test_an_untouched_project_equals_a_fresh_render_but_for_its_seeds(
    platform: Path, answers: dict[str, Any], tmp_path: Path
) -> None:
    project = start_repository(copy_template(tmp_path / "project", platform, "v0.0.1", **answers))
    before = files(project)
    assert b"0.0.1" in before["governance/pyproject.toml"]

    assert update(project) == []

    fresh = copy_template(tmp_path / "fresh", platform, **answers)
    platform_s = ("governed", "shared", "answers")
    assert of_class(project, *platform_s) == of_class(fresh, *platform_s)
    assert of_class(project, "seed") == {path: before[path] for path in before if file_class(path) == "seed"}
    commit_all(project, "Update")
    assert update(project) == []
    assert git(project, "status", "--porcelain") == "", "a second update changes nothing"


def test_every_class_of_file_moves_or_stays_when_the_template_changes_all_of_them(tmp_path: Path) -> None:
    """Whatever the history holds: here a later release changes, adds and removes files of each class."""
    platform = scratch_clone(tmp_path / "platform", "HEAD")
    project = start_repository(copy_template(tmp_path / "project", platform, **ANSWERS[0]))
    before = files(project)
    changed = [path for path in sorted((platform / "template").rglob("*")) if path.is_file() and path.suffix != ".pyc"]
    for path in changed:
        if ".copier-answers" not in path.name:
            path.write_text(path.read_text(encoding="utf-8") + "# later\n", encoding="utf-8")
    (platform / "template/docs/new.md").write_text("new\n")
    (platform / "template/docs/train.md").unlink()
    (platform / "template/configs/new.yaml").write_text("{}\n")
    (platform / "template/configs/local.yaml").unlink()
    release(platform, "v9999.1.0")

    assert update(project) == []

    fresh = copy_template(tmp_path / "fresh", platform, **ANSWERS[0])
    assert of_class(project, "governed", "shared", "answers") == of_class(fresh, "governed", "shared", "answers")
    assert (project / "docs/new.md").is_file()
    assert not (project / "docs/train.md").exists()
    assert of_class(project, "seed") == {path: before[path] for path in before if file_class(path) == "seed"}


def test_seeds_stay_as_the_team_left_them(project: Path) -> None:
    package = project / "src/tumour_diagnosis"
    edit(package / "steps/data.py", "test_size: float = 0.25", "test_size: float = 0.3")
    (package / "pipelines/batch_inference.py").rename(package / "pipelines/nightly.py")
    (project / "tests/test_steps.py").unlink()
    (project / "run.py").unlink()
    commit_all(project, "Make it ours")
    before = of_class(project, "seed")

    assert update(project) == []

    assert of_class(project, "seed") == before


def test_a_step_a_dependency_and_a_tightened_policy_of_the_team_survive_without_conflict(project: Path) -> None:
    package = project / "src/tumour_diagnosis"
    (package / "steps/clean.py").write_text("from zenml import step\n")
    edit(package / "pipelines/training.py", "load_data()", "clean(load_data())")
    edit(
        project / "pyproject.toml",
        '    "governed-ml-core[zenml]",\n',
        '    "governed-ml-core[zenml]",\n    "polars>=1",\n',
    )
    edit(project / "governance.yaml", "accuracy: 0.90", "accuracy: 0.93")
    edit(project / "configs/staging.yaml", "max_depth: 5", "max_depth: 7")
    (project / "docs/ours.md").write_text("# Ours\n")
    commit_all(project, "Make it ours")
    before = files(project)

    assert update(project) == []

    after = files(project)
    for path in (
        "src/tumour_diagnosis/steps/clean.py",
        "src/tumour_diagnosis/pipelines/training.py",
        "governance.yaml",
        "configs/staging.yaml",
        "docs/ours.md",
    ):
        assert after[path] == before[path], path
    assert b'"polars>=1"' in after["pyproject.toml"]
    assert b"governed-ml-core==9999.0.0" in after["governance/pyproject.toml"]


def test_the_same_line_edited_by_team_and_template_is_listed_as_a_conflict(platform: Path, tmp_path: Path) -> None:
    """Copier ends with 0 all the same, so the guide says where to look."""
    later = tmp_path / "platform"
    git(platform, "clone", "--quiet", str(platform), str(later))
    project = start_repository(copy_template(tmp_path / "project", later, **ANSWERS[0]))
    edit(later / "template/Makefile", "ENVIRONMENT ?= local", "ENVIRONMENT ?= staging")
    release(later, "v9999.1.0")
    edit(project / "Makefile", "ENVIRONMENT ?= local", "ENVIRONMENT ?= production")
    commit_all(project, "Make it ours")

    assert update(project) == ["Makefile"]


def test_an_answer_is_changed_by_an_update_to_the_same_release(platform: Path, tmp_path: Path) -> None:
    project = start_repository(copy_template(tmp_path / "project", platform, **ANSWERS[0]))
    run_update(
        project,
        data={"risk_tier": "high"},
        vcs_ref=VcsRef.CURRENT,
        defaults=True,
        overwrite=True,
        unsafe=False,
        quiet=True,
    )
    for path in (".copier-answers.yml", "governance/project.yaml"):
        assert yaml.safe_load((project / path).read_text(encoding="utf-8"))["risk_tier"] == "high", path
    # The pin differs from its render, because the package that is installed here is not release 9999.
    assert [finding.path for finding in governed_findings(project)] == ["governance/pyproject.toml"]
