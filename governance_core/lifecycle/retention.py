"""What nothing needs any more: old runs, the versions that they alone made, and their artifacts.

The journal names what goes before it goes, so whoever dies at it leaves the rest to the next call. Runs end first: only
then does ZenML tell which of their artifacts no other run uses, as a cached step does.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID

from zenml.client import Client
from zenml.enums import ArtifactType
from zenml.models import PipelineRunResponse
from zenml.utils.pagination_utils import depaginate

from governance_core.core import GovernanceError, Refused, UsageError, one_line
from governance_core.ledger import Event, Holder
from governance_core.lifecycle.case import Case
from governance_core.lifecycle.settle import FINISHED
from governance_core.lifecycle.verification import verify_ledger
from governance_core.project import load_project
from governance_core.registry import versions
from governance_core.registry.chains import find_model_id, stages
from governance_core.registry.connection import explained
from governance_core.registry.runs import GOVERNED, delete_artifact, due_tag, lost_tag

RETENTION = "retention"  # the kind of event
RUNS_AT_ONCE = 25  # in one event, whose size the store limits
MOST_ARTIFACTS = 1_000  # in one event
PAGE = 100


@dataclass
class Deleted:
    """What one call deleted, or with ``dry_run`` would; ``artifacts`` is a number of versions, then the largest.

    ``failed`` says what could not be deleted, and why.
    """

    model: str
    dry_run: bool
    runs: list[str] = field(default_factory=list)
    versions: list[Holder] = field(default_factory=list)
    artifacts: int = 0
    failed: list[str] = field(default_factory=list)

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


class Needed:
    """Versions that a stage, its chain or an approval needs, with the newest, and the runs that made their models."""

    def __init__(self, case: Case) -> None:
        self.versions: set[str] = set()
        self.runs: set[str] = set()
        self._case = case
        self._read: dict[str, int] = {}  # of each chain the last event
        newest = enumerate(versions.newest_versions(case.model))
        self._add({version.id for place, version in newest if version.stage or place == 0})
        self.read_on()

    def read_on(self) -> None:
        """Read what both chains hold since the last time: deleting takes minutes, in which people go on working."""
        for chain in (self._case.journal, stages(self._case.model.name)):  # which may be made meanwhile
            for event in chain.events(self._read.get(chain.name, 0)):
                self._read[chain.name] = event.seq
                if chain is not self._case.journal:
                    self._add(set(_version_ids(event.body)))
                elif event.kind == "approval":
                    self._add({event.body["version"]})

    def _add(self, ids: set[str]) -> None:
        found = Client().list_artifact_versions
        for version in sorted(ids - self.versions):
            for model in depaginate(found, model_version_id=UUID(version), type=ArtifactType.MODEL, hydrate=True):
                if model.producer_pipeline_run_id:
                    self.runs.add(str(model.producer_pipeline_run_id))
        self.versions |= ids


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
        GovernanceError: if something could not be deleted; the message names it and says what was deleted.
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
    kept = Needed(case)
    expired = _expired(case, keep_last, kept)
    if dry_run:
        _foresee(deleted, expired, kept)
        return deleted
    doomed = {str(run.id) for run in expired}
    begun = _begun(case)
    # Of what somebody else began, only runs that have expired by today's number too.
    unfinished = [event.seq for event in begun if not _delete(deleted, event.body, doomed, kept)]
    tried = {run for event in begun for run in event.body["runs"]}
    for batch in _batches(deleted, [run for run in expired if str(run.id) not in tried], kept):
        body = {"model": case.model.name, "keep_last": keep_last, "actor": case.actor.as_dict(), **batch}
        event = case.journal.record(RETENTION, {**body, "unfinished": unfinished})
        if not _delete(deleted, batch, doomed, kept):
            unfinished.append(event.seq)
    if deleted.failed:
        failed = "".join(f"\n  - {failure}" for failure in deleted.failed)
        raise GovernanceError(f"{deleted}; the next call tries again what could not be deleted:{failed}")
    return deleted


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


def _expired(case: Case, keep_last: int, kept: Needed) -> list[PipelineRunResponse]:
    found = Client().list_pipeline_runs
    tags = (due_tag(case.project.project_slug), lost_tag(case.project.project_slug))
    unsettled = {run.id for tag in tags for run in depaginate(found, tags=[f"equals:{tag}"], hydrate=False)}
    by_pipeline: defaultdict[UUID | None, list[PipelineRunResponse]] = defaultdict(list)
    for run in depaginate(
        found, model=case.model.id, tags=[GOVERNED], status=f"oneof:{FINISHED}", sort_by="desc:created", hydrate=False
    ):
        by_pipeline[run.pipeline.id if run.pipeline else None].append(run)
    old = [run for runs in by_pipeline.values() for run in runs[keep_last:]]
    return [run for run in old if run.id not in unsettled and str(run.id) not in kept.runs]


def _batches(deleted: Deleted, runs: Iterable[PipelineRunResponse], kept: Needed) -> Iterator[dict[str, Any]]:
    """Yield what goes with these runs, as much at a time as an event holds."""
    batch: list[PipelineRunResponse] = []
    artifacts: set[str] = set()
    for run in runs:
        outputs = set(_outputs(run.id))
        if len(outputs) > MOST_ARTIFACTS:
            why = f"it has {len(outputs)} artifacts, and an event names at most {MOST_ARTIFACTS}; delete it by hand"
            deleted.failed.append(f"run {run.id}: {why}")
            continue
        if len(batch) == RUNS_AT_ONCE or len(artifacts | outputs) > MOST_ARTIFACTS:
            yield _doomed(batch, artifacts, kept)
            batch, artifacts = [], set()
        batch.append(run)
        artifacts |= outputs
    if batch:
        yield _doomed(batch, artifacts, kept)


def _doomed(runs: Sequence[PipelineRunResponse], artifacts: Iterable[str], kept: Needed) -> dict[str, Any]:
    """Return what goes with these runs, as an event records it."""
    worked_on = {run.model_version.id: run.model_version.number for run in runs if run.model_version}
    return {
        "runs": [str(run.id) for run in runs],
        "versions": [
            Holder(id=str(version), number=number)
            for version, number in worked_on.items()
            if str(version) not in kept.versions
        ],
        "artifacts": sorted(artifacts),
    }


def _outputs(run: UUID) -> Iterator[str]:
    for step in depaginate(Client().list_run_steps, pipeline_run_id=run, hydrate=True):
        yield from (str(version.id) for versions_of in step.outputs.values() for version in versions_of)


def _begun(case: Case) -> list[Event]:
    """Return the newest event of retention, at which somebody may have died, and those that it says are unfinished."""
    events = (event for event in case.journal.newest() if event.kind == RETENTION)
    newest = next((event for event in events if event.body["model"] == case.model.name), None)
    if newest is None:
        return []
    found = [case.journal.event(seq) for seq in newest.body.get("unfinished", ())]
    return [*(event for event in found if event), newest]


def _delete(deleted: Deleted, named: Mapping[str, Any], doomed: set[str], kept: Needed) -> bool:
    """Delete what an event names, of its runs the doomed ones; say whether nothing of it failed."""
    failures = len(deleted.failed)
    store = Client().zen_store
    for run in _there(Client().list_pipeline_runs, doomed.intersection(named["runs"])):
        kept.read_on()
        if str(run.id) not in kept.runs and _done(deleted, f"run {run.id}", partial(store.delete_run, run.id)):
            deleted.runs.append(str(run.id))
    kept.read_on()
    for version in named["versions"]:
        if version["id"] not in kept.versions and not _worked_on(version["id"]):
            what, delete = f"version {version['number']}", partial(store.delete_model_version, UUID(version["id"]))
            if _done(deleted, what, delete):
                deleted.versions.append(version)
    for artifact in _there(Client().list_artifact_versions, named["artifacts"], only_unused=True):
        what = f"artifact version {artifact.id} at {artifact.uri}"
        deleted.artifacts += _done(deleted, what, partial(delete_artifact, artifact))
    return len(deleted.failed) == failures


def _done(deleted: Deleted, what: str, delete: Callable[[], object]) -> bool:
    """Say whether this call deleted it; a store that is gone or an integration that is missing stops nothing else."""
    try:
        delete()
    except KeyError:  # somebody else did, two of these at once
        return False
    except Exception as error:
        if explained(error):
            raise
        deleted.failed.append(f"{what}: {one_line(error)}")
        return False
    return True


def _foresee(deleted: Deleted, expired: Sequence[PipelineRunResponse], kept: Needed) -> None:
    doomed = _doomed(expired, {artifact for run in expired for artifact in _outputs(run.id)}, kept)
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
