"""Repair: the registry's stages go back to what the ledger says."""

from __future__ import annotations

from pathlib import Path

from governance_core.core import Refused
from governance_core.ledger import Event
from governance_core.lifecycle.case import Case
from governance_core.lifecycle.verification import chain_violations


def repair(root: Path, *, model: str | None = None, reason: str = "") -> Event | None:
    """Finish or undo what a dead writer began, and restore the ledger's holders; None where nothing differs.

    Raises:
        UsageError: if the model does not exist.
        Refused: if the stage chain is broken: then it is no ground to restore anything on.
        Conflict: if a living process is changing a stage.
    """
    case = Case.open(root, model)
    with case.recording_refusals({"action": "repair", "reason": reason}):
        stages = case.stages(None)
        if breaks := chain_violations(stages.chain, stages.chain.records()):
            raise Refused(f"Repairing the stages of {case.model.name}", breaks)
        return stages.restore(reason)
