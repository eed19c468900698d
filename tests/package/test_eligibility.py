"""One test a rule: a version is refused for what its run really did, whatever stands beside it."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from support.scratch import OWN_EVALUATOR, Scratch, scratch_project
from support.trained import journal
from zenml import Model, link_artifact_to_model, save_artifact
from zenml.client import Client
from zenml.enums import ArtifactSaveType, ArtifactType
from zenml.models import ArtifactVersionRequest, StepRunUpdate

from governance_core.core import Installation, Refused
from governance_core.lifecycle import eligibility
from governance_core.lifecycle.eligibility import judge, newest_eligible
from governance_core.pipelines import GovernedPipeline, governed, submission
from governance_core.pipelines.submission import project_policy
from governance_core.registry.versions import find_model, newest_versions

WEAK = """
@step
def weak_load() -> Annotated[pd.DataFrame, "raw"]:
    x = [i % 2 for i in range(200)]
    return pd.DataFrame({"x": [float(v) for v in x], "label": [1 - v if i % 8 < 2 else v for i, v in enumerate(x)]})

@governed_pipeline
def weak():
    data = validate_data_quality(weak_load())
    validate_model_performance(evaluate_model(train(data), features(data), target(data)))
"""
FAILING = """
@governed_pipeline
def failing():
    data = validate_data_quality(load())
    validate_model_performance(evaluate_model(train(data), features(data), target(data)), min_metrics={"roc_auc": 0.5})
"""


def newest(scratch: Scratch) -> Any:
    return next(newest_versions(find_model(scratch.project.model_name)))


def rules(scratch: Scratch, stage: str = "production", version: Any = None) -> set[str]:
    """Return the rules that keep a version, the newest unless given, out of a stage."""
    policy = project_policy(scratch.root, scratch.project, stage)
    return {found.rule for found in judge(version or newest(scratch), stage, policy, scratch.root)}


def eligible(scratch: Scratch, stage: str = "production") -> int:
    policy = project_policy(scratch.root, scratch.project, stage)
    return newest_eligible(find_model(scratch.project.model_name), stage, policy, scratch.root).number


def artifact(run: Any, step: str, output: str) -> Any:
    return run.steps[step].outputs[output][0]


def orphans(scratch: Scratch, count: int) -> None:
    """Make versions as failed runs leave them."""
    for _ in range(count):
        Client().create_model_version(scratch.project.model_name)


def test_the_same_commit_and_data_trained_twice_give_two_eligible_versions(scratch: Scratch) -> None:
    scratch.module.training()
    scratch.module.training()
    versions = list(newest_versions(find_model(scratch.project.model_name)))
    assert [version.number for version in versions] == [2, 1]
    for version in versions:
        assert rules(scratch, "staging", version) == rules(scratch, "production", version) == set()


def test_a_failed_gate(scratch: Scratch) -> None:
    with pytest.raises(RuntimeError):
        scratch.add("failing", FAILING).failing()
    assert rules(scratch, "staging") == {"gate-failed", "run-not-completed", "model-gate-missing", "evidence-missing"}


def test_a_missing_gate_and_evidence_in_a_plain_pipeline(scratch: Scratch) -> None:
    code = "@pipeline\ndef plain():\n    train(load())\n"
    plain = scratch.add("plain", code).plain.with_options(model=Model(name=scratch.project.model_name))
    plain()
    assert rules(scratch, "staging") == {"data-gate-missing", "evaluation-missing", "evidence-missing"}


def test_metrics_of_another_model(scratch: Scratch) -> None:
    code = """
@pipeline
def plain():
    data = validate_data_quality(load())
    first, second = train(data, id="first"), train(data, depth=2, id="second")
    validate_model_performance(evaluate_model(first, features(data), target(data)), min_accuracy=0.5)
