"""A governed pipeline is refused before anything is registered, and what must run is never taken from the cache."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from support.scratch import OWN_EVALUATOR, Scratch

from governance_core.core import Refused, UsageError
from governance_core.pipelines.placement import recorded_graph, recorded_outputs
from governance_core.registry.chains import journal
from governance_core.registry.runs import read_run
from governance_core.steps.profiles import PROFILES


def refused(pipeline: Any, **parameters: Any) -> dict[str, str]:
    """Return rules and messages for which a pipeline is refused, after showing that nothing was registered."""
    before = registered()
    with pytest.raises(Refused) as refusal:
        pipeline(**parameters)
    assert registered() == before
    return {violation.rule: violation.message for violation in refusal.value.violations}


def registered() -> list[int]:
    from zenml.client import Client

    client = Client()
    listings = client.list_pipelines, client.list_pipeline_runs, client.list_models, client.list_snapshots
    return [listing().total for listing in listings]


def statuses(run: Any) -> dict[str, str]:
    return {name: step.status.value for name, step in run.steps.items()}


def test_an_unknown_option_is_refused_by_name() -> None:
    from governance_core.pipelines import governed_pipeline

    with pytest.raises(UsageError, match="takes no dynamic;"):
        governed_pipeline(dynamic=True)


def test_without_any_gate_everything_that_is_missing_is_named(scratch: Scratch) -> None:
    bare = scratch.add("bare", "@governed_pipeline\ndef bare():\n    train(load())\n").bare
    assert refused(bare).keys() == {"data-gate-missing", "evaluation-missing"}


def test_a_data_gate_whose_data_is_not_trained_on_does_not_count(scratch: Scratch) -> None:
    code = """
@governed_pipeline
def beside():
    raw = load()
    checked = validate_data_quality(raw)
    model = train(raw)
    validate_model_performance(evaluate_model(model, features(checked), target(checked)), min_accuracy=0.5)

@governed_pipeline
def before():
    raw = load()
    validate_data_quality(raw, id="gate")
    model = train(raw, after="gate")
    validate_model_performance(evaluate_model(model, features(raw), target(raw)), min_accuracy=0.5)
"""
    module = scratch.add("beside", code)
    assert "output 'model' of step 'train'" in refused(module.beside)["data-gate-missing"]
    assert refused(module.before).keys() == {"data-gate-missing"}


def test_metrics_of_another_model_or_without_a_gate_do_not_count(scratch: Scratch) -> None:
    code = """
@governed_pipeline
def other():
    data = validate_data_quality(load())
    gated = train(data)
    train(data, id="ungated")
    validate_model_performance(evaluate_model(gated, features(data), target(data)))

@governed_pipeline
def ungated():
    data = validate_data_quality(load())
    evaluate_model(train(data), features(data), target(data))

@governed_pipeline
def as_feature():
    data = validate_data_quality(load())
    first, second = train(data, id="first"), train(data, id="second")
    validate_model_performance(evaluate_model(first, second, target(data)))
"""
    module = scratch.add("other", code)
    assert "step 'ungated'" in refused(module.other)["evaluation-missing"]
    assert refused(module.ungated).keys() == {"model-gate-missing"}
    assert "step 'second'" in refused(module.as_feature)["evaluation-missing"]


def test_a_look_alike_in_the_teams_code_does_not_count(scratch: Scratch) -> None:
    code = """
@step
def validate_data_quality(dataset: pd.DataFrame) -> Annotated[pd.DataFrame, "dataset"]:
    return dataset

@step
def evaluate_model(model: ClassifierMixin) -> Annotated[dict[str, float], "metrics"]:
    return {"accuracy": 1.0}

@step
def validate_model_performance(metrics: dict[str, float]) -> dict[str, float]:
    return metrics

@governed_pipeline
def alike():
    validate_model_performance(evaluate_model(train(validate_data_quality(load()))))
