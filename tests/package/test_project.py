"""What code learns about a rendered repository: answers, git state, governed files."""

import hashlib
from pathlib import Path

import pytest
from support.rendering import commit_all, edit, git, project_copy

from governance_core.core import UsageError, version
from governance_core.project import (
    Finding,
    find_root,
    git_email,
    governed_digest,
    governed_findings,
    in_history,
    load_project,
    lock_digest,
    remote_url,
    repository_state,
    template_state,
)

PROJECT = "governance/project.yaml"
ANSWERS = ".copier-answers.yml"


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return project_copy(tmp_path / "de st" / "prøject")


def rules(findings: list[Finding]) -> list[tuple[str, str]]:
    return [(finding.rule, finding.path) for finding in findings]


# Answers


def test_the_root_is_found_from_any_folder_below_it(project: Path) -> None:
    below = project / "governance" / "deep"
    below.mkdir()
    assert find_root(below) == project
    assert find_root(project / PROJECT) == project


def test_no_project_is_a_usage_error_that_names_the_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is not inside a governed project"):
        find_root(tmp_path)


def test_the_answers_are_read(project: Path) -> None:
    answers = load_project(project)
    assert (answers.project_slug, answers.problem, answers.positive_label, answers.risk_tier) == (
        "tumour-diagnosis",
        "classification",
        "malignant",
        "limited",
    )


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('risk_tier: "limited"', 'risk_tier: "none"', "risk_tier: Input should be 'minimal', 'limited' or 'high'"),
        ('positive_label: "malignant"\n', "", "positive_label belongs to problem: classification"),
        ('alerter: "none"', 'alerter: "slack"', "alert_channel belongs to an alerter"),
        ('cloud: "local"', 'cloud: "gcp"', "region belongs to a cloud"),
        (
            'cloud: "local"',
            'cloud: "gcp"\nregion: "europe-west1"',
            "orchestrator is vertex or kubernetes with cloud: gcp",
        ),
        ('cloud: "local"', 'cloud: "local"\norchestrator: "vertex"', "orchestrator is left out with cloud: local"),
        ("model_name:", "modelname:", "model_name: Field required"),
        ('problem: "classification"', "problem: [", "is not valid YAML"),
    ],
)
def test_a_broken_answer_is_a_usage_error_that_names_it(project: Path, old: str, new: str, said: str) -> None:
    edit(project / PROJECT, old, new)
    with pytest.raises(UsageError) as refused:
        load_project(project)
    assert said in str(refused.value)
    assert PROJECT in str(refused.value)


# Git


def test_the_address_of_the_remote_has_no_user_and_no_password(project: Path) -> None:
    git(project, "remote", "add", "origin", "https://robot:p@ss@git.example.com/team/project.git")
    assert remote_url(project) == "https://git.example.com/team/project.git"


def test_a_fresh_commit_is_clean_and_an_untracked_file_is_not(project: Path) -> None:
    state = repository_state(project)
    assert (state.commit, state.tree) == (git(project, "rev-parse", "HEAD"), git(project, "rev-parse", "HEAD^{tree}"))
    assert state.clean
    (project / "new.txt").touch()
    assert not repository_state(project).clean
    git(project, "config", "status.showUntrackedFiles", "no")
    assert not repository_state(project).clean


def test_without_git_or_commits_there_is_no_commit(tmp_path: Path) -> None:
    assert repository_state(tmp_path).commit is None
    git(tmp_path, "init", "--quiet")
    state = repository_state(tmp_path)
    assert (state.commit, state.tree, state.clean) == (None, None, False)
    assert not in_history(tmp_path, None, None)


def test_git_that_refuses_to_answer_is_a_usage_error(project: Path) -> None:
    (project / ".git" / "config").write_text("[broken", encoding="utf-8")
    with pytest.raises(UsageError, match="git cannot read"):
        repository_state(project)


