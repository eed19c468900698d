"""Every metric that the platform exports: the one table that code, alert rules and documents agree with.

All are gauges: they say how the last run was, not how often something happened. Their labels are those of the group
that they are exported in (see `Exporter.export`) and their own. No label holds a run's id, a commit or a time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from governance_core.core import METRIC_NAMES


@dataclass(frozen=True)
class Metric:
    """A gauge; ``labels`` are its own, beside those of its group."""

    name: str
    unit: str
    help: str
    labels: tuple[str, ...] = ()


@dataclass(frozen=True)
class Sample:
    """A value of a metric of the catalogue, with its own labels."""

    name: str
    value: float
    labels: Mapping[str, str] = field(default_factory=dict)


_VERSION = ("model", "stage")  # the stage that the version held when the run ended; `none` where it held none
_METRICS = (
    Metric("pipeline_run_duration_seconds", "seconds", "From the start of the last run to its end"),
    Metric("pipeline_run_end_timestamp_seconds", "seconds", "When the last run ended, since the epoch"),
    Metric("pipeline_run_failed", "0 or 1", "Whether the last run failed, or was lost"),
    Metric("pipeline_gates_failed", "gates", "How many of the platform's gates failed in the last run"),
    Metric("pipeline_step_duration_seconds", "seconds", "From the start of its last run to the end", ("step",)),
    Metric("data_rows", "rows", "Rows that the data gate counted", ("step",)),
    Metric("data_missing_ratio", "0 to 1", "Share of missing cells that the data gate found", ("step",)),
    Metric("data_drift_ratio", "0 to 1", "Share of columns that drifted from the reference", ("step",)),
    Metric("data_drift_limit_ratio", "0 to 1", "The share of drifted columns that the policy allows", ("step",)),
    *(Metric(f"model_{name}", name, f"The {name} of a model version", _VERSION) for name in METRIC_NAMES),
    Metric("model_metric", "as the metric", "A metric of the team's own, by name", (*_VERSION, "metric")),
    Metric("model_policy_violations", "rules", "How many bounds of the policy its metrics break", _VERSION),
    Metric("model_production_since_timestamp_seconds", "seconds", "When the version came into production", _VERSION),
    Metric("model_production_age_seconds", "seconds", "How long it had been there when this was exported", _VERSION),
)
CATALOGUE: Mapping[str, Metric] = {metric.name: metric for metric in _METRICS}


def run_group(project: str, pipeline: str, environment: str) -> dict[str, str]:
    """Return the labels of what a run measured."""
    return {"project": project, "pipeline": pipeline, "environment": environment}


def stage_group(project: str, model: str, stage: str) -> dict[str, str]:
    """Return the labels of what is known of the version in a stage."""
    return {"project": project, "model": model, "stage": stage}


def model_samples(metrics: Mapping[str, float], model: str, stage: str) -> list[Sample]:
    """Return the metrics of a model version as samples; a name that the platform does not know becomes a label."""
    version = {"model": model, "stage": stage}
    return [
        Sample(f"model_{name}", value, version)
        if name in METRIC_NAMES
        else Sample("model_metric", value, {**version, "metric": name})
        for name, value in metrics.items()
    ]
