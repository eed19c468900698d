"""What only the submitter can see. A step gets the source root's archive at most, never the repository."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from zenml.client import Client
from zenml.enums import StackComponentType

from governance_core.core import DISTRIBUTION, file_digest, installation, this_process
from governance_core.policy import GOVERNANCE_FILE, EffectivePolicy, effective, load_governance_file
from governance_core.project import (
    Project,
    governed_digest,
    governed_findings,
    load_project,
    lock_digest,
    repository_state,
    template_state,
)
from governance_core.registry.actors import current_actor
from governance_core.registry.releases import image_to_run

ENVIRONMENT_VARIABLE = "GOVERNANCE_ENVIRONMENT"

Submission = dict[str, Any]  # JSON: a parameter of the evidence step, and part of an event


def environment() -> str:
    """Return the environment that runs are submitted for: GOVERNANCE_ENVIRONMENT, else ``local``."""
    return os.environ.get(ENVIRONMENT_VARIABLE) or "local"


def project_policy(root: Path, project: Project, environment: str) -> EffectivePolicy:
    """Return the policy of a project in an environment.

    Raises:
        UsageError: if governance.yaml cannot be read or the environment is unknown.
        Refused: if governance.yaml is laxer than the baseline.
    """
    return effective(environment, project.risk_tier, load_governance_file(root / GOVERNANCE_FILE), project.problem)


def collect(root: Path, config: Path | None) -> Submission:
    """Return what can be seen of the project now, and for which environment and policy it submits.

    Args:
        root: the project's folder.
        config: the file that configures what is submitted; None where there is none.

    Raises:
        UsageError: if the project, its policy or its repository cannot be read, or nobody can be named as the actor.
        Refused: if governance.yaml is laxer than the baseline.
    """
    project = load_project(root)
    asked = load_governance_file(root / GOVERNANCE_FILE)
    policy = effective(environment(), project.risk_tier, asked, project.problem)
    package = installation()
    lock = lock_digest(root)
    return {
        "id": uuid4().hex,
        "environment": policy.environment,
        "project": {
            "slug": project.project_slug,
            "model_name": project.model_name,
            "problem": project.problem,
            "positive_label": project.positive_label,
            "risk_tier": project.risk_tier,
            "snapshot_mode": project.snapshot_mode,
        },
        "repository": asdict(repository_state(root)),
        "governed": {"digest": governed_digest(root), "intact": not governed_findings(root)},
        "lock": lock,
        "image": _image(project, lock, policy.environment),
        "config": config and file_digest(config),
        "template": asdict(template_state(root)),
        "package": {"name": DISTRIBUTION, "version": package.version, "kind": package.kind},
        "actor": current_actor(root).as_dict(),
        "policy": policy.as_dict(),
        "policy_hash": policy.hash,
        "personal_data": asked.personal_data,
        "process": this_process(),
    }


def _image(project: Project, lock: str | None, environment: str) -> dict[str, Any] | None:
    """Return the image that steps run in; None where the active stack has no registry for one, or none is recorded."""
    if StackComponentType.CONTAINER_REGISTRY not in Client().active_stack_model.components:
        return None
    image = image_to_run(project.project_slug, lock, environment)
    return image.running if image else None


def governance(submission: Mapping[str, Any], *, makes_model: bool) -> dict[str, Any]:
    """Return what the platform's steps need to know of a submission: their parameter of this name.

    ``profile`` asks for the reference profiles that monitoring compares with: of a run that only reads a model they
    would be linked to that model's version in place of its own.
    """
    project = submission["project"]
    return {
        "environment": submission["environment"],
        "project": project["slug"],
        "actor": submission["actor"],
        "profile": makes_model,
        "problem": project["problem"],
        "positive_label": project["positive_label"],
        "policy": submission["policy"],
    }


def recordable(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return step parameters as the store gives them back."""
    recorded: dict[str, Any] = json.loads(json.dumps(dict(parameters)))
    return recorded
