"""What every decision about a model version starts from, what it ends with, and the record of a refusal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from governance_core.core import Refused, UsageError, Violation
from governance_core.ledger import STAGES, Event, Holders, StageState, is_arrival, recorded_violations
from governance_core.lifecycle.eligibility import evidence_of
from governance_core.lifecycle.protocol import StageLedger
from governance_core.pipelines.submission import project_policy
from governance_core.policy import EffectivePolicy
from governance_core.project import Project, load_project
from governance_core.registry import chains, versions
from governance_core.registry.actors import Actor, current_actor

LEASE_SECONDS = 60  # where no policy can be read: a way back must not depend on governance.yaml


@dataclass(frozen=True)
class Case:
    """A project and one of its models."""

    root: Path
    project: Project
    model: versions.Model
    journal: chains.Chain

    @classmethod
    def open(cls, root: Path, model_name: str | None) -> Case:
        """Read what a decision needs; the model defaults to the project's.

        Raises:
            UsageError: if project or model cannot be found.
        """
        project = load_project(root)
        model = versions.find_model(model_name or project.model_name)
        return cls(root, project, model, chains.journal(project.project_slug))

    @cached_property
    def actor(self) -> Actor:
        """Who acts; a UsageError where nobody can be named."""
        return current_actor(self.root)

    def policy(self, environment: str) -> EffectivePolicy:
        """Return the policy in force.

        Raises:
            UsageError: if governance.yaml cannot be read.
            Refused: if it is laxer than the baseline.
        """
        return project_policy(self.root, self.project, environment)

    def stages(self, policy: EffectivePolicy | None) -> StageLedger:
        """Return the model's stages."""
        return StageLedger(self.model, self.journal, self.actor, policy.lease_seconds if policy else LEASE_SECONDS)

    def dossier(self, version: versions.ModelVersion) -> Dossier:
        """Read the evidence of a version and the approvals since, of which there are none without evidence."""
        evidence = evidence_of(version, self.root)
        since = self.journal.events(evidence.seq) if evidence else ()
        approvals = (event for event in since if event.kind == "approval" and event.body.get("version") == version.id)
        return Dossier(evidence, tuple(approvals))

    @contextmanager
    def recording_refusals(self, request: Mapping[str, Any], dry_run: bool = False) -> Iterator[None]:
        """Write a refusal into the journal, with what was asked and every rule that forbade it."""
        try:
            yield
        except Refused as refused:
            if not dry_run:
                violations = recorded_violations(refused.violations)
                body = {**request, "model": self.model.name, "violations": violations, "actor": self.actor.as_dict()}
                self.journal.record("refusal", body)
            raise


@dataclass(frozen=True)
class Dossier:
    """The evidence of the run that made a version, and the approvals since."""

    evidence: Event | None
    approvals: tuple[Event, ...]

    @property
    def artifacts(self) -> list[dict[str, Any]]:
        """The model artifacts that the run recorded, each with its digest."""
        models = self.evidence.body["models"] if self.evidence else []
        return [{"artifact": model["artifact"], "digest": model["digest"]} for model in models]


@dataclass(frozen=True)
class Decision:
    """What was done, or with ``dry_run`` would be; ``already`` means that the version holds the stage and nothing was.

    ``shown`` are the violations that a rollback shows and records, and does not refuse for.
    """

    action: str
    model: str
    version: versions.ModelVersion
    to: str
    before: Holders
    after: Holders
    already: bool = False
    dry_run: bool = False
    shown: tuple[Violation, ...] = ()
    event: Event | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the decision as JSON."""
        return {
            "action": self.action,
            "model": self.model,
            "version": dict(self.version.holder),
            "to": self.to,
            "before": dict(self.before),
            "after": dict(self.after),
            "already": self.already,
            "dry_run": self.dry_run,
            "shown": [found.as_dict() for found in self.shown],
            "event": self.event and self.event.citation,
        }

    def __str__(self) -> str:
        """Say it in one sentence for people, with what was replaced."""
        name = f"{self.model} version {self.version.number}"
        if self.already:
            return f"{name} is already in {self.to}; nothing was changed"
        previous = self.before.get(self.to)
        replaced = f", in place of version {previous['number']}" if previous else ""
        verb = "would go" if self.dry_run else "went"
        written = f" (event {self.event.seq} of {self.event.chain})" if self.event else ""
        lines = [f"{name} {verb} to {self.to}{replaced}{written}"]
        lines += [f"  today's policy would refuse it: {found}" for found in self.shown]
        return "\n".join(lines)


def holder_of(model: versions.Model, holders: Holders, stage: str) -> versions.ModelVersion:
    """Return the version that the ledger has in a stage.

    Raises:
        UsageError: if there is none, or no such stage.
    """
    holder = holders[known_stage(stage, STAGES)]
    if holder is None:
        raise UsageError(f"no version of {model.name} is in {stage}")
    return versions.find_version(model, holder["number"])


def just_promoted(model: versions.Model, state: StageState) -> versions.ModelVersion | None:
    """Return the version that the newest change of stages took from staging to production, where staging is empty.

    What named it as the holder of staging is then being done again, after something later failed.
    """
    holder = state.holders["production"]
    if holder is None or state.holders["staging"]:
        return None
    events = chains.stages(model.name).newest()
    newest = next((event for event in events if event.kind == "outcome" and event.body["result"] == "done"), None)
    if newest is None or newest.body["action"] != "promote" or not is_arrival(newest, "production", holder["id"]):
        return None
    return versions.find_version(model, holder["number"])


def known_stage(stage: str, allowed: tuple[str, ...]) -> str:
    """Return a stage that was named.

    Raises:
        UsageError: if it is none of those allowed.
    """
    if stage not in allowed:
        raise UsageError(f"unknown stage {stage!r}; allowed here: {', '.join(allowed)}")
    return stage
