"""What can be told of a run in numbers, read from what ZenML stored of it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from zenml.client import Client
from zenml.models import PipelineRunResponse
from zenml.utils.time_utils import to_utc_timezone, utc_now

from governance_core.gates import judge_metrics
from governance_core.monitoring import Sample
from governance_core.monitoring.catalogue import model_samples
from governance_core.policy import EffectivePolicy
from governance_core.registry.runs import StepRecord, read_run
from governance_core.registry.sources import GATES

_CHECKED = {  # subject of a gate's check -> metrics of its value and of its limit
    "rows": ("data_rows", None),
    "missing_fraction": ("data_missing_ratio", None),
    "drift_score": ("data_drift_ratio", "data_drift_limit_ratio"),
}


def run_samples(run: PipelineRunResponse, status: str) -> Iterator[Sample]:
    """Yield what a run measured.

    Args:
        run: as it is stored; in a hook it has not ended yet.
        status: ZenML's, or ``lost``.
    """
    steps = list(read_run(run.id).steps.values())
    ended = run.end_time or utc_now(run.created)
    yield Sample("pipeline_run_failed", float(status not in ("completed", "cached")))
    yield Sample("pipeline_run_end_timestamp_seconds", to_utc_timezone(ended).timestamp())
    yield Sample("pipeline_run_duration_seconds", (ended - (run.start_time or run.created)).total_seconds())
    yield Sample("pipeline_gates_failed", float(sum(step.role in GATES and step.failed for step in steps)))
    for step in steps:
        if step.started and step.ended and step.status != "cached":
            seconds = (step.ended - step.started).total_seconds()
            yield Sample("pipeline_step_duration_seconds", seconds, {"step": step.name})
        yield from _found(step)
    yield from _model_samples(run, steps)


def _found(step: StepRecord) -> Iterator[Sample]:
    """Yield what the data gate or the drift gate noted."""
    for check in _checks(step):
        value, limit = _CHECKED.get(check["subject"], (None, None))
        if value and check["rule"] in ("metric-min", "metric-max"):  # a column may have the name of such a number
            yield Sample(value, check["value"], {"step": step.name})
            if limit:
                yield Sample(limit, check["limit"], {"step": step.name})


def _checks(step: StepRecord) -> list[Mapping[str, Any]]:
    """Return the checks in a step's metadata that are about numbers."""
    noted = (step.verdict or {}).get("checks", ())
    return [check for check in noted if isinstance(check["value"], int | float)]


def _model_samples(run: PipelineRunResponse, steps: list[StepRecord]) -> Iterator[Sample]:
    version = run.model_version
    if version is None:
        return
    stage = str(version.stage or "none")
    for step in steps:
        if metrics := _metrics(step):
            yield from model_samples(metrics, version.model.name, stage)
            if told := step.parameters.get("governance"):
                broken = judge_metrics(metrics, EffectivePolicy.from_dict(told["policy"]).metric_bounds).violations
                yield Sample("model_policy_violations", len(broken), {"model": version.model.name, "stage": stage})


def _metrics(step: StepRecord) -> dict[str, float]:
    """Return what a step measured of the model: at training, or later by labels that arrived."""
    if step.role == "evaluation":
        return {
            name: value for made in step.made for name, value in Client().get_artifact_version(made.id).load().items()
        }
    if step.role == "performance":
        return {check["subject"]: check["value"] for check in _checks(step) if check["rule"] == "metric-invalid"}
    return {}