"""
    scratch.add("plain", code).plain.with_options(model=Model(name=scratch.project.model_name))()
    assert rules(scratch, "staging") == {"evaluation-missing", "evidence-missing"}


def test_an_evaluator_counts_as_long_as_policy_names_it(scratch: Scratch) -> None:
    scratch.write("governance.yaml", f"policy: {{every: {{evaluators: [{scratch.package}.own.score]}}}}")
    scratch.add("own", OWN_EVALUATOR).own()
    assert rules(scratch) == set()
    scratch.write("governance.yaml", "policy: {}")
    assert rules(scratch) == {"evaluation-missing"}


def test_a_local_run(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOVERNANCE_ENVIRONMENT", "local")
    scratch.module.training()
    assert rules(scratch, "staging") == {"local-run"}


def test_no_model_artifact(scratch: Scratch) -> None:
    scratch.module.training()
    orphans(scratch, 1)
    assert rules(scratch, "staging") == {"no-model-artifact"}


def test_a_model_artifact_that_another_run_made(scratch: Scratch) -> None:
    run = scratch.module.training()
    orphans(scratch, 1)
    link_artifact_to_model(artifact(run, "train", "model"), Model(name=scratch.project.model_name, version=2))
    assert "foreign-model-artifact" in rules(scratch, "staging")
    scratch.module.training()
    assert rules(scratch, "staging") == set()
    link_artifact_to_model(artifact(run, "train", "model"), Model(name=scratch.project.model_name, version=3))
    assert rules(scratch, "staging") == {"foreign-model-artifact"}


def test_each_of_many_model_artifacts_is_looked_at(scratch: Scratch) -> None:
    Client().create_model(scratch.project.model_name)
    orphans(scratch, 1)
    for number in range(21):  # more than a page of ZenML's
        saved = save_artifact(number, f"{scratch.package}-{number}", artifact_type=ArtifactType.MODEL)
        link_artifact_to_model(saved, Model(name=scratch.project.model_name, version=1))
    assert len(eligibility._models(newest(scratch))) == 21


def test_a_model_that_was_saved_by_hand(scratch: Scratch) -> None:
    code = """
from zenml import save_artifact
from zenml.enums import ArtifactType

@step
def smuggle(data: pd.DataFrame) -> int:
    save_artifact(train.entrypoint(data), "smuggled", artifact_type=ArtifactType.MODEL)
    return 1

@governed_pipeline
def smuggling():
    data = validate_data_quality(load())
    smuggle(data)
    validate_model_performance(evaluate_model(train(data), features(data), target(data)))
