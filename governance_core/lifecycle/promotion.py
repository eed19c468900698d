"""Promotion, the choke point: a version goes none -> staging -> production -> archived, one stage at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal

from governance_core.core import Conflict, Refused, UsageError, Violation
from governance_core.ledger import STAGES, Holders, StageState, holds, is_held_by, moved
from governance_core.lifecycle.approval import approvers, missing_approvals
from governance_core.lifecycle.case import Case, Decision, holder_of, just_promoted, known_stage
from governance_core.lifecycle.eligibility import judge, newest_eligible
from governance_core.lifecycle.protocol import Change
from governance_core.project import overtaken_on, repository_state
from governance_core.registry import versions
from governance_core.registry.versions import Model, ModelVersion


def promote(
    root: Path,
    to_stage: str,
    *,
    model: str | None = None,
    version: int | None = None,
    from_stage: str | None = None,
    this_tree: bool = False,
    force: bool = False,
    reason: str = "",
    dry_run: bool = False,
) -> Decision:
    """Move a model version to a stage, or refuse and record why.

    Args:
        root: the project's folder.
        to_stage: staging, production or archived.
        model: the project's where it is None.
        version: by number; without it the holder of ``from_stage``, else the newest eligible version.
        from_stage: staging or production.
        this_tree: of the newest eligible versions the one that was trained from the git tree that is checked out, where
            its branch has no newer commits.
        force: replace who holds the stage, or archive the version in production; skips no check.
        reason: recorded.
        dry_run: say what would happen, and write nothing.

    Raises:
        UsageError: if something that was named does not exist.
        Refused: if a rule forbids it; names every such rule.
        Conflict: if somebody else changed a stage first, or, with ``this_tree``, the branch; nothing was changed.
    """
    known_stage(to_stage, (*STAGES, "archived"))
    case = Case.open(root, model)
    action: Literal["promote", "archive"] = "promote" if to_stage in STAGES else "archive"
    request = {"action": action, "number": version, "from_stage": from_stage, "to": to_stage, "force": force}
    tree = _tree(root, to_stage, version, from_stage) if this_tree else None
    with case.recording_refusals(request | {"reason": reason}, dry_run):
        policy = case.policy(to_stage if to_stage in STAGES else "production")
        stages = case.stages(policy)
        state = stages.settled(write=not dry_run)
        chosen = _named(case.model, state, to_stage, version, from_stage) or newest_eligible(
            case.model, to_stage, policy, case.root, tree
        )
        after = moved(state.holders, chosen.holder, to_stage)
        decision = Decision(action, case.model.name, chosen, to_stage, state.holders, after, dry_run=dry_run)
        if _stage(chosen, state.holders) == to_stage:
            return replace(decision, already=True)
        dossier = case.dossier(chosen)
        violations = [*_stage_violations(chosen, to_stage, state.holders, force)]
        if action == "promote":
            violations += judge(chosen, to_stage, policy, case.root)
            violations += missing_approvals(dossier, policy, chosen)
        if violations:
            raise Refused(f"{case.model.name} version {chosen.number} to {to_stage}", violations)
        if dry_run:
            return decision
        details = {
            "reason": reason,
            "force": force,
            "from": _stage(chosen, state.holders),
            "policy": policy.hash,
            "risk_tier": policy.risk_tier,
            "evidence": dossier.evidence and dossier.evidence.citation,
            "approvals": [event.citation for event in approvers(dossier)],
        }
        change = Change(action, chosen, to_stage, dossier.artifacts, details)
        return replace(decision, event=stages.change(state, change))


def _tree(root: Path, to_stage: str, number: int | None, from_stage: str | None) -> str:
    if to_stage != "staging" or number is not None or from_stage is not None:
        raise UsageError("--this-tree chooses what goes to staging; name no version and no other stage with it")
    state = repository_state(root)
    if state.commit is None or state.tree is None:
        raise UsageError(f"{root} has no git commit, so no version was trained from its tree")
    if branch := overtaken_on(root):
        # The job of an older merge that ends later must not take staging back.
        moved_on = f"{branch} has moved on since {state.commit[:12]}; nothing was changed"
        raise Conflict(f"{moved_on}, the job of its newest commit promotes")
    return state.tree


def _named(
    model: Model, state: StageState, to_stage: str, number: int | None, from_stage: str | None
) -> ModelVersion | None:
    if number is not None and from_stage is not None:
        raise UsageError("name the version or the stage that it is in, not both")
    if number is not None:
        return versions.find_version(model, number)
    if to_stage == "staging" and from_stage is None:
        return None
    if to_stage == "archived" and from_stage is None:
        raise UsageError("name the version to archive, or the stage that it is in")
    if to_stage == "production" and (again := just_promoted(model, state)):
        return again
    return holder_of(model, state.holders, from_stage or "staging")  # production takes only what is in staging


def _stage(version: ModelVersion, holders: Holders) -> str | None:
    """Return a version's stage: the ledger's word for staging and production, the registry's for the archive."""
    return holds(holders, version.id) or version.stage


def _stage_violations(version: ModelVersion, to_stage: str, holders: Holders, force: bool) -> Iterator[Violation]:
    in_production = is_held_by(holders, "production", version.id)
    if to_stage == "production" and not is_held_by(holders, "staging", version.id):
        yield Violation("stage-order", "production takes only what is in staging; promote it to staging first")
    if to_stage == "staging" and in_production:
        yield Violation("stage-order", "it is in production, which would be left without a version")
    if to_stage == "archived" and in_production and not force:
        yield Violation(
            "production-holder", "it is in production, which would be left without a version; --force does it"
        )
    holder = holders.get(to_stage)
    if holder and not force:
        yield Violation("stage-occupied", f"version {holder['number']} is in {to_stage}; --force replaces it")
