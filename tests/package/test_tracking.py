"""A governed run is logged to the stack's MLflow by itself, and never lost because MLflow is."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from support.scratch import Scratch
from support.trained import journal

from governance_core.core import UsageError

os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
OTHER_MODELS = """
from zenml import ArtifactConfig
from zenml.enums import ArtifactType

class Constant:
    def predict(self, features):
        return [i % 2 for i in range(len(features))]

@step(experiment_tracker=True)
def fit(data: pd.DataFrame) -> Annotated[Constant, ArtifactConfig(name="model", artifact_type=ArtifactType.MODEL)]:
    import mlflow

    mlflow.log_param("by_hand", 7)
    return Constant()

@governed_pipeline
def other():
    data = validate_data_quality(load())
    model = fit(data)
    validate_model_performance(evaluate_model(model, features(data), target(data)))

@governed_pipeline
def hopeless():
    data = validate_data_quality(load())
    metrics = evaluate_model(train(data), features(data), target(data))
    validate_model_performance(metrics, max_metrics={"accuracy": 0.5})

@governed_pipeline
def twice():
    data = validate_data_quality(load())
    for name in ("one", "two"):
        metrics = evaluate_model(train(data, id=f"train_{name}"), features(data), target(data), id=f"evaluate_{name}")
        validate_model_performance(metrics, id=f"gate_{name}")
"""


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Return the address of a SQLite database that has MLflow's tables, which take seconds to make."""
    import mlflow

    folder = tmp_path_factory.mktemp("mlflow")
    address = f"sqlite:///{folder}/mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        mlflow.MlflowClient(address).search_experiments()
    return address


@pytest.fixture
def with_tracker(scratch: Scratch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., None]]:
    """Return a function that puts an experiment tracker into the active stack."""
    from zenml.client import Client
    from zenml.enums import StackComponentType

    monkeypatch.chdir(tmp_path)  # MLflow writes there where nobody says otherwise

    def put(flavor: str, **configuration: str) -> None:
        kinds = StackComponentType
        tracker = Client().create_stack_component(scratch.package, flavor, kinds.EXPERIMENT_TRACKER, configuration)
        components = {
            kinds.ORCHESTRATOR: "default",
            kinds.ARTIFACT_STORE: "default",
            kinds.EXPERIMENT_TRACKER: tracker.id,
        }
        monkeypatch.setenv("ZENML_ACTIVE_STACK_ID", str(Client().create_stack(scratch.package, components).id))

    environment = dict(os.environ)
    yield put
    for name in os.environ.keys() - environment:
        if name.startswith("MLFLOW_"):  # ZenML leaves them behind
            del os.environ[name]


def logged(database: str, run_id: str) -> Any:
    import mlflow

    return mlflow.MlflowClient(database).get_run(run_id)


