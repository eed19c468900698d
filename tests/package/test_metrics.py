"""What is exported of runs and stages, and what becomes of a destination that does not take it."""

from __future__ import annotations

import re
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from support.scratch import Scratch
from support.servers import Answering, free_port
from zenml import Model, pipeline

from governance_core.core import METRIC_NAMES
from governance_core.hooks import monitoring_success_hook
from governance_core.lifecycle import metrics
from governance_core.lifecycle.metrics import stage_samples
from governance_core.lifecycle.promotion import promote
from governance_core.lifecycle.rollback import rollback
from governance_core.lifecycle.settle import settle
from governance_core.monitoring import CATALOGUE, PUSHGATEWAY_URL, TEXTFILE, Exporter, Sample, export
from governance_core.monitoring.catalogue import model_samples
from governance_core.registry.chains import stages

GROUP = {"project": "churn", "pipeline": "training", "environment": "staging"}
ROWS = Sample("data_rows", 5, {"step": "gate"})


WATCHING = """
from zenml import Model, get_pipeline_context
from governance_core.steps import detect_drift, monitor_performance

@step
def wrong(data: pd.DataFrame) -> Annotated[pd.Series, "wrong"]:
    return 1 - data["label"]

def watching_of(name):
    @governed_pipeline(model=Model(name=name, version="production"))
    def watching():
        data = load()
        detect_drift(features(data), wrong_features(data))
        monitor_performance(get_pipeline_context().model.get_model_artifact("model"), features(data), wrong(data))
    return watching

@step
def wrong_features(data: pd.DataFrame) -> Annotated[pd.DataFrame, "features"]:
    return data[["x"]] + 9
"""


