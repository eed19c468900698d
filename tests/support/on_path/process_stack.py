"""A stack whose jobs are processes of this machine, so that a ZenML server runs snapshots without containers.

ZenML's server runs snapshots only on a remote orchestrator with a remote store, which these pretend to be. The folder
of this file is on the path of the server, of the clients and of the runs; nothing else of the tests is.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from zenml.artifact_stores import LocalArtifactStore, LocalArtifactStoreConfig, LocalArtifactStoreFlavor
from zenml.client import Client
from zenml.entrypoints.pipeline_entrypoint_configuration import PipelineEntrypointConfiguration
from zenml.enums import ExecutionStatus
from zenml.image_builders import BaseImageBuilder
from zenml.image_builders.base_image_builder import BaseImageBuilderFlavor
from zenml.models import PipelineRunResponse, PipelineRunUpdate
from zenml.orchestrators import BaseOrchestratorConfig, BaseOrchestratorFlavor, ContainerizedOrchestrator
from zenml.pipelines.dynamic.entrypoint_configuration import DynamicPipelineEntrypointConfiguration
from zenml.utils import code_utils
from zenml.zen_server.pipeline_execution.in_memory_workload_manager import InMemoryWorkloadManager

JOB, RUN, LOG = "PROCESS_STACK_JOB", "PROCESS_STACK_RUN", "PROCESS_STACK_LOG"
KEPT = ("PATH", "PYTHONPATH", LOG, "ZENML_LOGGING_VERBOSITY")  # of the server's environment


class WorkloadManager(InMemoryWorkloadManager):
    """Runs what the server's runner image would, each time with a home of its own."""

    def run(self, *arguments: Any, environment: dict[str, str] | None = None, **named: Any) -> None:
        """Run a workload; ZenML's own manager gives it the variables of ZenML and no other."""
        home = tempfile.mkdtemp(prefix="workload-")
        kept = {name: os.environ[name] for name in KEPT if name in os.environ}
        kept |= {"HOME": home, "ZENML_CONFIG_PATH": home, "ZENML_ANALYTICS_OPT_IN": "false"}
        super().run(*arguments, environment=kept | (environment or {}), **named)


class _Entrypoint:
    def prepare_code_environment(self) -> None:
        """Unpack the snapshot's code into a folder of this job; ZenML's own uses /app, one for all jobs."""
        os.chdir(tempfile.mkdtemp(prefix="job-"))
        if self.should_download_code:  # type: ignore[attr-defined]
            store = self._load_active_artifact_store()  # type: ignore[attr-defined]
            code_utils.download_code_from_artifact_store(self.snapshot.code_path, store)  # type: ignore[attr-defined]
        sys.path.insert(0, str(Path.cwd()))

    def run(self) -> None:
        """Run the pipeline; a job that dies before its first step would else leave the run provisioning for ever."""
        try:
            super().run()  # type: ignore[misc]
        except BaseException as error:
            run = Client().get_pipeline_run(UUID(os.environ[RUN]))
            if not run.status.is_finished and run.status != ExecutionStatus.PAUSED:
                reason = f"{type(error).__name__}: {error}"[:200]
                Client().zen_store.update_run(
                    run.id, PipelineRunUpdate(status=ExecutionStatus.FAILED, status_reason=reason)
                )
            raise


class StaticEntrypoint(_Entrypoint, PipelineEntrypointConfiguration):
    """Runs a static pipeline."""


class DynamicEntrypoint(_Entrypoint, DynamicPipelineEntrypointConfiguration):
    """Runs a dynamic pipeline."""


class ProcessOrchestrator(ContainerizedOrchestrator):
    """Starts a process for each run; a containerized one needs an image, without which no snapshot is runnable."""

    def submit_pipeline(
        self,
        snapshot: Any,
        stack: Any,  # noqa: ARG002
        base_environment: dict[str, str],
        step_environments: dict[str, dict[str, str]],  # noqa: ARG002
        placeholder_run: PipelineRunResponse | None = None,
    ) -> None:
        """Start a static pipeline."""
        self._start(StaticEntrypoint, base_environment, placeholder_run, snapshot_id=snapshot.id)

    def submit_dynamic_pipeline(
        self,
        snapshot: Any,
        stack: Any,  # noqa: ARG002
        environment: dict[str, str],
        placeholder_run: PipelineRunResponse | None = None,
    ) -> None:
        """Start a dynamic pipeline."""
        assert placeholder_run
        named = {"snapshot_id": snapshot.id, "run_id": placeholder_run.id}
        self._start(DynamicEntrypoint, environment, placeholder_run, **named)

    def get_orchestrator_run_id(self) -> str:
        """Return the id of this process's job."""
        return os.environ[JOB]

    @staticmethod
    def _start(entrypoint: Any, environment: dict[str, str], run: PipelineRunResponse | None, **named: UUID) -> None:
        assert run
        command = [
            sys.executable,
            *entrypoint.get_entrypoint_command()[1:],
            *entrypoint.get_entrypoint_arguments(**named),
        ]
        of_job = {JOB: str(uuid4()), RUN: str(run.id)}
        with Path(os.environ.get(LOG, os.devnull)).open("ab") as log:
            subprocess.Popen(
                command, env={**os.environ, **environment, **of_job}, stdout=log, stderr=log, start_new_session=True
            )


class ProcessOrchestratorFlavor(BaseOrchestratorFlavor):
    """Makes the orchestrator known to ZenML."""

    name = "process"
    config_class = BaseOrchestratorConfig
    implementation_class = ProcessOrchestrator


class SharedStoreConfig(LocalArtifactStoreConfig):
    """Where the store is: a folder of this machine, which to ZenML is remote."""

    @property
    def is_local(self) -> bool:
        """No: every process of this machine reaches it."""
        return False


class SharedStore(LocalArtifactStore):
    """A folder of this machine."""


class SharedStoreFlavor(LocalArtifactStoreFlavor):
    """Makes the store known to ZenML."""

    name = "shared"
    config_class = SharedStoreConfig
    implementation_class = SharedStore


class NoImageBuilder(BaseImageBuilder):
    """Builds nothing: the processes run in the environment of the server."""

    @property
    def is_building_locally(self) -> bool:
        """No, so that ZenML does not look for a container engine."""
        return False

    def build(self, image_name: str, *_: Any, **__: Any) -> str:
        """Return the name of the image that nobody needs."""
        return image_name


class NoImageBuilderFlavor(BaseImageBuilderFlavor):
    """Makes the builder known to ZenML."""

    name = "none"
    implementation_class = NoImageBuilder


FLAVORS = (ProcessOrchestratorFlavor, SharedStoreFlavor, NoImageBuilderFlavor)
