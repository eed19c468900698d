"""`governance check`: each rule finds what breaks it, and an untouched project breaks none."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.command_line import Governance
from support.rendering import edit, project_copy
from support.stages import change, model_with_versions, stage_ledger

from governance_core import checks
from governance_core.core import Installation, version

pytestmark = pytest.mark.usefixtures("store")


@pytest.fixture(autouse=True)
def _forget_the_projects_code() -> Iterator[None]:
    """Every test has a package of the same name in another folder, and the verb imports it."""
    yield
    for name in [
        name for name in sys.modules if name.partition(".")[0] in {"tumour_diagnosis", "diabetes_progression"}
    ]:
        del sys.modules[name]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    return project_copy(tmp_path / "project")


def broken(project: Path) -> list[tuple[str, str]]:
    return [(finding.rule, finding.path) for finding in checks.check(project).findings]


@pytest.mark.parametrize("problem", ["classification", "regression"])
def test_an_untouched_project_holds(problem: str, tmp_path: Path) -> None:
    assert checks.check(project_copy(tmp_path / "project", problem=problem)).findings == []


def test_an_edited_and_a_deleted_governed_file_are_found(project: Path) -> None:
    edit(project / "scripts/promote_model.py", "main()", "main()  # quicker")
    (project / "CODEOWNERS").unlink()
    assert broken(project) == [("governed-deleted", "CODEOWNERS"), ("governed-edited", "scripts/promote_model.py")]


def test_a_deleted_project_file_is_found_and_what_could_not_be_checked_is_said(project: Path) -> None:
    (project / "governance/project.yaml").unlink()
    report = checks.check(project)
    assert [finding.rule for finding in report.findings] == ["governed-deleted"]
    assert "policy, risk tier and pipelines were not checked" in report.notes[0]


def test_an_answers_file_that_disagrees_is_found(project: Path) -> None:
    edit(project / ".copier-answers.yml", "risk_tier: limited", "risk_tier: minimal")
    assert broken(project) == [("answers-disagree", "governance/project.yaml")]


def test_a_laxer_policy_is_found_with_value_and_baseline(project: Path) -> None:
    edit(project / "governance.yaml", "accuracy: 0.90", "accuracy: 0.10")
    (finding,) = checks.check(project).findings
    assert (finding.rule, finding.path) == ("policy-laxer", "governance.yaml")
    assert "policy.production.metrics.min.accuracy = 0.1 is laxer than 0.8" in finding.message
    assert "(production)" in finding.message


def test_a_policy_that_is_laxer_everywhere_is_found_once_with_its_environments(project: Path) -> None:
    edit(project / "governance.yaml", "max_missing_fraction: 0.05", "max_missing_fraction: 0.5")
    (finding,) = checks.check(project).findings
    assert "(local, staging, production)" in finding.message


@pytest.mark.parametrize("text", ["policy: {evry: {}}", "policy: ["])
def test_an_invalid_policy_is_found_in_one_line(project: Path, text: str) -> None:
    (project / "governance.yaml").write_text(text)
    (finding,) = checks.check(project).findings
    assert finding.rule == "policy-invalid"
    assert "\n" not in str(finding)


def test_a_regression_without_bounds_is_found(tmp_path: Path) -> None:
    project = project_copy(tmp_path / "project", problem="regression")
    (project / "governance.yaml").write_text("policy: {staging: {metrics: {min: {r2: 0.5}}}}")
    assert [(f.rule, f.message.rsplit("(")[1]) for f in checks.check(project).findings] == [
        ("policy-no-bounds", "local)"),
        ("policy-no-bounds", "production)"),
    ]


@pytest.mark.parametrize("name", ["governance_core", "src/governance_core", "governance_core.py"])
def test_a_package_of_our_name_in_the_repository_is_found(project: Path, name: str) -> None:
    path = project / name
    path.touch() if path.suffix else path.mkdir()
    assert broken(project) == [("package-shadowed", name)]


def test_a_foreign_package_is_found(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    foreign = Installation("foreign", "1.0", ("gates.py is not the file that governed-ml-core installed",))
    monkeypatch.setattr(checks, "installation", lambda: foreign)
    (finding,) = checks.check(project).findings
    assert finding.rule == "package-foreign"
    assert "gates.py is not the file" in finding.message


def test_a_second_distribution_with_our_import_name_is_found(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stranger = {"governance_core": ["governed-ml-core", "governance-core"]}
    monkeypatch.setattr(checks.metadata, "packages_distributions", lambda: stranger)
    (finding,) = checks.check(project).findings
    assert finding.rule == "package-foreign"
    assert "remove governance-core" in finding.message


def test_an_unreleased_template_is_a_note_and_another_release_a_finding(project: Path) -> None:
    assert checks.check(project).notes == ["the template is not a release (a folder without git)"]
    answers = project / ".copier-answers.yml"
    with answers.open("a") as file:
        file.write(f"_commit: v{version()}\n")
    assert checks.check(project).notes == []
    edit(answers, f"_commit: v{version()}", f"_commit: v{version()}-3-gabc123")
    report = checks.check(project)
    assert report.holds
    assert report.notes == [f"the template is not a release (v{version()}-3-gabc123)"]
    edit(answers, f"_commit: v{version()}-3-gabc123", "_commit: v0.0.1")
    assert broken(project) == [("release-differs", ".copier-answers.yml")]


def test_an_unreleased_template_from_git_says_that_production_is_refused(tmp_path: Path) -> None:
    project = project_copy(tmp_path / "p", governance_source="git", governance_location="https://example.com/p.git")
    assert checks.check(project).notes == [
        "the template is not a release (a folder without git); production is refused"
    ]


def production_decision(model: str, tier: str, to: str = "production") -> None:
    ledger = stage_ledger(model)
    plan = change(ledger, 1, to)
    plan.details.update(risk_tier=tier)  # type: ignore[attr-defined]
    ledger.change(ledger.settled(), plan)


def test_a_risk_tier_lower_than_in_the_last_production_decision_is_found(tmp_path: Path) -> None:
    model = model_with_versions(1)
    production_decision(model, "high", "staging")
    production_decision(model, "limited")
    for tier, expected in [
        ("minimal", [("risk-tier-lowered", "governance/project.yaml")]),
        ("limited", []),
        ("high", []),
    ]:
        project = project_copy(tmp_path / tier, model_name=model, risk_tier=tier)
        assert broken(project) == expected


def test_a_pipeline_without_gates_and_a_plain_one_that_makes_a_model_are_found(project: Path) -> None:
    pipelines = project / "src/tumour_diagnosis/pipelines"
    edit(pipelines / "training.py", "    validate_model_performance(metrics)\n", "")
    (pipelines / "quick.py").write_text(
        "from zenml import pipeline\n\nfrom ..steps import load_data, split_data, train_model\n\n\n"
        "@pipeline\ndef quick() -> None:\n"
        "    features, _, target, _ = split_data(load_data())\n    train_model(features, target)\n"
    )
    found = {finding.path.rpartition(".")[2]: finding.rule for finding in checks.check(project).findings}
    assert found == {"training": "model-gate-missing", "quick": "pipeline-ungoverned"}


def test_a_pipeline_that_cannot_be_read_is_noted_by_name(project: Path) -> None:
    (project / "src/tumour_diagnosis/pipelines/broken.py").write_text("import nowhere\n")
    report = checks.check(project)
    assert report.holds
    assert any("tumour_diagnosis.pipelines.broken was not checked" in note for note in report.notes), report.notes


def test_a_store_that_cannot_be_reached_is_said_plainly_and_last(
    project: Path, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    def unreachable(_: str) -> None:
        raise ConnectionError("nobody answers")

    monkeypatch.setattr("governance_core.registry.chains.stages", unreachable)
    report = checks.check(project)
    assert report.holds
    assert any("no store (nobody answers)" in note for note in report.notes)
    monkeypatch.chdir(project)
    _, out, _ = governance("check")
    assert out.endswith("what could be checked holds; the notes say what could not\n")


def test_the_verb_prints_one_line_a_finding_and_ends_with_3(
    project: Path, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    monkeypatch.chdir(project / "src")
    code, out, _ = governance("check")
    assert code == 0
    assert "everything holds" in out
    (project / "CODEOWNERS").unlink()
    code, out, _ = governance("check")
    assert code == 3
    assert out.startswith("governed-deleted: CODEOWNERS: a governed file is missing; bring it back with")
    code, out, _ = governance("check", "--json")
    assert code == 3
    document = json.loads(out)
    assert document["holds"] is False
    assert document["findings"][0]["rule"] == "governed-deleted"
    assert document["notes"]


def test_outside_a_project_the_verb_ends_with_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    monkeypatch.chdir(tmp_path)
    code, _, err = governance("check")
    assert code == 2
    assert "is not inside a governed project" in err
