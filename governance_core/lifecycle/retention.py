"""What nothing needs any more: old runs, the versions that they alone made, and their artifacts.

The journal names what goes before it goes, so whoever dies at it leaves the rest to the next call. Runs end first: only
then does ZenML tell which of their artifacts no other run uses, as a cached step does.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

from zenml.client import Client
from zenml.enums import ArtifactType
from zenml.models import PipelineRunResponse
from zenml.utils.pagination_utils import depaginate

from governance_core.core import Refused, UsageError
from governance_core.ledger import Holder
from governance_core.lifecycle.case import Case
from governance_core.lifecycle.settle import FINISHED
from governance_core.lifecycle.verification import verify_ledger
from governance_core.project import load_project
from governance_core.registry import versions
from governance_core.registry.chains import find_model_id, stages
from governance_core.registry.runs import GOVERNED, delete_artifact, due_tag, lost_tag

RETENTION = "retention"  # the kind of event
RUNS_AT_ONCE = 25  # in one event, whose size the store limits
MOST_ARTIFACTS = 1_000  # in one event
PAGE = 100


@dataclass
class Deleted:
    """What one call deleted, or with ``dry_run`` would; ``artifacts`` is a number of versions, then the largest."""

    model: str
    dry_run: bool
    runs: list[str] = field(default_factory=list)
    versions: list[Holder] = field(default_factory=list)
    artifacts: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return it as JSON."""
        return vars(self)

    def __str__(self) -> str:
        """Say it in one sentence."""
        if not self.runs and not self.versions and not self.artifacts:
            return f"nothing of {self.model} is to be deleted"
        verb, most = ("would be deleted", "at most ") if self.dry_run else ("were deleted", "")
        numbers = ", ".join(str(version["number"]) for version in self.versions) or "none"
        return (
            f"{len(self.runs)} runs, {most}{self.artifacts} artifacts and the versions {numbers} of {self.model} {verb}"
        )


@dataclass(frozen=True)
class Needed:
    """Versions that a stage, its chain or an approval needs, with the newest, and the runs that made their models."""

    versions: frozenset[str]
    runs: frozenset[str]


def retain(root: Path, keep_last: int, *, model: str | None = None, dry_run: bool = False) -> Deleted:
    """Delete all but the newest finished governed runs of each pipeline, and what they alone leave behind.

    A run stays whose notice is not sent yet, or which made a version that is or was in a stage, that somebody began to
    move there or approved, or that is the model's newest, whose number ZenML would give away again.

    Args:
        root: the project's folder.
        keep_last: how many finished runs of each pipeline stay in any case, at least 1.
        model: the project's where it is None.
        dry_run: say what would go, and write nothing.

    Raises:
        UsageError: if something that was named does not exist.
        Refused: if the ledger does not hold, because then it does not say what is needed.
    """
    if keep_last < 1:
        raise UsageError(f"--keep-last is {keep_last}; keep at least 1 run of each pipeline")
    project = load_project(root)
    if model is None and find_model_id(project.model_name) is None:  # nobody has trained yet, and the schedule runs
        return Deleted(project.model_name, dry_run)
    case = Case.open(root, model)
    with case.recording_refusals({"action": RETENTION, "keep_last": keep_last}, dry_run):
        if violations := verify_ledger(root, model).violations:
            raise Refused(f"Deleting old runs of {case.model.name}", violations)
    deleted = Deleted(case.model.name, dry_run)
    expired = _expired(case, keep_last)
    if dry_run:
        _foresee(deleted, case, expired)
        return deleted
    if begun := _newest(case):
        _delete(deleted, case, begun)
        expired = [run for run in expired if str(run.id) not in deleted.runs]
    for start in range(0, len(expired), RUNS_AT_ONCE):
        doomed = _doomed(expired[start : start + RUNS_AT_ONCE], needed(case))
        body = {"model": case.model.name, "keep_last": keep_last, "actor": case.actor.as_dict(), **doomed}
        case.journal.record(RETENTION, body)
        _delete(deleted, case, doomed)
    return deleted


def needed(case: Case) -> Needed:
    """Read which versions of a model are needed, and the runs that made them."""
    kept = {event.body["version"] for event in case.journal.events() if event.kind == "approval"}
    for event in stages(case.model.name).events():
        kept |= set(_version_ids(event.body))
    for place, version in enumerate(versions.newest_versions(case.model)):
        if version.stage or place == 0:
            kept.add(version.id)
    found = Client().list_artifact_versions
    made = (
        model.producer_pipeline_run_id
        for version in sorted(kept)
        for model in depaginate(found, model_version_id=UUID(version), type=ArtifactType.MODEL, hydrate=True)
    )
    return Needed(frozenset(kept), frozenset(str(run) for run in made if run))


