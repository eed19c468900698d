"""The pipeline decorator that refuses what governance forbids, and what it records."""

from governance_core.pipelines.governed import GovernedPipeline, governed_pipeline

__all__ = ["GovernedPipeline", "governed_pipeline"]