def test_parameters_metrics_and_the_model_are_logged_and_the_evidence_says_where(
    scratch: Scratch, with_tracker: Callable[..., None], database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import mlflow

    monkeypatch.chdir(scratch.root)
    with_tracker("mlflow", tracking_uri=database)
    run = scratch.module.training()
    evidence = journal(scratch)[-1].body
    assert run.status == "completed"
    assert evidence["experiment"] == {
        "tracker": "mlflow",
        "experiment": "training",
        "run": evidence["experiment"]["run"],
        "failure": None,
    }
    there = logged(database, evidence["experiment"]["run"])
    assert there.info.run_name == run.name
    assert there.info.status == "FINISHED"
    assert there.data.params == {"load.rows": "120", "train.depth": "1"}
    assert there.data.metrics == evidence["models"][0]["metrics"][0]["values"]
    assert there.data.tags["governance.run"] == str(run.id)
    assert there.data.tags["governance.digest.model"] == evidence["models"][0]["digest"]
    mlflow.set_tracking_uri(database)
    assert mlflow.sklearn.load_model(f"runs:/{there.info.run_id}/model").get_depth() == 1
    experiment = mlflow.MlflowClient(database).get_experiment(there.info.experiment_id)
    assert experiment.artifact_location.endswith("/mlflow_artifacts"), "not in the working directory"
    assert scratch.git("status", "--porcelain") == ""

    from governance_core.lifecycle.promotion import promote

    assert promote(scratch.root, "staging").version.number == 1


def test_a_model_that_the_gate_refuses_is_logged_too(
    scratch: Scratch, with_tracker: Callable[..., None], database: str
) -> None:
    import mlflow
    from zenml.client import Client

    with_tracker("mlflow", tracking_uri=database)
    hopeless = scratch.add("others", OTHER_MODELS).hopeless
    with pytest.raises(RuntimeError, match="validate_model_performance"):
        hopeless()
    gate = Client().get_snapshot(hopeless.snapshot_id).step_configurations["validate_model_performance"]
    assert "track_experiment" in gate.spec.upstream_steps, "whichever of two steps happens to come first"
    client = mlflow.MlflowClient(database)
    experiment = client.get_experiment_by_name("hopeless")
    (there,) = client.search_runs([experiment.experiment_id])
    assert there.data.metrics["accuracy"] == 1.0


def test_other_models_are_logged_as_files_beside_what_a_step_logs_itself(
    scratch: Scratch, with_tracker: Callable[..., None], database: str
) -> None:
    import mlflow

    with_tracker("mlflow", tracking_uri=database)
    scratch.add("others", OTHER_MODELS).other()
    there = logged(database, journal(scratch)[-1].body["experiment"]["run"])
    assert there.data.params == {"load.rows": "120", "by_hand": "7"}
    assert there.data.metrics["accuracy"] == 1.0
    files = mlflow.MlflowClient(database).list_artifacts(there.info.run_id, "model")
    assert files


def test_what_several_steps_evaluate_carries_their_names(
    scratch: Scratch, with_tracker: Callable[..., None], database: str
) -> None:
    with_tracker("mlflow", tracking_uri=database)
    scratch.add("others", OTHER_MODELS).twice()
    assert journal(scratch)[-1].body["experiment"]["failure"] is None
    there = logged(database, journal(scratch)[-1].body["experiment"]["run"])
    assert {name for name in there.data.metrics if "accuracy" in name} == {
        "evaluate_one.accuracy",
        "evaluate_two.accuracy",
    }
    assert {tag for tag in there.data.tags if "digest" in tag} == {
        "governance.digest.train_one",
        "governance.digest.train_two",
    }


@pytest.mark.parametrize("answers", [False, True], ids=["refuses", "accepts and says nothing"])
def test_a_tracker_that_is_down_costs_neither_the_run_nor_its_evidence(
    scratch: Scratch, with_tracker: Callable[..., None], monkeypatch: pytest.MonkeyPatch, *, answers: bool
) -> None:
    from governance_core.pipelines import tracking

    monkeypatch.setattr(tracking, "REACHED_WITHIN", 2.0)
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        if answers:
            listening.listen()
        address = f"http://127.0.0.1:{listening.getsockname()[1]}"
        with_tracker("mlflow", tracking_uri=address, tracking_token="t")
        run = scratch.module.training()
    experiment = journal(scratch)[-1].body["experiment"]
    assert run.status == "completed"
    assert experiment["run"] is None
    assert ("no answer within 2 s" in experiment["failure"]) == answers
    assert journal(scratch)[-1].body["version"] == str(run.model_version.id)


def test_without_a_tracker_and_for_those_of_other_flavors_nothing_is_added(
    scratch: Scratch, with_tracker: Callable[..., None]
) -> None:
    scratch.module.training()
    assert journal(scratch)[-1].body["experiment"] is None
    with_tracker("trackio")
    scratch.module.training.prepare()
    assert "track_experiment" not in scratch.module.training.invocations


def test_a_tracker_without_mlflow_is_named_before_anything_runs(
    scratch: Scratch, with_tracker: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    from governance_core.pipelines import tracking

    with_tracker("mlflow")
    monkeypatch.setattr(tracking, "find_spec", lambda _: None)
    with pytest.raises(UsageError, match=r"which is not installed; run `uv add 'governed-ml-core\[mlflow\]'`"):
        scratch.module.training()


def test_a_pipeline_that_evaluates_nothing_is_not_logged(scratch: Scratch, with_tracker: Callable[..., None]) -> None:
    with_tracker("mlflow")
    reading = scratch.add("reading", "@governed_pipeline\ndef reading():\n    validate_data_quality(load())\n").reading
    reading.prepare()
    assert reading.invocations.keys() == {"load", "validate_data_quality", "record_evidence"}
