"""Whose code a step runs: the platform's is told from a look-alike by where it was installed from, not by its name."""

from __future__ import annotations

from typing import Literal

from zenml.config.source import DistributionPackageSource, Source

from governance_core.core import DISTRIBUTION

Role = Literal["data_gate", "evaluation", "model_gate", "evidence"]

_ROLES: dict[str, Role] = {
    "validate_data_quality": "data_gate",
    "evaluate_model": "evaluation",
    "validate_model_performance": "model_gate",
    "record_evidence": "evidence",
}


def platform_role(source: Source) -> Role | None:
    """Return what the platform's step at this source is for; None for everybody else's code.

    ZenML loads a step from its recorded source, so the source says what ran, whatever the step calls itself.
    """
    ours = isinstance(source, DistributionPackageSource) and source.package_name == DISTRIBUTION
    if not ours or source.module.partition(".")[0] != "governance_core":
        return None
    return _ROLES.get(source.attribute or "")
