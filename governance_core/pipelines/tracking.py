"""The step that logs a governed run to the stack's MLflow, so that no step of the team's has to."""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from zenml import get_step_context, step
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import ArtifactVersionResponse, PipelineRunResponse
from zenml.utils import io_utils, source_utils

from governance_core.core import UsageError, one_line, within
from governance_core.registry.runs import RunRecord, artifact_digest, read_run
from governance_core.registry.sources import platform_code, platform_role

if TYPE_CHECKING:
    from mlflow import MlflowClient
    from zenml.integrations.mlflow.experiment_trackers import MLFlowExperimentTracker

logger = logging.getLogger(__name__)

MLFLOW = "mlflow"
REACHED_WITHIN = 60.0  # seconds: a new SQLite database takes 5 to 20
MODELS_WITHIN = 600.0  # seconds
# MLflow's own settings, where nobody set them: it would try for many minutes to reach a server that is down.
IMPATIENT = {"MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1", "MLFLOW_HTTP_REQUEST_TIMEOUT": "20"}
LONGEST_PARAMETER = 6_000  # characters that MLflow takes
MOST_PARAMETERS = 100  # in one call to MLflow
REQUIREMENTS = ("scikit-learn", "cloudpickle", "numpy", "pandas")


def tracks() -> bool:
    """Tell whether the active stack has an MLflow experiment tracker; one of another flavor is left to the team.

    Raises:
        UsageError: if it has one and MLflow is not installed.
    """
    trackers = Client().active_stack_model.components.get(StackComponentType.EXPERIMENT_TRACKER, [])
    named = [tracker.name for tracker in trackers if tracker.flavor_name == MLFLOW]
    if named and find_spec(MLFLOW) is None:
        raise UsageError(
            f"the active stack logs to MLflow ({named[0]}), which is not installed; run `uv add "
            "'governed-ml-core[mlflow]'`, or take the tracker out of the stack"
        )
    return bool(named)


@step(enable_cache=False, enable_artifact_metadata=False, enable_artifact_visualization=False)
@platform_code
def track_experiment(evaluations: list[str]) -> Annotated[dict[str, Any], "experiment"]:
    """Log the run's parameters, metrics and models to MLflow and return which of MLflow's runs holds them.

    A governed pipeline adds this step by itself, behind the evaluations and before the model gate, so that a model that
    the gate refuses can be compared with others too. What cannot be logged in time is said and recorded, and the run
    goes on.

    Args:
        evaluations: the steps whose metrics are logged.
    """
    pipeline_run = get_step_context().pipeline_run
    tracked: dict[str, Any] = {"tracker": MLFLOW, "experiment": None, "run": None, "failure": None}
    try:
        log = _Log(pipeline_run)
        tracked |= within(REACHED_WITHIN, lambda: log.open(evaluations))
        within(MODELS_WITHIN, log.close)
    except (Exception, SystemExit) as error:
        tracked["failure"] = one_line(error)
        logger.warning("MLflow holds nothing or not all of this run: %s", tracked["failure"])
    return tracked


