"""Approvals: a person stands for one version, bound to its id and to the digests of its model artifacts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from governance_core import ci
from governance_core.core import Refused, UsageError, Violation
from governance_core.ledger import Event, is_arrival
from governance_core.lifecycle.case import Case, Dossier, holder_of, just_promoted, known_stage
from governance_core.policy import EffectivePolicy
from governance_core.registry import versions
from governance_core.registry.actors import Actor
from governance_core.registry.chains import stages
from governance_core.registry.versions import ModelVersion


@dataclass(frozen=True)
class Approved:
    """The approvals that were written for a version, and how many count now of those that policy asks for.

    ``passed_over`` are the people whom the CI system names and who may not approve it, each with the rule. ``already``
    means that the version is in production, and that nothing was written.
    """

    model: str
    version: int
    events: tuple[Event, ...]
    passed_over: tuple[Violation, ...]
    given: int
    needed: int
    already: bool = False

    def as_dict(self) -> dict[str, Any]:
        """Return the approvals as JSON."""
        return {
            "model": self.model,
            "version": self.version,
            "approvals": [{"actor": event.body["actor"], "event": event.citation} for event in self.events],
            "passed_over": [found.as_dict() for found in self.passed_over],
            "given": self.given,
            "needed": self.needed,
            "already": self.already,
        }

    def __str__(self) -> str:
        """Say it in a sentence, and in a further line each who was passed over."""
        if self.already:
            return f"{self.model} version {self.version} is already in production; nothing was changed"
        people = " and ".join(str(Actor.from_dict(event.body["actor"])) for event in self.events)
        count = f"it has {self.given} of {self.needed} approvals that production needs"
        lines = [f"{people or 'nobody new'} approved {self.model} version {self.version}; {count}"]
        return "\n".join([*lines, *(f"  passed over: {found}" for found in self.passed_over)])


def approve(
    root: Path,
    version: int | None,
    to_stage: str,
    *,
    from_stage: str | None = None,
    from_ci: bool = False,
    model: str | None = None,
    reason: str = "",
) -> Approved:
    """Approve a version for production, in the name of whoever acts or of those whom the CI system names.

    Args:
        root: the project's folder.
        version: by number; None where ``from_stage`` names it.
        to_stage: production.
        from_stage: the stage that the version is in.
        from_ci: write down the people who approved this CI run, instead of whoever acts.
        model: the project's where it is None.
        reason: recorded.

    Raises:
        UsageError: if model, version or stage does not exist, nobody can be named as the one who acts, or the CI
            system does not say who approved.
        Refused: if the version has no evidence, or the actor trained it or approved it before; with ``from_ci`` if it
            is not in staging, or the policy asks for approvals and nobody is left whose approval counts.
    """
    known_stage(to_stage, ("production",))
    if (version is None) == (from_stage is None):
        raise UsageError("name the version or the stage that it is in, and not both")
    case = Case.open(root, model)
    people = _named_by_ci(case.actor) if from_ci else [(case.actor, None)]
    request = {"action": "approve", "number": version, "from_stage": from_stage, "to": to_stage, "reason": reason}
    with case.recording_refusals(request):
        policy = case.policy(to_stage)
        chosen, again = _chosen(case, policy, version, from_stage)
        dossier = case.dossier(chosen)
        if again:
            given = len(approvers(dossier))
            return Approved(case.model.name, chosen.number, (), (), given, policy.approvals, already=True)
        what = f"Approving {case.model.name} version {chosen.number}"
        if dossier.evidence is None:
            message = "no governed run recorded evidence of it, so there is nothing to approve"
            raise Refused(what, [Violation("no-evidence", message)])
        arrived = _arrival(case.model, chosen) if from_ci else None
        if from_ci and arrived is None:
            message = "it is not in staging, so it is not what the people who approved this CI run have seen there"
            raise Refused(what, [Violation("not-in-staging", message)])
        found = [(actor, named, _violation(dossier, actor, named, arrived)) for actor, named in people]
        forbidden = tuple(violation for _, _, violation in found if violation)
        if len(forbidden) == len(people) and (not from_ci or (policy.approvals and not approvers(dossier))):
            raise Refused(what, forbidden or [_nobody(case.actor)])
        body = {
            "model": case.model.name,
            "version": chosen.id,
            "number": chosen.number,
            "artifacts": dossier.artifacts,
            "to": to_stage,
            "reason": reason,
        }
        events = tuple(
            case.journal.record("approval", {**body, **_details(named), "actor": actor.as_dict()})
            for actor, named, violation in found
            if violation is None
        )
    given = len(approvers(case.dossier(chosen)))
    return Approved(case.model.name, chosen.number, events, forbidden, given, policy.approvals)


def approvers(dossier: Dossier) -> list[Event]:
    """Return the approvals that count, one a person: of these very artifacts, and by nobody who trained them."""
    trainer = _trainer(dossier)
    counted: list[Event] = []
    for event in dossier.approvals:
        actor = Actor.from_dict(event.body["actor"])
        new = not any(actor.is_same(Actor.from_dict(one.body["actor"])) for one in counted)
        if event.body["artifacts"] == dossier.artifacts and new and not (trainer and actor.is_same(trainer)):
            counted.append(event)
    return counted


def missing_approvals(dossier: Dossier, policy: EffectivePolicy, version: ModelVersion) -> list[Violation]:
    """Return a violation where fewer people approved than policy asks for."""
    given = approvers(dossier)
    if len(given) >= policy.approvals:
        return []
    names = ", ".join(str(event.body["actor"]["id"]) for event in given) or "nobody"
    command = f"governance approve --version {version.number} --to-stage production"  # the one stage that it takes
    who = f"{len(given)} of {policy.approvals} approvals by distinct people ({names})"
    return [Violation("approvals", f"it has {who}; somebody who did not train it runs `{command}`")]


def _chosen(
    case: Case, policy: EffectivePolicy, number: int | None, from_stage: str | None
) -> tuple[ModelVersion, bool]:
    """Return the version that was named, and whether it went from there to production just before."""
    if number is not None:
        return versions.find_version(case.model, number), False
    assert from_stage is not None
    state = case.stages(policy).settled(write=True)
    if from_stage == "staging" and (again := just_promoted(case.model, state)):
        return again, True
    return holder_of(case.model, state.holders, from_stage), False


def _named_by_ci(actor: Actor) -> list[tuple[Actor, ci.Approver | None]]:
    account = actor.service_account or (actor.id if actor.verified else None)
    return [
        (Actor(named.login, verified=False, via=named.via, service_account=account, ci_run=actor.ci_run), named)
        for named in ci.approvers()
    ]


def _details(named: ci.Approver | None) -> dict[str, Any]:
    return {"environment": named.environment, "when": named.when and named.when.isoformat()} if named else {}


def _arrival(model: versions.Model, version: ModelVersion) -> datetime | None:
    """Return when a version that is in staging came there; None where it is not there."""
    if version.stage != "staging":
        return None
    arrivals = (event.at for event in stages(model.name).newest() if is_arrival(event, "staging", version.id))
    return next(map(datetime.fromisoformat, arrivals), None)


def _nobody(actor: Actor) -> Violation:
    message = (
        f"the CI system names nobody who approved {actor.ci_run or 'this run'}; docs/ci.md says how it asks for one"
    )
    return Violation("nobody-approved", message)


def _violation(dossier: Dossier, actor: Actor, named: ci.Approver | None, arrived: datetime | None) -> Violation | None:
    trainer = _trainer(dossier)
    if trainer and actor.is_same(trainer):
        return Violation("own-approval", f"{actor.id} trained it; somebody else has to approve")
    if any(actor.is_same(Actor.from_dict(event.body["actor"])) for event in approvers(dossier)):
        return Violation("approved-twice", f"{actor.id} approved it already; somebody else has to approve")
    if named and named.when and arrived and named.when < arrived:
        message = (
            f"{actor.id} may have approved as early as {named.when:%Y-%m-%d %H:%M:%S %Z}, and it came to staging at "
            f"{arrived:%Y-%m-%d %H:%M:%S %Z}; release again, or let somebody run `governance approve`"
        )
        return Violation("approved-another", message)
    return None


def _trainer(dossier: Dossier) -> Actor | None:
    return Actor.from_dict(dossier.evidence.body["actor"]) if dossier.evidence else None