def test_the_repository_of_a_git_hook_is_not_read_instead(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    assert repository_state(project).clean


def test_history_knows_commits_and_trees_but_not_those_of_other_branches(project: Path) -> None:
    first = repository_state(project)
    git(project, "switch", "--quiet", "--create", "side")
    (project / "side.txt").write_text("side")
    side = commit_all(project, "On the side")
    side_tree = git(project, "rev-parse", "HEAD^{tree}")
    git(project, "switch", "--quiet", "main")

    assert in_history(project, first.commit, "0" * 40)
    assert not in_history(project, side, side_tree)
    assert not in_history(project, "0" * 40, None)

    git(project, "merge", "--quiet", "--squash", "side")
    squashed = commit_all(project, "Squash the side")
    assert squashed != side
    assert in_history(project, side, side_tree), "a squash keeps the tree"


def test_git_email_and_lock(project: Path) -> None:
    git(project, "config", "user.email", "ada@example.com")
    assert git_email(project) == "ada@example.com"
    assert lock_digest(project) is None
    (project / "uv.lock").write_text("locked")
    assert lock_digest(project) == f"sha256:{hashlib.sha256(b'locked').hexdigest()}"


# Governed files


def test_an_untouched_project_has_no_findings(project: Path) -> None:
    assert governed_findings(project) == []


def test_each_governed_file_is_missed_and_its_edit_is_seen(project: Path) -> None:
    intact = governed_digest(project)
    governed = [path for path in (project / "governance").rglob("*") if path.is_file()]
    assert len(governed) >= 2
    for path in governed:
        name, content = path.relative_to(project).as_posix(), path.read_bytes()
        path.write_bytes(content + b"# mine\n")
        assert rules(governed_findings(project)) == [("governed-edited", name)]
        assert governed_digest(project) != intact
        path.unlink()
        assert rules(governed_findings(project)) == [("governed-deleted", name)]
        path.write_bytes(content)
    assert governed_digest(project) == intact


def test_a_script_that_lost_its_executable_bit_is_found(project: Path) -> None:
    intact = governed_digest(project)
    (project / "scripts/promote_model.py").chmod(0o644)
    assert rules(governed_findings(project)) == [("governed-mode", "scripts/promote_model.py")]
    assert governed_digest(project) != intact


def test_windows_line_ends_are_no_edit(project: Path) -> None:
    intact, path = governed_digest(project), project / PROJECT
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert governed_findings(project) == []
    assert governed_digest(project) == intact


def test_a_file_of_ones_own_in_the_governance_folder_is_extra(project: Path) -> None:
    (project / "governance" / "mine.yaml").touch()
    assert rules(governed_findings(project)) == [("governed-extra", "governance/mine.yaml")]


@pytest.mark.parametrize(
    ("name", "extra"),
    [
        ("terraform.tfvars", False),
        ("staging.tfvars", False),
        ("x.auto.tfvars", True),
        (".terraform.lock.hcl", False),
        ("gcs.tfbackend", False),
        ("override.tf", True),
    ],
)
def test_what_terraform_is_told_stands_beside_its_code_and_no_code_does(project: Path, name: str, extra: bool) -> None:
    path = project / "governance/stacks/terraform/bootstrap" / name
    path.parent.mkdir(parents=True)
    path.touch()
    found = [("governed-extra", path.relative_to(project).as_posix())] if extra else []
    assert rules(governed_findings(project)) == found


@pytest.mark.parametrize("edited", [PROJECT, ANSWERS])
def test_an_answer_edited_by_hand_is_named_once(project: Path, edited: str) -> None:
    edit(project / edited, "limited", "minimal")
    (finding,) = governed_findings(project)
    assert finding.rule == "answers-disagree"
    assert "risk_tier is" in finding.message
    assert "--data risk_tier=" in finding.message


def test_an_answer_edited_in_both_files_shows_in_the_files_made_from_it(project: Path) -> None:
    for path in (PROJECT, ANSWERS):
        edit(project / path, "tumour-diagnosis", "other-name")
    assert ("governed-edited", "governance/pyproject.toml") in rules(governed_findings(project))


def test_a_broken_project_file_leaves_the_others_compared(project: Path) -> None:
    (project / PROJECT).write_text("{")
    edit(project / "governance/pyproject.toml", "governed-ml-core==", "governed-ml-core>=")
    assert rules(governed_findings(project)) == [
        ("governed-edited", PROJECT),
        ("governed-edited", "governance/pyproject.toml"),
    ]


def test_a_missing_answers_file_is_a_finding(project: Path) -> None:
    (project / ANSWERS).unlink()
    assert rules(governed_findings(project)) == [("answers-missing", ANSWERS)]


# The template


def test_only_the_tag_of_the_installed_version_is_a_release(project: Path) -> None:
    assert template_state(project).recorded is None, "a plain folder has no commit to record"
    with (project / ANSWERS).open("a") as answers:
        answers.write(f"_commit: v{version()}\n")
    assert template_state(project).released
    edit(project / ANSWERS, f"_commit: v{version()}", f"_commit: v{version()}-3-gabc1234")
    state = template_state(project)
    assert (state.released, state.recorded, state.version) == (False, f"v{version()}-3-gabc1234", version())