def exported(folder: Path) -> dict[str, dict[str, float]]:
    """Return the values below a folder by the name of the file's group, then by name and own labels."""
    return {
        file.name: {
            name + "".join(f" {label}={value}" for label, value in sorted(labels.items()) if label not in GROUP): value
            for family in text_string_to_metric_families(file.read_text(encoding="utf-8"))
            for name, labels, value, *_ in family.samples
        }
        for file in sorted(folder.glob("*.prom"))
    }


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder that metrics are written into."""
    monkeypatch.setenv(TEXTFILE, str(tmp_path / "metrics.prom"))
    return tmp_path


def test_names_and_labels_are_as_prometheus_asks() -> None:
    for name, metric in CATALOGUE.items():
        assert re.fullmatch(r"[a-z][a-z0-9_]*", name)
        assert not name.endswith(("_total", "_count", "_sum", "_bucket")), f"{name} is a gauge"
        assert metric.unit != "seconds" or name.endswith("_seconds")
        assert metric.unit != "0 to 1" or name.endswith("_ratio")
        assert not {"run", "run_id", "run_name", "commit", "version"} & set(metric.labels), f"{name}: too many series"


def test_a_known_metric_has_a_name_of_its_own_and_another_is_a_label() -> None:
    found = model_samples({"accuracy": 0.9, "lift": 2.0, "metric": 1.0}, "churn", "production")
    labels = {"model": "churn", "stage": "production"}
    assert found == [
        Sample("model_accuracy", 0.9, labels),
        Sample("model_metric", 2.0, {**labels, "metric": "lift"}),
        Sample("model_metric", 1.0, {**labels, "metric": "metric"}),
    ]
    assert {f"model_{name}" for name in METRIC_NAMES} <= CATALOGUE.keys()


def test_without_a_variable_nothing_is_exported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TEXTFILE, raising=False)
    monkeypatch.delenv(PUSHGATEWAY_URL, raising=False)
    assert not Exporter()


def test_a_file_holds_one_group_and_is_replaced_as_a_whole(folder: Path) -> None:
    other = {**GROUP, "pipeline": "a/b c"}
    Exporter().export(GROUP, [ROWS, Sample("pipeline_run_failed", 1)])
    Exporter().export(other, [ROWS])
    Exporter().export(GROUP, [Sample("pipeline_run_failed", 0)])
    assert exported(folder) == {
        "metrics.project=churn.pipeline=a%2Fb%20c.environment=staging.prom": {"data_rows step=gate": 5},
        "metrics.project=churn.pipeline=training.environment=staging.prom": {"pipeline_run_failed": 0},
    }
    assert len(list(folder.iterdir())) == 2, "nothing else is left there"


def test_a_push_replaces_what_the_group_had_and_names_its_labels(monkeypatch: pytest.MonkeyPatch) -> None:
    with Answering() as gateway:
        monkeypatch.setenv(PUSHGATEWAY_URL, gateway.url)
        Exporter().export(GROUP, [ROWS])
    ((method, path, body),) = gateway.requests
    assert (method, path) == (
        "PUT",
        "/metrics/job/governance/environment/staging/pipeline/training/project/churn",
    )
    assert 'data_rows{environment="staging",pipeline="training",project="churn",step="gate"} 5.0' in body


def test_a_gateway_that_hangs_is_given_up_and_not_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(export, "WAIT", 0.3)
    with Answering(hangs=True) as gateway:
        monkeypatch.setenv(PUSHGATEWAY_URL, gateway.url)
        exporter, began = Exporter(), time.monotonic()
        for _ in range(50):
            exporter.export(GROUP, [ROWS])
        assert time.monotonic() - began < 5
        assert len(gateway.requests) <= 1
    (logged,) = caplog.messages
    assert PUSHGATEWAY_URL in logged


@pytest.mark.parametrize("status", [500, None])
def test_a_gateway_that_fails_or_is_down_is_logged_once(
    status: int | None, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Answering(status=status or 200) as gateway:
        monkeypatch.setenv(PUSHGATEWAY_URL, gateway.url if status else f"http://127.0.0.1:{free_port()}")
        exporter = Exporter()
        exporter.export(GROUP, [ROWS])
        exporter.export(GROUP, [ROWS])
    assert len(caplog.messages) == 1


def test_a_destination_that_fails_leaves_the_other_one_alone(
    folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv(PUSHGATEWAY_URL, f"http://127.0.0.1:{free_port()}")
    Exporter().export(GROUP, [ROWS])
    assert len(exported(folder)) == len(caplog.messages) == 1


class TestOfAProject:
    """The metrics that `governance runs settle` exports."""

    def test_a_run_tells_once_its_steps_data_and_model(self, scratch: Scratch, folder: Path) -> None:
        scratch.module.training()
        settle(scratch.project.project_slug)
        slug, model = scratch.project.project_slug, scratch.project.model_name
        group = exported(folder)[f"metrics.project={slug}.pipeline=training.environment=staging.prom"]
        assert group["pipeline_run_failed"] == group["pipeline_gates_failed"] == 0
        assert group["data_rows step=validate_data_quality"] == 120
        assert group["data_missing_ratio step=validate_data_quality"] == 0
        assert group[f"model_accuracy model={model} stage=none"] == 1
        assert group[f"model_policy_violations model={model} stage=none"] == 0
        steps = {name.partition("step=")[2] for name in group if name.startswith("pipeline_step_duration_seconds")}
        assert {"train", "evaluate_model", "record_evidence"} <= steps
        assert 0 < group["pipeline_step_duration_seconds step=train"] < group["pipeline_run_duration_seconds"]
        assert exported(folder)[f"metrics.project={slug}.model={model}.stage=production.prom"] == {}, "nobody holds it"
        assert abs(group["pipeline_run_end_timestamp_seconds"] - time.time()) < 60
        for file in folder.glob("*.prom"):
            file.unlink()
        settle(slug)
        assert exported(folder) == {}

    def test_a_run_that_watches_production_tells_drift_and_what_the_labels_say(
        self, scratch: Scratch, folder: Path
    ) -> None:
        slug, model = scratch.project.project_slug, scratch.project.model_name
        watching = scratch.add("watching", WATCHING).watching_of(model)
        scratch.module.training()
        promote(scratch.root, "staging")
        promote(scratch.root, "production")
        watching()
        settle(slug)
        version = f"model={model} stage=production"
        group = exported(folder)[f"metrics.project={slug}.pipeline=watching.environment=staging.prom"]
        assert group["data_drift_ratio step=detect_drift"] == 1
        assert group["data_drift_limit_ratio step=detect_drift"] == 0.3
        assert group[f"model_accuracy {version}"] == 0
        assert group[f"model_policy_violations {version}"] == 3
        assert group["pipeline_gates_failed"] == 0, "the policy says alert"
        stage = exported(folder)[f"metrics.project={slug}.model={model}.stage=production.prom"]
        assert stage[f"model_accuracy {version}"] == 1, "as it was trained"

    def test_a_run_that_a_gate_failed_says_so_and_what_the_gate_counted(self, scratch: Scratch, folder: Path) -> None:
        with pytest.raises(RuntimeError):
            scratch.module.training(rows=10)
        settle(scratch.project.project_slug)
        (group,) = [group for name, group in exported(folder).items() if "pipeline=training" in name]
        assert group["pipeline_run_failed"] == group["pipeline_gates_failed"] == 1
        assert group["data_rows step=validate_data_quality"] == 10

    def test_of_several_runs_the_newest_one_stands(self, scratch: Scratch, folder: Path) -> None:
        with pytest.raises(RuntimeError):
            scratch.module.training(rows=10)
        scratch.module.training()
        settle(scratch.project.project_slug)
        (group,) = [group for name, group in exported(folder).items() if "pipeline=training" in name]
        assert group["pipeline_run_failed"] == 0

    def test_what_cannot_be_measured_keeps_no_notice_from_being_settled(
        self, scratch: Scratch, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
    ) -> None:
        from governance_core.lifecycle import settle as settling

        monkeypatch.setattr(settling, "run_samples", lambda *_: 1 / 0)
        monkeypatch.setattr(settling, "stage_samples", lambda *_: 1 / 0)
        scratch.module.training()
        assert len(settle(scratch.project.project_slug)) == 1
        assert sum("ZeroDivisionError" in message for message in caplog.messages) == 3
        assert exported(folder) == {}

    def test_the_version_in_production_is_told_with_the_metrics_of_its_training(
        self, trained: Scratch, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(metrics, "recorded_metrics", lambda evidence: {"accuracy": evidence["number"]})
        for version in (1, 2):
            promote(trained.root, "staging", version=version)
            promote(trained.root, "production", force=True)
        rollback(trained.root)
        slug, model = trained.project.project_slug, trained.project.model_name
        found = {sample.name: sample.value for sample in stage_samples(slug, model, "production")}
        assert found["model_accuracy"] == 1, "that of version 1"
        assert 0 < found["model_production_age_seconds"] < 60
        since, at = found["model_production_since_timestamp_seconds"], stages(model).head()
        assert at
        assert since == datetime.fromisoformat(at.at).timestamp(), "the rollback brought it there"
        assert list(stage_samples(slug, model, "staging")) == [], "nobody holds it"

    def test_a_change_of_stages_is_exported_though_no_run_is_due(self, trained: Scratch, folder: Path) -> None:
        project = trained.project
        settle(project.project_slug)  # of the runs that are due
        promote(trained.root, "staging", version=1)
        settle(project.project_slug, project.model_name)
        staging = f"metrics.project={project.project_slug}.model={project.model_name}.stage=staging.prom"
        assert any(name.startswith("model_accuracy") for name in exported(folder)[staging])


@pytest.mark.usefixtures("store")
def test_the_monitoring_hook_exports_a_plain_run(folder: Path, scratch: Scratch) -> None:
    code: dict[str, Any] = {}

    def plain() -> None:
        data = scratch.module.validate_data_quality(scratch.module.load())
        scratch.module.evaluate_model(
            scratch.module.train(data), scratch.module.features(data), scratch.module.target(data), id="last"
        )

    pipeline(plain, name="plain_measured", on_success=monitoring_success_hook, model=Model(name="plain-model"))(**code)
    (group,) = exported(folder).values()
    assert group["pipeline_run_failed"] == 0
    assert group["data_rows step=validate_data_quality"] == 120