class _Log:
    """One run of MLflow's, of the name of ZenML's run."""

    def __init__(self, pipeline_run: PipelineRunResponse) -> None:
        tracker: Any = next(
            tracker for tracker in Client().active_stack.experiment_trackers.values() if tracker.flavor == MLFLOW
        )
        self.tracker: MLFlowExperimentTracker = tracker
        self.pipeline_run = pipeline_run
        self.record = read_run(pipeline_run.id)
        self.id = ""

    def open(self, evaluations: list[str]) -> dict[str, str]:
        """Log parameters and metrics, and return what to find them by."""
        with self._client() as client:
            experiment = self._experiment(client)
            # A step of the team's that uses the tracker itself has opened the run.
            opened = self.tracker.get_run_id(experiment.name, self.record.name)
            self.id = opened or client.create_run(experiment.experiment_id, run_name=self.record.name).info.run_id
            for name, value in self._tags().items():
                client.set_tag(self.id, name, value)
            self._log_numbers(client, evaluations)
        return {"experiment": experiment.name, "run": self.id}

    def close(self) -> None:
        """Log the models and end the run."""
        models = [(step.name, model.id) for step in self.record.steps.values() for model in step.made if model.is_model]
        with self._client() as client:
            try:
                for step_name, model in models:
                    name = "model" if len(models) == 1 else step_name
                    self._log_model(client, name, Client().get_artifact_version(model))
            finally:
                client.set_terminated(self.id)

    @contextmanager
    def _client(self) -> Iterator[MlflowClient]:
        import mlflow

        for name, value in IMPATIENT.items():
            os.environ.setdefault(name, value)
        talkative = logging.getLogger(MLFLOW)
        level = talkative.level
        talkative.setLevel(logging.ERROR)
        try:
            self.tracker.configure_mlflow()
            yield mlflow.MlflowClient()
        finally:
            mlflow.set_tracking_uri("")  # as ZenML leaves it behind a step
            talkative.setLevel(level)

    def _experiment(self, client: MlflowClient) -> Any:
        pipeline = self.pipeline_run.pipeline
        name = self.tracker.config.experiment_name or (pipeline.name if pipeline else "unlisted")
        if found := client.get_experiment_by_name(name):
            return found
        # Without a server MLflow would write into the working directory, and the tree would not be clean any more.
        remote = self.tracker.get_tracking_uri().startswith(("http://", "https://", "databricks"))
        store = None if remote else f"{Client().active_stack.artifact_store.path}/mlflow_artifacts"
        return client.get_experiment(client.create_experiment(name, artifact_location=store))

    def _tags(self) -> dict[str, str]:
        version_of = self.pipeline_run.model_version
        named = {"governance.model_version": f"{version_of.model.name} {version_of.number}"} if version_of else {}
        # ZenML tells by its tag which runs are its own.
        return {"zenml": version("zenml"), "governance.run": str(self.record.id), **named}

    def _log_numbers(self, client: MlflowClient, evaluations: list[str]) -> None:
        from mlflow.entities import Metric, Param

        parameters = [Param(name, value[:LONGEST_PARAMETER]) for name, value in self._parameters().items()]
        for first in range(0, len(parameters), MOST_PARAMETERS):
            client.log_batch(self.id, params=parameters[first : first + MOST_PARAMETERS])
        now = int(time.time() * 1000)
        numbers = _metrics(self.record, evaluations).items()
        client.log_batch(self.id, metrics=[Metric(name, value, now, 0) for name, value in numbers])

    def _parameters(self) -> dict[str, str]:
        steps = self.pipeline_run.snapshot.step_configurations if self.pipeline_run.snapshot else {}
        return {
            f"{name}.{parameter}": str(value)
            for name, configured in steps.items()
            if platform_role(configured.spec.source) is None
            for parameter, value in configured.config.parameters.items()
        }

    def _log_model(self, client: MlflowClient, name: str, model: ArtifactVersionResponse) -> None:
        """Log a scikit-learn model as MLflow can serve it, and any other as the files that ZenML stored."""
        client.set_tag(self.id, f"governance.digest.{name}", artifact_digest(model))
        with tempfile.TemporaryDirectory() as folder:
            files = str(Path(folder, name))
            if _is_scikit_learn(model):
                import mlflow

                # Named requirements keep MLflow from guessing them in a process of its own, which takes many seconds.
                requirements = [f"{package}=={version(package)}" for package in REQUIREMENTS]
                mlflow.sklearn.save_model(
                    model.load(), files, serialization_format="cloudpickle", pip_requirements=requirements
                )
            else:
                io_utils.copy_dir(model.uri, files)
            client.log_artifacts(self.id, files, name)


def _metrics(run: RunRecord, evaluations: list[str]) -> Mapping[str, float]:
    values = {
        name: Client().get_artifact_version(run.steps[name].made[0].id).load()
        for name in evaluations
        if run.steps[name].made
    }
    if len(values) == 1:
        return dict(next(iter(values.values())))
    return {f"{name}.{metric}": value for name, metrics in values.items() for metric, value in metrics.items()}


def _is_scikit_learn(model: ArtifactVersionResponse) -> bool:
    from sklearn.base import BaseEstimator

    try:
        return issubclass(source_utils.load(model.data_type), BaseEstimator)
    except (ImportError, AttributeError, TypeError):
        return False
