"""The two gates as ZenML steps: a gate that fails raises, and the run stops there."""

from typing import Annotated, Any

from pydantic import FiniteFloat
from zenml import log_metadata, step
from zenml.steps.step_context import StepContext

from governance_core.core import Bound
from governance_core.gates import judge_data, judge_metrics
from governance_core.policy import EffectivePolicy, effective
from governance_core.registry.compliance import recording_refusal
from governance_core.registry.runs import verdict_metadata
from governance_core.registry.sources import platform_code
from governance_core.steps.profiles import DATA_PROFILE, save_profile

# Thresholds are FiniteFloat, which refuses NaN at submission: ZenML would store it as null, which reads as "not given".


# The dataset is stored as it came; ZenML has drawn and measured it where it was made.
@step(enable_cache=False, enable_artifact_visualization=False, enable_artifact_metadata=False)
@platform_code
def validate_data_quality(
    dataset: Any,
    min_rows: int = 100,
    max_missing_fraction: FiniteFloat = 0.1,
    governance: dict[str, Any] | None = None,
) -> Annotated[Any, "dataset"]:
    """Return the dataset if it is fit to train on; the stricter of argument and policy holds.

    Args:
        dataset: a data frame of any engine that narwhals knows, or the path of a Parquet file, of a glob of Parquet
            files, or of a CSV file.
        min_rows: the least number of rows.
        max_missing_fraction: the largest share of missing cells in the whole frame, between 0 and 1.
        governance: set by ``governed_pipeline``.

    Raises:
        Refused: lists every violation.
        UsageError: if the dataset is not a data frame or cannot be read; names the path and the reason.
    """
    held = policy_of(governance)
    bounds = [
        *held.data_bounds,
        Bound("rows", "min", min_rows, "argument min_rows"),
        Bound("missing_fraction", "max", max_missing_fraction, "argument max_missing_fraction"),
    ]
    verdict = judge_data(dataset, bounds, held.data.columns, held.data.extra_columns)
    note(verdict.as_dict())
    with recording_refusal(governance):
        verdict.raise_if_failed("this dataset")
    save_profile(DATA_PROFILE, dataset, governance)
    return dataset


@step(enable_cache=False)
@platform_code
def validate_model_performance(  # noqa: PLR0917 - users call it with these names
    metrics: dict[str, float],
    min_accuracy: FiniteFloat | None = None,
    min_precision: FiniteFloat | None = None,
    min_recall: FiniteFloat | None = None,
    min_metrics: dict[str, FiniteFloat] | None = None,
    max_metrics: dict[str, FiniteFloat] | None = None,
    governance: dict[str, Any] | None = None,
) -> Annotated[dict[str, Any], "model_gate_verdict"]:
    """Return what was checked if the metrics are good enough; the stricter of argument and policy holds.

    Args:
        metrics: what ``evaluate_model`` returned.
        min_accuracy: the least accuracy; likewise ``min_precision`` and ``min_recall``.
        min_metrics: the least value of any metric, by name.
        max_metrics: the largest value of any metric, by name.
        governance: set by ``governed_pipeline``.

    Raises:
        Refused: lists every violation.
    """
    least = {"accuracy": min_accuracy, "precision": min_precision, "recall": min_recall}
    bounds = [
        *policy_of(governance, "regression" if "r2" in metrics else "classification").metric_bounds,
        *(Bound(name, "min", limit, f"argument min_{name}") for name, limit in least.items() if limit is not None),
        *(Bound(name, "min", limit, "argument min_metrics") for name, limit in (min_metrics or {}).items()),
        *(Bound(name, "max", limit, "argument max_metrics") for name, limit in (max_metrics or {}).items()),
    ]
    verdict = judge_metrics(metrics, bounds)
    with recording_refusal(governance):
        verdict.raise_if_failed("this model")
    return verdict.as_dict()


def note(verdict: dict[str, Any]) -> None:
    """Keep a gate's verdict with its step, before the gate fails it; a call outside a run has no step."""
    if StepContext.get():
        log_metadata(verdict_metadata(verdict))


def policy_of(governance: dict[str, Any] | None, problem: str = "classification") -> EffectivePolicy:
    """Return the policy of the governed run; in a plain pipeline the local baseline."""
    if governance is not None:
        return EffectivePolicy.from_dict(governance["policy"])
    return effective("local", "minimal", problem=problem)