"""
    scratch.add("smuggling", code).smuggling()
    assert "foreign-model-artifact" in rules(scratch, "staging")


def test_a_dirty_tree(scratch: Scratch) -> None:
    scratch.write("notes.txt", "not committed")
    scratch.module.training()
    assert rules(scratch, "staging") == {"dirty-tree"}


def test_a_commit_that_neither_by_hash_nor_by_tree_is_in_the_history(scratch: Scratch) -> None:
    scratch.module.training()
    amend = "-c", "user.name=team", "-c", "user.email=team@example.com", "commit", "--quiet", "--amend", "-m"
    scratch.git(*amend, "the same tree, another commit")
    assert rules(scratch) == set()
    scratch.write("notes.txt", "another tree")
    scratch.git("add", "notes.txt")
    scratch.git(*amend, "another commit")
    assert rules(scratch) == {"commit-unknown"}
    assert rules(scratch, "staging") == set()


def test_governed_files_that_differ_in_the_run_or_now(scratch: Scratch) -> None:
    governed = scratch.root / "governance" / "project.yaml"
    intact = governed.read_text(encoding="utf-8")
    governed.write_text(intact + "# edited\n", encoding="utf-8")
    scratch.commit()
    scratch.module.training()
    governed.write_text(intact, encoding="utf-8")
    scratch.commit()
    assert rules(scratch) == {"governed-files-differ"}
    assert rules(scratch, "staging") == set()

    scratch.module.training()
    assert rules(scratch) == set()
    governed.write_text(intact + "# edited\n", encoding="utf-8")
    assert rules(scratch) == {"governed-files-differ"}


@pytest.mark.parametrize(
    ("step", "parameter", "value"),
    [
        ("validate_data_quality", "max_missing_fraction", 0.9),
        ("validate_model_performance", "governance", None),
        ("train", "depth", 9),
        ("record_evidence", "submission", {"repository": {"clean": True, "commit": None, "tree": None}}),
    ],
)
def test_parameters_of_a_gate_or_of_another_step_that_were_overridden(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, step: str, parameter: str, value: Any
) -> None:
    governed = GovernedPipeline._governed

    def triggered(self: GovernedPipeline, snapshot: Any) -> Any:
        """Set the parameter as a trigger does, behind everything that is refused at submission."""
        snapshot = governed(self, snapshot)
        configured = snapshot.step_configurations[step]
        given = configured.config.parameters[parameter]
        for configuration in (configured.config, configured.step_config_overrides):
            configuration.parameters[parameter] = given | value if parameter == "submission" else value
        return snapshot

    monkeypatch.setattr(GovernedPipeline, "_governed", triggered)
    scratch.module.training()
    assert rules(scratch, "staging") == {"parameters-overridden"}


def test_what_an_older_release_trained_is_to_be_trained_again(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch.module.training()
    read_run = eligibility.read_run

    def unsealed(run: Any) -> Any:
        record = read_run(run)
        sealed = {name: value for name, value in record.extra["governance"].items() if name != "configuration"}
        return replace(record, extra={"governance": sealed})

    monkeypatch.setattr(eligibility, "read_run", unsealed)
    assert rules(scratch, "staging") == {"configuration-unsealed"}


def test_a_submission_that_is_not_the_one_submitted(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(governed, "digest", lambda _: "sha256:0")
    scratch.module.training()
    assert rules(scratch, "staging") == {"parameters-overridden"}


def test_a_package_that_is_not_the_platforms(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(submission, "installation", lambda: Installation("editable", "1"))
        scratch.module.training()
    assert rules(scratch, "staging") == {"foreign-package"}
    scratch.module.training()
    assert rules(scratch, "staging") == set()
    monkeypatch.setattr(eligibility, "installation", lambda: Installation("foreign", "1"))
    assert rules(scratch, "staging") == {"foreign-package"}


@pytest.mark.usefixtures("scratch")
@pytest.mark.parametrize(("source", "expected"), [("git", {"template-unreleased"}), ("path", set())])
def test_an_unreleased_template_only_where_releases_are(tmp_path: Path, source: str, expected: set[str]) -> None:
    with scratch_project(tmp_path / source, governance_source=source) as project:
        answers = project.root / ".copier-answers.yml"
        answers.write_text(answers.read_text(encoding="utf-8").replace("_commit: v", "_commit: v0.0.1-3-gabc-"))
        project.commit()
        project.module.training()
        assert rules(project) == expected
        assert rules(project, "staging") == set()


def test_numbers_are_judged_again_under_the_policy_of_the_stage(scratch: Scratch) -> None:
    scratch.add("weak", WEAK).weak()
    assert rules(scratch, "staging") == set()
    assert rules(scratch) == {"metric-min"}
    scratch.module.training()
    assert rules(scratch) == set()
    scratch.write("governance.yaml", "policy: {production: {data: {min_rows: 121}}}")
    assert rules(scratch, "staging") == set()
    assert rules(scratch) == {"metric-min"}


def test_data_that_were_judged_by_laxer_rules_than_the_stage_has(scratch: Scratch) -> None:
    declared = "policy:\n  every:\n    data: {max_duplicates: 200, columns: {x: {max: 1}, label: {type: integer}}}\n"
    scratch.write("governance.yaml", declared)
    scratch.commit()
    scratch.module.training()
    assert rules(scratch) == set()
    narrower = (
        "  production:\n    data: {extra_columns: forbid, columns: {x: {min: 0, max: 1}, y: {required: false}}}\n"
    )
    scratch.write("governance.yaml", declared + narrower)
    policy = project_policy(scratch.root, scratch.project, "production")
    said = [str(found) for found in judge(newest(scratch), "production", policy, scratch.root)]
    assert [message.partition(": ")[2].partition(";")[0] for message in said] == [
        "its data were judged by laxer rules than data.extra_columns = forbid",
        "its data were judged by laxer rules than data.columns.x.min = 0.0",
        "its data were judged by laxer rules than data.columns.y",
    ]
    scratch.write("governance.yaml", declared.replace("200", "1"))
    assert rules(scratch) == {"metric-max"}


WIDE = """
@step
def wide_load() -> Annotated[pd.DataFrame, "raw"]:
    x = [float(i % 2) for i in range(120)]
    columns = {f"column {i}": x for i in range(200)}
    return pd.DataFrame(columns | {"x": x, "label": [i % 2 for i in range(120)]})

@governed_pipeline
def wide():
    data = validate_data_quality(wide_load())
    model = train(data)
    validate_model_performance(evaluate_model(model, features(data), target(data)))
"""


def test_a_version_of_200_columns_with_four_rules_each_is_recorded_whole_and_promotable(scratch: Scratch) -> None:
    rule = {"type": "float", "min": 0, "max": 1, "allowed": [0, 1], "max_missing_fraction": 0}
    columns = {f"column {i}": rule for i in range(200)}
    scratch.write("governance.yaml", json.dumps({"policy": {"every": {"data": {"columns": columns}}}}))
    run = scratch.add("wide", WIDE).wide()
    assert rules(scratch) == set()
    evidence = next(event.body for event in journal(scratch) if event.body["run"] == str(run.id))
    recorded = run.steps["validate_data_quality"].run_metadata["governance.verdict"]
    assert evidence["gates"]["validate_data_quality"] == recorded
    judged = {check["rule"]: check["message"] for check in recorded["checks"] if check["subject"] == "columns"}
    assert judged["column-type"] == "200 columns have the declared type"
    assert judged.keys() >= {"column-absent", "column-missing-fraction", "column-range", "column-values"}


def test_a_model_file_that_changed_or_is_gone(scratch: Scratch) -> None:
    run = scratch.module.training()
    files = [path for path in Path(artifact(run, "train", "model").uri).rglob("*") if path.is_file()]
    files[0].write_bytes(b"another model")
    assert rules(scratch, "staging") == {"artifact-changed"}
    for file in files:
        file.unlink()
    assert rules(scratch, "staging") == {"artifact-missing"}


def test_evidence_of_a_look_alike(scratch: Scratch) -> None:
    code = """
