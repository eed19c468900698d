"""The platform's step that judges a model by labels which arrived after it predicted."""

from typing import Annotated, Any

from zenml import step
from zenml.logger import get_logger

from governance_core.gates import judge_metrics
from governance_core.registry.compliance import recording_refusal
from governance_core.registry.sources import platform_code
from governance_core.steps.evaluation import compute_metrics, declared_label, find_label
from governance_core.steps.gates import note, policy_of

logger = get_logger(__name__)


@step(enable_cache=False)
@platform_code
def monitor_performance(  # noqa: PLR0917 - users call it with these names
    model: Any,
    features: Any,
    target: Any,
    positive_label: str | int | float | None = None,
    min_rows: int = 30,
    governance: dict[str, Any] | None = None,
) -> Annotated[dict[str, Any], "performance"]:
    """Judge a model in use by the policy's bounds, on rows whose true values have arrived.

    Args:
        model: has ``predict``.
        features: what ``predict`` takes; only rows whose true values are known.
        target: those true values, one a row.
        positive_label: the class that precision and recall are about, where it is not the project's.
        min_rows: with fewer rows nothing is judged, nor before the positive label is among them.
        governance: set by ``governed_pipeline``.

    Returns:
        ``rows``; ``metrics``, those of ``evaluate_model``, empty where nothing is judged; ``verdict``, None there.

    Raises:
        Refused: if a metric is past its bound and the policy's ``drift.on_drift`` is ``fail``; lists every violation.
    """
    from sklearn.utils import column_or_1d

    truth = column_or_1d(target)
    label = declared_label(positive_label, governance)
    if len(truth) < min_rows or _is_awaited(label, truth, model):
        logger.info("Of %d rows with labels nothing can be said yet.", len(truth))
        return {"rows": len(truth), "metrics": {}, "verdict": None}
    metrics = compute_metrics(model, truth, column_or_1d(model.predict(features)), label, governance)
    policy = policy_of(governance, "regression" if "r2" in metrics else "classification")
    verdict = judge_metrics(metrics, policy.metric_bounds)
    note(verdict.as_dict())
    if policy.drift.on_drift == "fail":
        with recording_refusal(governance):
            verdict.raise_if_failed("the performance of this model")
    for violation in verdict.violations:
        logger.warning("%s", violation)
    return {"rows": len(truth), "metrics": metrics, "verdict": verdict.as_dict()}


def _is_awaited(label: str | float | None, truth: Any, model: Any) -> bool:
    """Tell whether a label that the model knows has not occurred yet: no recall can be told without it."""
    if label is None or find_label(truth.tolist(), label) is not None:
        return False
    return find_label(getattr(model, "classes_", ()), label) is not None
