"""What is known of a model's versions: stage, evidence and approvals, for people to read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from governance_core.ledger import Event
from governance_core.lifecycle.approval import approvers
from governance_core.lifecycle.case import Case, Dossier
from governance_core.registry import versions
from governance_core.registry.versions import ModelVersion


@dataclass(frozen=True)
class Entry:
    """One version, and what the journal holds of it."""

    model: str
    version: ModelVersion
    dossier: Dossier

    def as_dict(self) -> dict[str, Any]:
        """Return the entry as JSON; what needs evidence is None, or empty, where the version has none."""
        evidence = self.dossier.evidence
        body = evidence.body if evidence else {}
        submission = body.get("submission", {})
        return {
            "model": self.model,
            "version": self.version.number,
            "id": self.version.id,
            "stage": self.version.stage,
            "evidence": evidence and evidence.citation,
            "environment": body.get("environment"),
            "run": body.get("run"),
            "trained_by": body.get("actor"),
            "trained_at": evidence and evidence.at,
            "commit": submission.get("repository", {}).get("commit"),
            "metrics": recorded_metrics(body),
            "gates": {name: verdict["passed"] for name, verdict in body.get("gates", {}).items()},
            "artifacts": self.dossier.artifacts,
            "approvals": [
                {"actor": event.body["actor"], "at": event.at, "reason": event.body.get("reason")}
                for event in approvers(self.dossier)
            ],
        }


def recorded_metrics(evidence: Mapping[str, Any]) -> dict[str, float]:
    """Return every metric that the body of an evidence holds."""
    return {
        name: value
        for model in evidence.get("models", ())
        for metrics in model["metrics"]
        for name, value in metrics["values"].items()
    }


def newest_entries(root: Path, model: str | None, limit: int) -> list[Entry]:
    """Return a model's newest versions, newest first, in one pass over the journal.

    Raises:
        UsageError: if project or model does not exist.
    """
    case = Case.open(root, model)
    evidence: dict[str, Event] = {}
    approvals: defaultdict[str, list[Event]] = defaultdict(list)
    for event in case.journal.events():
        if event.kind == "evidence":
            evidence[event.body["version"]] = event
        elif event.kind == "approval":
            approvals[event.body["version"]].append(event)
    return [
        Entry(case.model.name, version, Dossier(evidence.get(version.id), tuple(approvals[version.id])))
        for version in islice(versions.newest_versions(case.model), limit)
    ]


def entry(root: Path, model: str | None, number: int) -> Entry:
    """Return one version.

    Raises:
        UsageError: if project, model or version does not exist.
    """
    case = Case.open(root, model)
    version = versions.find_version(case.model, number)
    return Entry(case.model.name, version, case.dossier(version))
