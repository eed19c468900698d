"""Whether a version may go to a stage. Nothing is believed that somebody could have typed: the run is read again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from zenml.client import Client
from zenml.enums import ArtifactType
from zenml.materializers.built_in_materializer import DEFAULT_FILENAME
from zenml.models import ArtifactVersionResponse
from zenml.utils.pagination_utils import depaginate

from governance_core.core import Refused, Violation, digest, installation
from governance_core.core.rules import DataRules
from governance_core.gates import judge_metrics
from governance_core.ledger import Event
from governance_core.pipelines.placement import recorded_graph, recorded_outputs
from governance_core.pipelines.submission import governance, recordable
from governance_core.policy import EffectivePolicy
from governance_core.project import governed_findings, in_history, load_project
from governance_core.registry.chains import journal
from governance_core.registry.runs import GOVERNED, RunRecord, artifact_digest, read_run
from governance_core.registry.versions import Model, ModelVersion, find_version_by_id

PAGE = 50
# The clock of the machine that ran a step and the store's clock may differ.
CLOCKS = timedelta(minutes=1)


def judge(version: ModelVersion, to_stage: str, policy: EffectivePolicy, root: Path) -> list[Violation]:
    """Return every rule that keeps a version out of a stage.

    Args:
        version: the version.
        to_stage: staging or production.
        policy: the one that holds in that stage.
        root: the project, at the commit that is promoted from.
    """
    models = _models(version)
    if not models:
        return [Violation("no-model-artifact", "it has no model artifact, so there is nothing to promote")]
    run = _producer(models)
    if run is None:
        message = "its model artifacts are not the outputs of one run that still exists"
        return [Violation("foreign-model-artifact", message)]
    return list(Candidate(version, run, models, policy, root, to_stage).violations())


def evidence_of(version: ModelVersion, root: Path) -> Event | None:
    """Return the evidence that the run which made a version wrote itself; None where there is none.

    What else stands in the journal of a version may have been written by anybody who can write there.
    """
    models = _models(version)
    run = _producer(models) if models else None
    return _own_evidence(run, version, root) if run else None


def newest_eligible(
    model: Model, to_stage: str, policy: EffectivePolicy, root: Path, tree: str | None = None
) -> ModelVersion:
    """Return the version with the highest number that may go to a stage; an archived one must be named to come back.

    Args:
        model: whose versions are looked at.
        to_stage: staging or production.
        policy: the one that holds in that stage.
        root: the project, at the commit that is promoted from.
        tree: only versions that were trained from a commit with this git tree.

    Raises:
        Refused: if there is none.
    """
    for version in eligible(model, to_stage, policy, root, tree):
        return version
    which = f" that was trained from the tree that is checked out ({tree})" if tree else ""
    message = f"no version of {model.name}{which} fulfils every rule for {to_stage}; name one to see what it lacks"
    raise Refused(f"promoting the newest eligible version to {to_stage}", [Violation("nothing-eligible", message)])


def eligible(
    model: Model, to_stage: str, policy: EffectivePolicy, root: Path, tree: str | None = None
) -> Iterator[ModelVersion]:
    """Yield the versions that may go to a stage and are not archived, newest first.

    Args:
        model: whose versions.
        to_stage: staging or production.
        policy: the one that holds in that stage.
        root: the project, at the commit that is promoted from.
        tree: only versions that were trained from a commit with this git tree; no other one is judged. For staging not
            the one in production, which cannot go back: a tree that was reverted to is trained again. Without a tree it
            is not passed over, because what follows is older than what is in production.
    """
    passed_over = ("archived", "production") if tree and to_stage == "staging" else ("archived",)
    for version in _trained_from(model, root, tree) if tree else _trained(model):
        if version.stage not in passed_over and not judge(version, to_stage, policy, root):
            yield version


def _trained_from(model: Model, root: Path, tree: str) -> Iterator[ModelVersion]:
    """Yield the versions whose own evidence names this tree, newest first; the journal finds them at little cost."""
    for event in journal(load_project(root).project_slug).newest():
        if event.kind == "evidence" and event.body["model"] == model.name and _tree_of(event) == tree:
            version = find_version_by_id(event.body["version"])
            if version and _tree_of(evidence_of(version, root)) == tree:
                yield version


def _tree_of(evidence: Event | None) -> str | None:
    tree: str | None = evidence.body["submission"]["repository"]["tree"] if evidence else None
    return tree


def _trained(model: Model) -> Iterator[ModelVersion]:
    """Yield the versions that completed governed runs worked on, newest first; a page of runs at a time."""
    seen: set[UUID] = set()
    page = 1
    while True:
        runs = Client().list_pipeline_runs(
            model=model.id, status="completed", tags=GOVERNED, sort_by="desc:created", size=PAGE, page=page
        )
        found = {run.model_version.id: run.model_version.number for run in runs if run.model_version}
        for version_id in sorted(found.keys() - seen, key=lambda version_id: -found[version_id]):
            if version := find_version_by_id(str(version_id)):
                yield version
        seen |= found.keys()
        page += 1
        if page > runs.total_pages:
            return


def _models(version: ModelVersion) -> list[ArtifactVersionResponse]:
    found = Client().list_artifact_versions
    return list(depaginate(found, model_version_id=UUID(version.id), type=ArtifactType.MODEL, hydrate=True))


def _producer(models: list[ArtifactVersionResponse]) -> RunRecord | None:
    producers = {model.producer_pipeline_run_id for model in models}
    producer = producers.pop()
    if producers or producer is None:
        return None
    try:
        return read_run(producer)
    except KeyError:
        return None


@dataclass(frozen=True)
class Candidate:
    """A version, the run that made its model artifacts, and where it shall go."""

    version: ModelVersion
    run: RunRecord
    models: list[ArtifactVersionResponse]
    policy: EffectivePolicy
    root: Path
    to_stage: str

    def violations(self) -> Iterator[Violation]:
        """Yield every broken rule."""
        yield from self._origin()
        yield from self._gates()
        event = _own_evidence(self.run, self.version, self.root)
        if event is None:
            yield Violation("evidence-missing", f"run {self.run.name} left no evidence in the journal that is its own")
            return
        submission = event.body["submission"]
        yield from self._data(event)
        yield from self._recorded_models(event)
        yield from self._parameters(submission)
        yield from self._submission(submission)
        if self.to_stage == "production":
            yield from self._production(submission)

    def _origin(self) -> Iterator[Violation]:
        if self.run.version_id != UUID(self.version.id):
            yield Violation(
                "foreign-model-artifact", f"its model artifact was made by run {self.run.name} for another version"
            )
        if self.run.status != "completed":
            yield Violation("run-not-completed", f"run {self.run.name} is {self.run.status}")

    def _gates(self) -> Iterator[Violation]:
        for step in self.run.steps.values():
            if step.role in ("data_gate", "model_gate") and not step.completed:
                yield Violation("gate-failed", f"step '{step.name}' of run {self.run.name} is {step.status}")
        outputs = recorded_outputs(self.run)
        graph = recorded_graph(self.run, self.policy.evaluators)
        yield from graph.violations([outputs[model.id] for model in self.models if model.id in outputs])

    def _data(self, event: Event) -> Iterator[Violation]:
        for gate in self.run.of_role("data_gate"):
            checks = (event.body["gates"].get(gate.name) or {}).get("checks", ())
            numbers = {check["subject"]: check["value"] for check in checks if check["limit"] is not None}
            yield from judge_metrics(numbers, self.policy.data_bounds).violations
        judged_by = DataRules.model_validate(event.body["submission"]["policy"]["data"])
        for rule in self.policy.data.unjudged_by(judged_by):
            message = f"its data were judged by laxer rules than data.{rule}; train it again under this rule"
            yield Violation("data-unjudged", message)

    def _recorded_models(self, event: Event) -> Iterator[Violation]:
        recorded = {model["artifact"]: model for model in event.body["models"]}
        for model in self.models:
            evidence = recorded.get(str(model.id))
            if evidence is None:
                message = f"model artifact {model.name} is not what a step of run {self.run.name} made"
                yield Violation("foreign-model-artifact", message)
                continue
            yield from self._unchanged(model, evidence["digest"])
            for metrics in evidence["metrics"]:
                yield from judge_metrics(metrics["values"], self.policy.metric_bounds).violations

    def _unchanged(self, model: ArtifactVersionResponse, recorded: str) -> Iterator[Violation]:
        try:
            now = artifact_digest(model)
        except FileNotFoundError as error:
            yield Violation("artifact-missing", str(error))
        else:
            if now != recorded:
                yield Violation("artifact-changed", f"model artifact {model.name} is {now}; the run made {recorded}")

    def _parameters(self, submission: Mapping[str, Any]) -> Iterator[Violation]:
        """Yield the steps that did not get what code and policy gave them when the run was submitted."""
        told = governance(submission, makes_model=True)
        given = {step.name: recordable(step.parameters) for step in self.run.steps.values()}
        expected = {name: step["parameters"] | {"governance": told} for name, step in submission["steps"].items()}
        expected |= {step.name: {"submission": submission} for step in self.run.of_role("evidence")}
        for name in sorted(name for name in expected if given.get(name) != expected[name]):
            yield Violation(
                "parameters-overridden", f"the parameters of step '{name}' are not those that were submitted"
            )
        sealed = self.run.extra.get("governance", {})
        if "configuration" not in sealed:
            message = "it was trained with an older release of the platform, which did not seal a run's configuration"
            yield Violation("configuration-unsealed", f"{message}; train it again")
        elif sealed["configuration"] != self.run.configuration:
            message = "a parameter of a step, or the model, was set anew when somebody triggered the run"
            yield Violation("parameters-overridden", message)
        if sealed.get("digest") != digest(submission):
            yield Violation("parameters-overridden", "the submission is not the one that the run was submitted with")

    def _submission(self, submission: Mapping[str, Any]) -> Iterator[Violation]:
        if submission["environment"] == "local":
            yield Violation("local-run", "it was trained in the environment local; train it in staging or production")
        if not submission["repository"]["clean"]:
            yield Violation("dirty-tree", "it was trained from a working tree with changes that no commit holds")
        for when, kind in (("in the run", submission["package"]["kind"]), ("now", installation().kind)):
            if kind != "wheel":
                yield Violation(
                    "foreign-package", f"governance_core {when} is {kind}, not an intact wheel of the platform"
                )

    def _production(self, submission: Mapping[str, Any]) -> Iterator[Violation]:
        commit, tree = submission["repository"]["commit"], submission["repository"]["tree"]
        if not in_history(self.root, commit, tree):
            yield Violation(
                "commit-unknown", f"neither commit {commit} nor its tree occurs in the history of this branch"
            )
        if not submission["governed"]["intact"]:
            yield Violation("governed-files-differ", "governed files differed from their render when it was trained")
        for finding in governed_findings(self.root):
            yield Violation("governed-files-differ", f"now: {finding}")
        template = submission["template"]
        if not template["released"] and template["source"] != "path":
            yield Violation(
                "template-unreleased", f"it was trained with the unreleased template {template['recorded']}"
            )


def _own_evidence(run: RunRecord, version: ModelVersion, root: Path) -> Event | None:
    """Return the event that the run's own evidence step wrote; None where there is none, or it was forged."""
    steps = [step for step in run.of_role("evidence") if step.completed]
    written = [artifact for step in steps for artifact in step.outputs.get("evidence", ())]
    if len(steps) != 1 or len(written) != 1 or not written[0].output_of_step:
        return None
    if steps[0].ended is None or written[0].created > steps[0].ended + CLOCKS:
        return None
    citation = _load(written[0].id)
    if citation is None:
        return None
    event = journal(load_project(root).project_slug).event(citation["seq"])
    if event is None or event.hash != citation["hash"] or event.kind != "evidence":
        return None
    return event if event.body["run"] == str(run.id) and event.body["version"] == version.id else None


def _load(artifact: UUID) -> dict[str, Any] | None:
    """Return what an evidence step returned; None where its file is gone or holds something else."""
    version = Client().get_artifact_version(artifact)
    try:
        # ZenML's load makes the whole active stack first; on this machine the file that it reads needs none of it.
        local = Path(version.uri, DEFAULT_FILENAME)
        value = version.load() if "://" in version.uri else json.loads(local.read_text(encoding="utf-8"))
    except (OSError, ValueError, RuntimeError):
        return None
    return value if isinstance(value, dict) and value.keys() >= {"seq", "hash"} else None
