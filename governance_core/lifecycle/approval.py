"""Approvals: a person stands for one version, bound to its id and to the digests of its model artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance_core.core import Refused, Violation
from governance_core.ledger import Event
from governance_core.lifecycle.case import Case, Dossier, known_stage
from governance_core.policy import EffectivePolicy
from governance_core.registry import versions
from governance_core.registry.actors import Actor
from governance_core.registry.versions import ModelVersion


@dataclass(frozen=True)
class Approval:
    """An approval that was written, and how many count now of those that policy asks for."""

    model: str
    version: int
    actor: Actor
    given: int
    needed: int
    event: Event

    def as_dict(self) -> dict[str, Any]:
        """Return the approval as JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "actor": self.actor.as_dict(),
            "given": self.given,
            "needed": self.needed,
            "event": self.event.citation,
        }

    def __str__(self) -> str:
        """Say it in one sentence."""
        count = f"{self.given} of {self.needed} approvals that production needs"
        return f"{self.actor} approved {self.model} version {self.version}; it has {count}"


def approve(root: Path, version: int, to_stage: str, *, model: str | None = None, reason: str = "") -> Approval:
    """Approve a version for production, in the name of whoever acts.

    Raises:
        UsageError: if model, version or stage does not exist, or nobody can be named as the one who acts.
        Refused: if the version has no evidence, or the actor trained it or approved it before.
    """
    known_stage(to_stage, ("production",))
    case = Case.open(root, model)
    request = {"action": "approve", "number": version, "to": to_stage, "reason": reason}
    with case.recording_refusals(request):
        policy = case.policy(to_stage)
        chosen = versions.find_version(case.model, version)
        dossier = case.dossier(chosen)
        if found := _violations(dossier, case.actor):
            raise Refused(f"Approving {case.model.name} version {version}", found)
        event = case.journal.record(
            "approval",
            {
                "model": case.model.name,
                "version": chosen.id,
                "number": chosen.number,
                "artifacts": dossier.artifacts,
                "to": to_stage,
                "actor": case.actor.as_dict(),
                "reason": reason,
            },
        )
    given = len(approvers(case.dossier(chosen)))
    return Approval(case.model.name, version, case.actor, given, policy.approvals, event)


def approvers(dossier: Dossier) -> dict[str, Event]:
    """Return the approvals that count, one a person: of these very artifacts, and by nobody who trained them."""
    counted: dict[str, Event] = {}
    for event in dossier.approvals:
        person = Actor.from_dict(event.body["actor"]).person
        if event.body["artifacts"] == dossier.artifacts and person != _trainer(dossier):
            counted.setdefault(person, event)
    return counted


def missing_approvals(dossier: Dossier, policy: EffectivePolicy, version: ModelVersion) -> list[Violation]:
    """Return a violation where fewer people approved than policy asks for."""
    given = approvers(dossier)
    if len(given) >= policy.approvals:
        return []
    names = ", ".join(str(event.body["actor"]["id"]) for event in given.values()) or "nobody"
    command = f"governance approve --version {version.number} --to-stage production"  # the one stage that it takes
    who = f"{len(given)} of {policy.approvals} approvals by distinct people ({names})"
    return [Violation("approvals", f"it has {who}; somebody who did not train it runs `{command}`")]


def _violations(dossier: Dossier, actor: Actor) -> list[Violation]:
    if dossier.evidence is None:
        return [Violation("no-evidence", "no governed run recorded evidence of it, so there is nothing to approve")]
    found = []
    if actor.person == _trainer(dossier):
        found.append(Violation("own-approval", f"{actor.id} trained it; somebody else has to approve"))
    if actor.person in approvers(dossier):
        found.append(Violation("approved-twice", f"{actor.id} approved it already; somebody else has to approve"))
    return found


def _trainer(dossier: Dossier) -> str | None:
    return Actor.from_dict(dossier.evidence.body["actor"]).person if dossier.evidence else None
