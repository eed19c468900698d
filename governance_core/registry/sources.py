"""Whose code a step runs: the platform's is told from a look-alike by where it was installed from, not by its name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

from zenml.config.source import DistributionPackageSource, Source, SourceType
from zenml.utils.source_utils import ZENML_SOURCE_ATTRIBUTE_NAME

from governance_core.core import DISTRIBUTION, installation

Function = TypeVar("Function", bound=Callable[..., Any])
Role = Literal["data_gate", "evaluation", "model_gate", "drift", "performance", "drift_report", "tracking", "evidence"]
# A run that one of them ended was refused.
GATES: frozenset[Role] = frozenset({"data_gate", "model_gate", "drift", "performance"})

_ROLES: dict[str, Role] = {
    "validate_data_quality": "data_gate",
    "evaluate_model": "evaluation",
    "validate_model_performance": "model_gate",
    "detect_drift": "drift",
    "monitor_performance": "performance",
    "report_drift": "drift_report",
    "track_experiment": "tracking",
    "record_evidence": "evidence",
}


def platform_role(source: Source) -> Role | None:
    """Return what the platform's step at this source is for; None for everybody else's code.

    ZenML loads a step from its recorded source, so the source says what ran, whatever the step calls itself.
    """
    # A source that was read from the store keeps its package's name, but not its class.
    installed = source.type is SourceType.DISTRIBUTION_PACKAGE and getattr(source, "package_name", None)
    if installed != DISTRIBUTION or source.module.partition(".")[0] != "governance_core":
        return None
    return _ROLES.get(source.attribute or "")


def platform_code(function: Function) -> Function:
    """Give a step's or a hook's function its source; put it below ``@step``.

    ZenML asks importlib for all installed distributions whenever it resolves a function of an installed package, which
    costs about 0.1 CPU seconds a time. Only an intact wheel is trusted this far: ZenML looks at anything else itself,
    so that an editable install or a look-alike is recorded as what it is.
    """
    installed = installation()
    if installed.kind == "wheel":
        source = DistributionPackageSource(
            module=function.__module__,
            attribute=function.__name__,
            package_name=DISTRIBUTION,
            version=installed.version,
            type=SourceType.DISTRIBUTION_PACKAGE,
        )
        setattr(function, ZENML_SOURCE_ATTRIBUTE_NAME, source)
    return function
