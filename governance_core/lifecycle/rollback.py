"""The way back: production goes to the version that the ledger says was there before, in one transaction."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

from zenml.client import Client

from governance_core.core import GovernanceError, Refused, Violation
from governance_core.ledger import Holders, Served, is_held_by, moved, parse, production_history, recorded_violations
from governance_core.lifecycle.case import Case, Decision
from governance_core.lifecycle.eligibility import judge
from governance_core.lifecycle.protocol import Change
from governance_core.lifecycle.verification import chain_violations
from governance_core.policy import EffectivePolicy
from governance_core.registry import versions
from governance_core.registry.chains import Chain
from governance_core.registry.runs import artifact_digest


def rollback(
    root: Path,
    *,
    model: str | None = None,
    to_version: int | None = None,
    reason: str = "",
    dry_run: bool = False,
) -> Decision:
    """Put back into production what was there before.

    What today's policy says about that version is shown and recorded, and not refused.

    Args:
        root: the project's folder.
        model: the project's where it is None.
        to_version: by number; without it the version that was in production before, which skips those that a rollback
            left.
        reason: recorded.
        dry_run: say what would happen, and write nothing.

    Raises:
        UsageError: if something that was named does not exist.
        Refused: if there is no way back, or the version is not what was in production then.
        Conflict: if somebody else changed a stage first; nothing was changed.
    """
    case = Case.open(root, model)
    request = {"action": "rollback", "number": to_version, "to": "production", "reason": reason}
    with case.recording_refusals(request, dry_run):
        policy, unreadable = _policy(case)
        stages = case.stages(policy)
        state = stages.settled(write=not dry_run)
        wanted = versions.find_version(case.model, to_version) if to_version is not None else None
        history = _intact_history(stages.chain)
        if wanted and is_held_by(state.holders, "production", wanted.id):
            return _decision(case, wanted, state.holders, already=True)
        served = _served(history, state.holders, wanted)
        target = _still_there(served)
        shown = _judged(case, target, policy) if policy else unreadable
        decision = _decision(case, target, state.holders, dry_run=dry_run, shown=tuple(shown))
        if dry_run:
            return decision
        details = {
            "reason": reason,
            "from": state.holders["production"],
            "policy": policy and policy.hash,
            "today": recorded_violations(shown),
        }
        change = Change("rollback", target, "production", served.version["artifacts"], details)
        return replace(decision, event=stages.change(state, change))


def _decision(case: Case, version: versions.ModelVersion, holders: Holders, **more: Any) -> Decision:
    after = moved(holders, version.holder, "production")
    return Decision("rollback", case.model.name, version, "production", holders, after, **more)


def _policy(case: Case) -> tuple[EffectivePolicy | None, list[Violation]]:
    try:
        return case.policy("production"), []
    except GovernanceError as error:  # a broken governance.yaml must not bar the way back
        return None, [Violation("policy-unreadable", str(error))]


def _intact_history(chain: Chain) -> list[Served]:
    records = list(chain.records())
    if breaks := chain_violations(chain, records):
        raise Refused("Rolling back", breaks)
    return production_history(parse(text) for _, text in records)


def _served(history: list[Served], holders: Holders, wanted: versions.ModelVersion | None) -> Served:
    candidates = [served for served in history if not is_held_by(holders, "production", served.version["id"])]
    if wanted:
        candidates = [served for served in candidates if served.version["id"] == wanted.id]
        if not candidates:
            message = f"version {wanted.number} was never in production, so there is nothing to roll back to"
            raise Refused("Rolling back", [Violation("never-in-production", message)])
        return candidates[-1]
    before = [served for served in candidates if not served.rolled_back_from]
    if before:
        return before[-1]
    left = ", ".join(str(served.version["number"]) for served in candidates)
    hint = f"; --to-version reaches those that were rolled back from: {left}" if left else ""
    message = f"the ledger knows no version that was in production before{hint}"
    raise Refused("Rolling back", [Violation("nothing-before", message)])


def _still_there(served: Served) -> versions.ModelVersion:
    recorded = served.version
    version = versions.find_version_by_id(recorded["id"])
    violations = list(_artifact_violations(recorded["artifacts"]))
    if version is None:
        violations.append(Violation("version-gone", f"version {recorded['number']} was deleted from the registry"))
    if version is None or violations:
        violations.append(Violation("choose", "another version that was in production: --to-version"))
        raise Refused(f"Rolling back to version {recorded['number']}", violations)
    return version


def _artifact_violations(artifacts: list[dict[str, Any]]) -> Iterator[Violation]:
    for artifact in artifacts:
        name = f"model artifact {artifact['artifact']}"
        try:
            found = artifact_digest(Client().get_artifact_version(UUID(artifact["artifact"])))
        except (KeyError, OSError) as error:
            yield Violation("artifact-gone", f"{name} cannot be read: {error}")
            continue
        if found != artifact["digest"]:
            yield Violation("artifact-changed", f"{name} has {found}, in production it had {artifact['digest']}")


def _judged(case: Case, version: versions.ModelVersion, policy: EffectivePolicy) -> list[Violation]:
    try:
        return judge(version, "production", policy, case.root)
    except GovernanceError as error:
        return [Violation("not-judged", str(error))]
