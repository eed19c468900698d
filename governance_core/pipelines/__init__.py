"""The pipeline decorator that refuses what governance forbids, and what it records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from governance_core.pipelines.governed import GovernedPipeline, governed_pipeline

__all__ = ["GovernedPipeline", "governed_pipeline"]


def __getattr__(name: str) -> Any:
    """Import the decorator when it is asked for: a promotion reads submissions and needs none of ZenML's compiler."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from governance_core.pipelines import governed

    return getattr(governed, name)