"""
    assert refused(scratch.add("alike", code).alike).keys() == {"data-gate-missing", "evaluation-missing"}


def test_a_folder_that_shadows_the_package_does_not_count(scratch: Scratch, store: Path) -> None:
    import governance_core

    shadow = scratch.root / "governance_core"
    shutil.copytree(Path(governance_core.__file__).parent, shadow, ignore=shutil.ignore_patterns("__pycache__"))
    script = scratch.write("start.py", f"import {scratch.package} as project\nproject.training()\n")
    path = os.pathsep.join([str(scratch.root), str(scratch.root / "src")])
    environment = os.environ | {"PYTHONPATH": path, "ZENML_CONFIG_PATH": str(store)}
    done = subprocess.run(
        [sys.executable, str(script)], cwd=scratch.root, env=environment, capture_output=True, text=True, check=False
    )
    for rule in ("data-gate-missing", "evaluation-missing"):
        assert f"- {rule}: output 'model' of step 'train'" in done.stderr


def test_an_evaluator_that_policy_names_counts(scratch: Scratch) -> None:
    module = scratch.add("own", OWN_EVALUATOR)
    assert refused(module.own).keys() == {"evaluation-missing"}
    scratch.write("governance.yaml", f"policy: {{every: {{evaluators: [{scratch.package}.own.score]}}}}")
    assert module.own().status == "completed"
    assert statuses(module.own())["score"] == "completed"  # not cached


def test_what_must_run_never_comes_from_the_cache(scratch: Scratch) -> None:
    config = scratch.write(
        "configs/cached.yaml",
        "enable_cache: true\n"
        "steps: {record_evidence: {enable_cache: true}, validate_data_quality: {enable_cache: true}}",
    )
    training = scratch.module.training.with_options(
        config_path=str(config), steps={"train": {"enable_cache": True}}, enable_cache=True
    )
    first, second = training(), training()
    fresh = {"validate_data_quality", "train", "evaluate_model", "validate_model_performance", "record_evidence"}
    assert statuses(second) == dict.fromkeys(statuses(first), "cached") | dict.fromkeys(
        fresh | {"features", "target"}, "completed"
    )
    assert first.model_version.id != second.model_version.id


def test_a_second_run_on_the_same_data_is_trained_on_what_its_own_gate_let_through(scratch: Scratch) -> None:
    code = """
@step
def clean(data: pd.DataFrame) -> Annotated[pd.DataFrame, "cleaned"]:
    return data

@governed_pipeline
def cleaning():
    data = clean(validate_data_quality(load()))
    validate_model_performance(evaluate_model(train(data), features(data), target(data)))
"""
    cleaning = scratch.add("cleaning", code).cleaning
    for _ in range(2):
        run = read_run(cleaning().id)
        graph, outputs = recorded_graph(run, ()), recorded_outputs(run)
        assert graph.violations([outputs[artifact.id] for artifact in run.steps["train"].made]) == []


def test_only_in_local_a_model_may_come_from_the_cache(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    code = """
from zenml.config import CachePolicy

@step(cache_policy=CachePolicy(ignored_inputs=["data"]))
def fit(data: pd.DataFrame) -> Annotated[ClassifierMixin, "model"]:
    return DecisionTreeClassifier().fit(data[["x"]], data["label"])

@governed_pipeline
def fitting():
    data = validate_data_quality(load())
    model = fit(data)
    validate_model_performance(evaluate_model(model, features(data), target(data)), min_accuracy=0.5)
"""
    fitting = scratch.add("fitting", code).fitting
    fitting()
    assert statuses(fitting())["fit"] == "completed"
    monkeypatch.setenv("GOVERNANCE_ENVIRONMENT", "local")
    assert statuses(fitting())["fit"] == "cached"


def test_what_a_configuration_sets_on_the_platforms_steps_is_refused(scratch: Scratch) -> None:
    training = scratch.module.training
    config = scratch.write("lax.yaml", "steps: {validate_data_quality: {parameters: {max_missing_fraction: 0.9}}}")
    message = refused(training.with_options(config_path=str(config)))["parameters-overridden"]
    assert "max_missing_fraction of step 'validate_data_quality'" in message
    for step, parameters in {
        "evaluate_model": {"positive_label": 0},
        "validate_model_performance": {"min_recall": 0.1},
        "validate_data_quality": {"governance": None},
        "record_evidence": {"submission": {"environment": "production"}},
    }.items():
        configured = training.with_options(steps={step: {"parameters": parameters}})
        assert f"of step '{step}'" in refused(configured)["parameters-overridden"]


def test_policy_given_as_an_artifact_is_not_taken(scratch: Scratch) -> None:
    code = """
@step
def policy() -> dict[str, str]:
    return {}

@governed_pipeline
def given():
    validate_data_quality(load(), governance=policy())