def _version_ids(value: Any) -> Iterator[str]:
    """Yield the ids of the versions that a stage event names, wherever in it."""
    if isinstance(value, Mapping):
        if {"id", "number"} <= value.keys():
            yield value["id"]
        for inner in value.values():
            yield from _version_ids(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _version_ids(inner)


def _expired(case: Case, keep_last: int) -> list[PipelineRunResponse]:
    found = Client().list_pipeline_runs
    tags = (due_tag(case.project.project_slug), lost_tag(case.project.project_slug))
    unsettled = {run.id for tag in tags for run in depaginate(found, tags=[f"equals:{tag}"], hydrate=False)}
    by_pipeline: defaultdict[UUID | None, list[PipelineRunResponse]] = defaultdict(list)
    for run in depaginate(
        found, model=case.model.id, tags=[GOVERNED], status=f"oneof:{FINISHED}", sort_by="desc:created", hydrate=False
    ):
        by_pipeline[run.pipeline.id if run.pipeline else None].append(run)
    old = [run for runs in by_pipeline.values() for run in runs[keep_last:]]
    makers = needed(case).runs if old else frozenset()
    return [run for run in old if run.id not in unsettled and str(run.id) not in makers]


def _doomed(runs: Iterable[PipelineRunResponse], kept: Needed) -> dict[str, Any]:
    """Return what goes with these runs, as an event records it."""
    doomed = [run for run in runs if str(run.id) not in kept.runs]
    worked_on = {run.model_version.id: run.model_version.number for run in doomed if run.model_version}
    artifacts = [artifact for run in doomed for artifact in _outputs(run.id)]
    return {
        "runs": [str(run.id) for run in doomed],
        "versions": [
            Holder(id=str(version), number=number)
            for version, number in worked_on.items()
            if str(version) not in kept.versions
        ],
        "artifacts": list(dict.fromkeys(artifacts))[:MOST_ARTIFACTS],
    }


def _outputs(run: UUID) -> Iterator[str]:
    for step in depaginate(Client().list_run_steps, pipeline_run_id=run, hydrate=True):
        yield from (str(version.id) for versions_of in step.outputs.values() for version in versions_of)


def _newest(case: Case) -> Mapping[str, Any] | None:
    """Return what the newest event of retention said that it deletes: whoever wrote it may have died at it."""
    events = (event.body for event in case.journal.newest() if event.kind == RETENTION)
    return next((body for body in events if body["model"] == case.model.name), None)


def _delete(deleted: Deleted, case: Case, doomed: Mapping[str, Any]) -> None:
    kept = needed(case)  # somebody may have promoted or approved since
    store = Client().zen_store
    for run in _there(Client().list_pipeline_runs, set(doomed["runs"]) - kept.runs):
        with suppress(KeyError):  # two of these at once
            store.delete_run(run.id)
            deleted.runs.append(str(run.id))
    for version in doomed["versions"]:
        if version["id"] not in kept.versions and not _worked_on(version["id"]):
            with suppress(KeyError):
                store.delete_model_version(UUID(version["id"]))
                deleted.versions.append(version)
    for artifact in _there(Client().list_artifact_versions, doomed["artifacts"], only_unused=True):
        with suppress(KeyError):
            delete_artifact(artifact)
            deleted.artifacts += 1


def _foresee(deleted: Deleted, case: Case, expired: list[PipelineRunResponse]) -> None:
    doomed = _doomed(expired, needed(case))
    deleted.runs = doomed["runs"]
    deleted.versions = [version for version in doomed["versions"] if _worked_on(version["id"]) <= set(doomed["runs"])]
    deleted.artifacts = len(doomed["artifacts"])


def _worked_on(version_id: str) -> set[str]:
    """Return the runs that work on a version."""
    found = depaginate(Client().list_pipeline_runs, model_version_id=UUID(version_id), hydrate=False)
    return {str(run.id) for run in found}


def _there(find: Any, ids: Iterable[str], **filters: Any) -> list[Any]:
    """Return what is still there of these ids."""
    wanted = sorted(ids)
    pages = (wanted[start : start + PAGE] for start in range(0, len(wanted), PAGE))
    return [item for page in pages for item in find(id=f"oneof:{json.dumps(page)}", size=PAGE, hydrate=True, **filters)]