from governance_core.pipelines.evidence import record_evidence as genuine

@step
def record_evidence(submission: dict[str, str]) -> Annotated[dict[str, str], "evidence"]:
    return {"run": "1", "seq": "1", "hash": "1"}

@pipeline
def alike():
    data = validate_data_quality(load())
    validate_model_performance(evaluate_model(train(data), features(data), target(data)), min_accuracy=0.5)
    record_evidence({})
"""
    scratch.add("alike", code).alike.with_options(model=Model(name=scratch.project.model_name))()
    assert rules(scratch, "staging") == {"evidence-missing"}


def test_evidence_that_was_written_over(scratch: Scratch) -> None:
    first, second = scratch.module.training(), scratch.module.training()
    other = json.loads(evidence_file(first).read_text(encoding="utf-8"))
    own = json.loads(evidence_file(second).read_text(encoding="utf-8"))
    assert rules(scratch, "staging") == set()
    for forged in (other, {**own, "hash": other["hash"]}, {**own, "seq": 99}, "nonsense"):
        evidence_file(second).write_text(json.dumps(forged), encoding="utf-8")
        assert rules(scratch, "staging") == {"evidence-missing"}
    evidence_file(second).unlink()
    assert rules(scratch, "staging") == {"evidence-missing"}


def evidence_file(run: Any) -> Path:
    return Path(artifact(run, "record_evidence", "evidence").uri) / "data.json"


def test_evidence_that_was_added_to_the_finished_step(scratch: Scratch) -> None:
    forge_evidence(scratch.module.training())
    assert rules(scratch, "staging") == {"evidence-missing"}


def test_evidence_that_was_put_in_place_of_the_genuine(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    run = scratch.module.training()
    genuine = artifact(run, "record_evidence", "evidence")
    forge_evidence(run)
    Client().zen_store.delete_artifact_version(genuine.id)
    assert rules(scratch, "staging") == set()  # as far as clocks can tell
    monkeypatch.setattr(eligibility, "CLOCKS", timedelta(0))
    assert rules(scratch, "staging") == {"evidence-missing"}


def forge_evidence(run: Any) -> None:
    """Give the finished evidence step of a run another output, through the store's own interface."""
    genuine = artifact(run, "record_evidence", "evidence")
    request = ArtifactVersionRequest(
        artifact_id=genuine.artifact.id,
        version=f"forged-{run.id}",
        project=Client().active_project.id,
        uri=genuine.uri,
        save_type=ArtifactSaveType.STEP_OUTPUT,
        materializer=genuine.materializer,
        data_type=genuine.data_type,
        type=genuine.type,
        artifact_store_id=genuine.artifact_store_id,
    )
    forged = Client().zen_store.create_artifact_version(request)
    Client().zen_store.update_run_step(
        run.steps["record_evidence"].id, StepRunUpdate(outputs={"evidence": [forged.id]})
    )


def test_the_newest_eligible_of_200_versions(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    scratch.module.training()
    orphans(scratch, 60)
    scratch.module.training()
    with pytest.raises(RuntimeError):
        scratch.add("failing", FAILING).failing()
    code = "@pipeline\ndef plain():\n    train(load())\n"
    scratch.add("plain", code).plain.with_options(model=Model(name=scratch.project.model_name))()
    orphans(scratch, 136)
    scratch.write("notes.txt", "not committed")
    scratch.module.training()
    (scratch.root / "notes.txt").unlink()
    assert newest(scratch).number == 201

    judged = []
    judge = eligibility.judge
    monkeypatch.setattr(eligibility, "judge", lambda *given: judged.append(given[0].number) or judge(*given))
    assert eligible(scratch, "staging") == 62
    assert judged == [201, 62]  # neither orphans nor failed runs are looked at
    Client().update_model_version(scratch.project.model_name, 62, stage="archived", force=True)
    assert eligible(scratch) == 1


def test_nothing_eligible_is_refused(scratch: Scratch) -> None:
    scratch.write("notes.txt", "not committed")
    scratch.module.training()
    with pytest.raises(Refused, match="nothing-eligible"):
        eligible(scratch)