"""
    run = scratch.add("given", code).given()
    told = run.steps["validate_data_quality"].config.parameters["governance"]
    assert told["policy"]["environment"] == told["environment"] == "staging"
    assert told["project"] == scratch.project.project_slug
    assert run.status == "completed"


def test_what_data_and_predictions_looked_like_stays_with_the_version_and_in_its_evidence(scratch: Scratch) -> None:
    from click.testing import CliRunner
    from zenml.cli.cli import cli
    from zenml.client import Client

    from governance_core.gates.drift import Profile
    from governance_core.registry.runs import artifact_digest

    version = scratch.module.training().model_version
    assert CliRunner().invoke(cli, ["artifact", "prune", "--yes"]).exit_code == 0

    saved = {name: Client().get_model_version(None, version.id).get_artifact(name) for name in PROFILES}
    data, predictions = (Profile.from_dict(artifact.load()) for artifact in saved.values())
    assert (data.rows, list(data.columns)) == (120, ["x", "label"])
    assert (predictions.rows, list(predictions.columns)) == (120, ["prediction"])
    (evidence,) = [event.body for event in journal(scratch.project.project_slug).newest()]
    assert evidence["profiles"] == {
        name: {"artifact": str(artifact.id), "digest": artifact_digest(artifact)} for name, artifact in saved.items()
    }


def test_a_run_that_reads_a_version_leaves_its_profiles_alone(scratch: Scratch) -> None:
    """The version's newest profile is its reference: one of a batch would hide every drift."""
    from zenml import Model

    version = scratch.module.training().model_version
    code = """
from zenml import get_pipeline_context

@governed_pipeline
def reading():
    data = validate_data_quality(load())
    evaluate_model(get_pipeline_context().model.get_model_artifact("model"), features(data), target(data))
"""
    reading = scratch.add("reading", code).reading
    run = reading.with_options(model=Model(name=scratch.project.model_name, version=version.number))()
    assert run.status == "completed"
    for step in ("validate_data_quality", "evaluate_model"):
        assert not run.steps[step].outputs.keys() & set(PROFILES)
    read, _ = journal(scratch.project.project_slug).newest()
    assert read.body["profiles"] == {}


def test_a_configuration_file_sets_what_is_the_teams(scratch: Scratch) -> None:
    config = scratch.write(
        "team.yaml",
        "parameters: {rows: 130}\ntags: [mine]\nmodel: {name: " + scratch.package + "_other}\n"
        "extra: {note: x}\nsteps: {train: {parameters: {depth: 2}}}",
    )
    run = scratch.module.training.with_options(config_path=str(config))()
    assert run.model_version.model.name == f"{scratch.package}_other"
    assert {tag.name for tag in run.tags} >= {"mine", "governed"}
    assert run.config.extra["note"] == "x"
    assert run.steps["train"].config.parameters == {"depth": 2}
    assert run.steps["load"].config.parameters == {"rows": 130}


def test_the_projects_model_is_versioned_where_the_pipeline_names_none(scratch: Scratch) -> None:
    assert scratch.module.training().model_version.model.name == scratch.project.model_name


def test_a_run_that_only_reads_a_model_is_no_evidence_of_its_version(scratch: Scratch) -> None:
    from zenml import Model

    trained = scratch.module.training()
    code = "@governed_pipeline\ndef reading():\n    validate_data_quality(load())\n"
    scratch.add("reading", code).reading.with_options(model=Model(name=scratch.project.model_name, version="1"))()
    reading, training = journal(scratch.project.project_slug).newest()
    assert training.body["version"] == str(trained.model_version.id)
    assert reading.body["version"] is None


def test_zenml_pipeline_run_works(scratch: Scratch) -> None:
    from click.testing import CliRunner
    from zenml.cli.cli import cli

    config = scratch.write("cli.yaml", "parameters: {rows: 140}")
    source = f"{scratch.package}.training"
    scratch.module  # noqa: B018 - imports it
    done = CliRunner().invoke(cli, ["pipeline", "run", source, "--config", str(config)])
    assert done.exit_code == 0, done.output
    from zenml.client import Client

    run = Client().list_pipeline_runs(pipeline_name="training", size=1, sort_by="desc:created").items[0]
    assert run.steps["load"].config.parameters == {"rows": 140}
    assert statuses(run)["record_evidence"] == "completed"


def test_a_snapshot_of_it_holds_the_evidence_step(scratch: Scratch) -> None:
    snapshot = scratch.module.training.create_snapshot(name=scratch.package)
    assert "record_evidence" in snapshot.step_configurations


def test_called_inside_another_pipeline_it_is_refused(scratch: Scratch) -> None:
    module = scratch.add("nested", "@pipeline\ndef outer():\n    training()\n")
    assert refused(module.outer).keys() == {"nested-pipeline"}


def test_a_plain_pipeline_runs_without_evidence(scratch: Scratch) -> None:
    run = scratch.add("plain", "@pipeline\ndef plain():\n    train(load())\n").plain()
    assert statuses(run) == {"load": "completed", "train": "completed"}


def test_a_policy_laxer_than_the_baseline_is_refused(scratch: Scratch) -> None:
    scratch.write("governance.yaml", "policy: {staging: {metrics: {min: {accuracy: 0.1}}}}")
    assert refused(scratch.module.training).keys() == {"policy-laxer"}


@pytest.mark.usefixtures("store")
def test_outside_a_project_it_says_where_it_looked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from zenml import step

    from governance_core.pipelines import governed_pipeline

    monkeypatch.chdir(tmp_path)

    @step
    def one() -> int:
        return 1

    with pytest.raises(UsageError, match="not inside a governed project"):
        governed_pipeline(name="nowhere")(lambda: one())()  # noqa: PLW0108 - a step is no pipeline function
