"""Runs as ZenML recorded them, read in three calls, and the digest of an artifact's files."""

from __future__ import annotations

import hashlib
import json
import posixpath
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from itertools import count, takewhile
from typing import TYPE_CHECKING, Any
from uuid import UUID

from zenml.artifacts.utils import _get_artifact_store_from_response_or_from_active_stack as _artifact_store
from zenml.client import Client
from zenml.enums import ArtifactSaveType, ArtifactType, ExecutionStatus
from zenml.io import fileio
from zenml.models import ArtifactVersionResponse, PipelineRunResponse, StepRunResponse

from governance_core.core import digest
from governance_core.registry.sources import Role, platform_role

if TYPE_CHECKING:
    from zenml import Model

GOVERNED = "governed"  # the tag of a governed run
VERDICT_KEY = "governance.verdict"  # of a gate's step metadata; the model gate returns its verdict
NEWEST = 50  # runs among which one is looked for that no filter of ZenML's finds
# Characters of a verdict in one value: ZenML drops a value of more than 65,535, and each character may be escaped.
_PART = 30_000
_CHUNK = 1 << 20


def verdict_metadata(verdict: dict[str, Any]) -> dict[str, Any]:
    """Return a verdict as step metadata, which `StepRecord.verdict` reads; a long one in parts, so it is not lost."""
    text = json.dumps(verdict)
    if len(text) <= _PART:
        return {VERDICT_KEY: verdict}
    return {f"{VERDICT_KEY}.{i // _PART}": text[i : i + _PART] for i in range(0, len(text), _PART)}


def due_tag(project_slug: str) -> str:
    """Return the tag of a project's runs whose notice is not sent yet."""
    return f"{project_slug}.notice-due"


def lost_tag(project_slug: str) -> str:
    """Return the tag of a project's runs that were reported as lost, and may end after all."""
    return f"{project_slug}.lost"


@dataclass(frozen=True)
class Artifact:
    """One artifact version that a step read or wrote; ``output_of_step`` is False for one that was saved by hand."""

    id: UUID
    is_model: bool
    output_of_step: bool
    created: datetime

    @classmethod
    def of(cls, version: ArtifactVersionResponse) -> Artifact:
        """Read ZenML's response."""
        return cls(
            id=version.id,
            is_model=version.type is ArtifactType.MODEL,
            output_of_step=version.save_type is ArtifactSaveType.STEP_OUTPUT,
            created=version.created,
        )


@dataclass(frozen=True)
class StepRecord:
    """One step of a run: whose code ran, with which parameters, on which artifacts, and how it ended.

    ``role`` is None for a team's step. A cached step has the artifacts of another run. ``error`` is the message of
    the exception that ended it.
    """

    id: UUID
    name: str
    role: Role | None
    import_path: str
    package_version: str | None
    status: str
    parameters: Mapping[str, Any]
    inputs: Mapping[str, tuple[Artifact, ...]]
    outputs: Mapping[str, tuple[Artifact, ...]]
    metadata: Mapping[str, Any]
    started: datetime | None
    ended: datetime | None
    error: str | None = None

    @property
    def verdict(self) -> dict[str, Any] | None:
        """The verdict that a gate noted with its step; None where it noted none."""
        keys = takewhile(self.metadata.__contains__, (f"{VERDICT_KEY}.{i}" for i in count()))
        text = "".join(self.metadata[key] for key in keys)
        noted: dict[str, Any] | None = json.loads(text) if text else self.metadata.get(VERDICT_KEY)
        return noted

    @property
    def completed(self) -> bool:
        """Whether it ran in this run, to its end."""
        return self.status == ExecutionStatus.COMPLETED.value

    @property
    def failed(self) -> bool:
        """Whether it ended with an error."""
        return self.status == ExecutionStatus.FAILED.value

    @property
    def made(self) -> list[Artifact]:
        """The artifacts that it made in this run."""
        outputs = (artifact for artifacts in self.outputs.values() for artifact in artifacts)
        return [artifact for artifact in outputs if self.completed and artifact.output_of_step]


@dataclass(frozen=True)
class RunRecord:
    """One pipeline run; ``version_id`` is the model version that the whole run works on, as ``model`` asked for it."""

    id: UUID
    name: str
    status: str
    version_id: UUID | None
    model: Model | None
    extra: Mapping[str, Any]
    steps: Mapping[str, StepRecord]

    @property
    def configuration(self) -> str:
        """The digest of how it was configured."""
        return configuration_digest({step.name: step.parameters for step in self.steps.values()}, self.model)

    def of_role(self, role: Role) -> list[StepRecord]:
        """Return the platform's steps of a role."""
        return [step for step in self.steps.values() if step.role == role]


