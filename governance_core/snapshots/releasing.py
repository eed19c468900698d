"""The verbs `snapshot create` and `snapshot run`, in both of a project's modes.

With ``pro`` a release is a ZenML snapshot of each pipeline, which the server runs. With ``oss`` it is a manifest alone,
which a production run is compared with when it is submitted; a run of it takes place in a checkout of its commit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from zenml.models import PipelineRunResponse
from zenml.utils.dashboard_utils import get_run_url

from governance_core.core import Refused, UsageError, Violation
from governance_core.lifecycle.case import Case
from governance_core.lifecycle.eligibility import eligible
from governance_core.lifecycle.running import configured_for, ended, enter, settled, submit
from governance_core.pipelines import GovernedPipeline
from governance_core.pipelines.inspection import importable, named_pipelines
from governance_core.pipelines.submission import collect
from governance_core.policy import ENVIRONMENTS
from governance_core.project import load_project, repository_state
from governance_core.registry.chains import find_model_id
from governance_core.registry.releases import Release, newest_release, not_released, record_release
from governance_core.registry.releases import releasing as becoming_released
from governance_core.registry.versions import ModelVersion
from governance_core.snapshots import server
from governance_core.snapshots.checkout import run_elsewhere

Say = Callable[[str], None]  # takes a line for people while something long goes on


@dataclass(frozen=True)
class Outcome:
    """What a verb did: the release, where there is one, its runs, and how it ended, in a line for people."""

    said: str
    release: Release | None = None
    runs: tuple[PipelineRunResponse, ...] = ()
    exit_code: int = 0

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        runs = [{"id": str(run.id), "name": run.name, "status": run.status.value} for run in self.runs]
        return {"said": self.said, "release": self.release and self.release.as_dict(), "runs": runs}


def create(
    root: Path, names: Sequence[str], environment: str, say: Say, *, run: bool = False, unless_trained: bool = False
) -> Outcome:
    """Release pipelines of what is checked out to an environment.

    Args:
        root: the project's folder.
        names: of the pipelines, as run.py takes them.
        environment: local, staging or production.
        say: is told what was done, while more is to come.
        run: run them afterwards, one after the other.
        unless_trained: do nothing where a version that may go to this stage was trained from the same files.

    Raises:
        UsageError: if a pipeline, the configuration, the stack, a model version that is read or, in the mode ``pro``, a
            server that runs snapshots does not exist.
        Refused: if the working tree is not clean, or the pipeline is refused at submission.
        RunFailed: if a run failed.
    """
    if unless_trained and (version := _trained(root, environment)):
        return Outcome(f"version {version.number} was trained from these files; nothing was done")
    with importable(root / "src"):
        pipelines = _pipelines(root, names)
        release = _release(root, pipelines, environment, say)
        inside = f" in {release.image}" if release.image else ""
        said = f"{', '.join(names)} of commit {release.commit[:12]} was released to {environment}{inside}"
        if not run:
            return Outcome(said, release)
        say(said)
        return _on_server(root, release, names, say) if release.mode == "pro" else _in_place(root, release, pipelines)


def run(root: Path, name: str, environment: str, say: Say, *, if_released: bool = False) -> Outcome:
    """Run a pipeline of the newest release to an environment.

    Args:
        root: the project's folder.
        name: the pipeline's, as run.py takes it.
        environment: local, staging or production.
        say: is told what was started, while it goes on.
        if_released: where nothing was released yet do nothing, and say so.

    Raises:
        UsageError: if there is no such environment or release, or its commit or its snapshot is not there any more.
        Refused: if what would run is not what was released, or the pipeline is refused at submission.
        RunFailed: if the run failed.
    """
    if environment not in ENVIRONMENTS:
        raise UsageError(f"unknown environment {environment!r}; there are: {', '.join(ENVIRONMENTS)}")
    project = load_project(root)
    release = newest_release(project.project_slug, environment)
    again = f"`governance snapshot create --pipeline {name} --environment {environment}` releases it"
    if release is None:
        nothing = f"nothing was released to {environment} yet"
        if if_released:
            return Outcome(f"{nothing}, so nothing was run")
        raise UsageError(f"{nothing}; {again}")
    if name not in release.pipelines:
        there = _listed(release.pipelines)
        raise UsageError(f"{name} is not in the newest release to {environment}, which has {there}; {again}")
    if release.mode != project.snapshot_mode:
        raise UsageError(
            f"the newest release to {environment} has the mode {release.mode}, and snapshot_mode is now "
            f"{project.snapshot_mode}; {again}"
        )
    if release.mode == "pro":
        enter(environment, root)
        return _on_server(root, release, [name], say)
    if repository_state(root).commit != release.commit:
        code = run_elsewhere(root, release.commit, name, environment)
        return Outcome(f"{name} of commit {release.commit[:12]} ended with exit code {code}", release, exit_code=code)
    submission = collect(root, enter(environment, root))
    if violations := [not_released(found, environment) for found in release.differences(submission)]:
        raise Refused(f"running {name} in {environment}", violations)
    with importable(root / "src"):
        return _in_place(root, release, _pipelines(root, [name]))


def _trained(root: Path, environment: str) -> ModelVersion | None:
    if find_model_id(load_project(root).model_name) is None:
        return None
    case = Case.open(root, None)
    tree = repository_state(root).tree
    return next(eligible(case.model, environment, case.policy(environment), root, tree), None) if tree else None


def _pipelines(root: Path, names: Sequence[str]) -> dict[str, GovernedPipeline]:
    there = named_pipelines(root)
    if unknown := [name for name in names if name not in there]:
        raise UsageError(f"there is no governed pipeline {', '.join(unknown)}; there are: {_listed(there)}")
    pipelines = {name: there[name] for name in names}
    for name, pipeline in pipelines.items():
        if pipeline.name != name:
            raise UsageError(
                f"run.py knows a pipeline as {name}, and ZenML as {pipeline.name}; what is released has one name"
            )
    return pipelines


def _listed(names: Mapping[str, Any]) -> str:
    return ", ".join(sorted(names)) or "none"


def _release(root: Path, pipelines: Mapping[str, GovernedPipeline], environment: str, say: Say) -> Release:
    pro = load_project(root).snapshot_mode == "pro"
    if pro:
        server.require_server()
    configured = {name: configured_for(pipeline, environment, root) for name, pipeline in pipelines.items()}
    if pro:
        server.require_stack()
    with becoming_released():
        submission = collect(root, next(iter(configured.values())).config_file)
    if not submission["repository"]["clean"]:
        message = "the working tree has changes that no commit holds; commit them first"
        raise Refused(f"a release to {environment}", [Violation("dirty-tree", message)])
    slug = submission["project"]["slug"]
    release = Release.of(submission, dict.fromkeys(pipelines))
    if not pro:
        return record_release(slug, release)
    made = {
        name: server.make_snapshot(pipeline, environment, release.commit, say) for name, pipeline in configured.items()
    }
    # Triggers run what was merged and released, never what a change request was trained with.
    former = newest_release(slug, environment) if environment == "production" else None
    before = former.pipelines if former else {}
    release = record_release(slug, replace(release, pipelines={name: str(made[name].id) for name in made}))
    for name, snapshot in made.items():
        server.put_in_place(snapshot, environment, release.commit, before.get(name), say)
    return release


def _on_server(root: Path, release: Release, names: Sequence[str], say: Say) -> Outcome:
    runs = []
    with settled(root):
        for name in names:
            run = server.start(str(release.pipelines[name]))
            say(f"{name} runs as {run.name}: {get_run_url(run) or run.id}")
            runs.append(ended(run))
    return _ran(release, runs)


def _in_place(root: Path, release: Release, pipelines: Mapping[str, GovernedPipeline]) -> Outcome:
    with settled(root):
        submitted = [submit(pipeline, release.environment, root) for pipeline in pipelines.values()]
        return _ran(release, [ended(run) for run in submitted if run])


def _ran(release: Release, runs: Sequence[PipelineRunResponse]) -> Outcome:
    return Outcome("; ".join(f"run {run.name} is {run.status.value}" for run in runs), release, tuple(runs))