def read_run(run_id: UUID) -> RunRecord:
    """Read a run with all its steps.

    Raises:
        KeyError: if there is none.
    """
    run: PipelineRunResponse = Client().get_pipeline_run(run_id)
    steps = Client().list_run_steps(pipeline_run_id=run.id, exclude_retried=True, hydrate=True, size=1000)
    return RunRecord(
        id=run.id,
        name=run.name,
        status=run.status.value,
        version_id=run.model_version.id if run.model_version else None,
        model=run.config.model,
        extra=run.config.extra,
        steps={step.name: _step(step) for step in steps},
    )


def configuration_digest(parameters: Mapping[str, Mapping[str, Any]], model: Model | None) -> str:
    """Return one digest of what can be set for a run without its code: all parameters by step, and the model.

    Who triggers a run of a snapshot may set both anew, and ZenML keeps no note of it.
    """
    version = None if model is None or model.version is None else str(model.version)
    return digest(json.dumps([parameters, model and model.name, version], sort_keys=True))


def newest_run(pipeline: str, model: str) -> UUID | None:
    """Return the newest run of a pipeline that works on a model, whatever became of it; None without one."""
    found = Client().list_pipeline_runs(
        pipeline=f"equals:{pipeline}", model=model, sort_by="desc:created", size=1, hydrate=False
    )
    return found.items[0].id if found.items else None


def pipeline_name(run: PipelineRunResponse) -> str:
    """Return the name of a run's pipeline, which may be deleted by now."""
    return run.pipeline.name if run.pipeline else "unnamed"


def submission_of(run: PipelineRunResponse) -> dict[str, Any] | None:
    """Return what the submitter of a governed run recorded, however the run ended; None of any other run."""
    snapshot = Client().get_snapshot(run.snapshot.id) if run.snapshot else None
    for step in snapshot.step_configurations.values() if snapshot else ():
        if platform_role(step.spec.source) == "evidence":
            submission: dict[str, Any] = step.config.parameters["submission"]
            return submission
    return None


def newest_submitted(
    pipeline: str, model: str, wanted: Callable[[Mapping[str, Any]], bool]
) -> PipelineRunResponse | None:
    """Return the newest governed run of a pipeline on a model whose submission is wanted, whatever became of it.

    Only the newest 50 are looked at; None where it is not among them.
    """
    found = Client().list_pipeline_runs(
        pipeline=f"equals:{pipeline}",
        model=model,
        tags=[f"equals:{GOVERNED}"],
        sort_by="desc:created",
        size=NEWEST,
    )
    submitted = ((run, submission_of(run)) for run in found.items)
    return next((run for run, submission in submitted if submission and wanted(submission)), None)


def artifact_digest(version: ArtifactVersionResponse) -> str:
    """Return one SHA-256 over the names and contents of an artifact's files.

    Raises:
        FileNotFoundError: if the artifact has no files.
    """
    store = _store(version)
    files = {}
    for path in _files(store, version.uri):
        sha256 = hashlib.sha256()
        with store.open(path, "rb") as file:
            while chunk := file.read(_CHUNK):
                sha256.update(chunk)
        files[posixpath.relpath(path, version.uri)] = sha256.hexdigest()
    if not files:
        raise FileNotFoundError(f"the files of artifact version {version.id} are not at {version.uri}")
    return digest(files)


def delete_artifact(version: ArtifactVersionResponse) -> None:
    """Delete an artifact version; its files first, unless they were there before ZenML knew of them.

    Raises:
        KeyError: if it is deleted already.
    """
    if version.save_type is not ArtifactSaveType.PREEXISTING:
        store = _store(version)
        if store.exists(version.uri):
            store.rmtree(version.uri)
    Client().zen_store.delete_artifact_version(version.id)


def _store(version: ArtifactVersionResponse) -> Any:
    # Making a store loads all of ZenML's flavors; files on this machine need none of them.
    return _artifact_store(version) if "://" in version.uri else fileio


def _files(store: Any, uri: str) -> Iterator[str]:
    for folder, _, names in store.walk(uri) if store.exists(uri) else ():
        yield from (posixpath.join(str(folder), str(name)) for name in names)


def _step(step: StepRunResponse) -> StepRecord:
    source = step.spec.source
    return StepRecord(
        id=step.id,
        name=step.name,
        role=platform_role(source),
        import_path=source.import_path,
        package_version=getattr(source, "version", None),
        status=step.status.value,
        parameters=step.config.parameters,
        inputs=_artifacts(step.inputs),
        outputs=_artifacts(step.outputs),
        metadata=step.run_metadata,
        started=step.start_time,
        ended=step.end_time,
        error=step.exception_info.message if step.exception_info else None,
    )


def _artifacts(named: Mapping[str, Any]) -> dict[str, tuple[Artifact, ...]]:
    return {name: tuple(Artifact.of(version) for version in versions) for name, versions in named.items()}
