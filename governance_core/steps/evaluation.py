"""The platform's evaluation step: the numbers that promotion believes."""

from collections.abc import Iterable
from typing import Annotated, Any

from zenml import step

from governance_core.core import UsageError
from governance_core.registry.sources import platform_code
from governance_core.steps.profiles import PREDICTION_PROFILE, save_profile


@step(enable_cache=False)
@platform_code
def evaluate_model(
    model: Any,
    features: Any,
    target: Any,
    positive_label: str | int | float | None = None,
    governance: dict[str, Any] | None = None,
) -> Annotated[dict[str, float], "metrics"]:
    """Return a scikit-learn compatible model's metrics on data that it was not trained on.

    Classification gives accuracy, precision, recall and f1: of the positive label where one is declared (in the call or
    in the project), else the unweighted mean over all classes. Regression gives r2, mae and rmse.

    Args:
        model: has ``predict``.
        features: what ``predict`` takes.
        target: the true values, one a row.
        positive_label: the class that precision and recall are about, where it is not the project's.
        governance: set by ``governed_pipeline``.

    Raises:
        UsageError: if the positive label does not occur in the target.
    """
    import pandas as pd
    from sklearn.utils import column_or_1d

    truth, predicted = column_or_1d(target), column_or_1d(model.predict(features))
    save_profile(PREDICTION_PROFILE, pd.DataFrame({"prediction": predicted}), governance)
    return compute_metrics(model, truth, predicted, declared_label(positive_label, governance), governance)


def declared_label(positive_label: str | float | None, governance: dict[str, Any] | None) -> str | int | float | None:
    """Return the positive label: the call's, else the project's; None where nobody declared one."""
    return positive_label if positive_label is not None else (governance or {}).get("positive_label")


def compute_metrics(
    model: Any, truth: Any, predicted: Any, positive_label: str | float | None, governance: dict[str, Any] | None
) -> dict[str, float]:
    """Return the metrics of predictions by the project's problem; in a plain pipeline the model tells which it is.

    Raises:
        UsageError: if the positive label does not occur in the true values.
    """
    from sklearn.base import is_regressor

    plain = "regression" if hasattr(model, "__sklearn_tags__") and is_regressor(model) else "classification"
    if (governance or {"problem": plain})["problem"] == "regression":
        return _regression(truth, predicted)
    return _classification(truth, predicted, positive_label)


def _regression(truth: Any, predicted: Any) -> dict[str, float]:
    from sklearn import metrics

    return {
        "r2": float(metrics.r2_score(truth, predicted)),
        "mae": float(metrics.mean_absolute_error(truth, predicted)),
        "rmse": float(metrics.root_mean_squared_error(truth, predicted)),
    }


def _classification(truth: Any, predicted: Any, positive_label: str | float | None) -> dict[str, float]:
    from sklearn import metrics

    accuracy = metrics.accuracy_score(truth, predicted)
    average = "macro"
    if positive_label is not None:
        positive = _label(truth.tolist(), positive_label)
        truth, predicted, average = truth == positive, predicted == positive, "binary"
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        truth, predicted, average=average, zero_division=0.0
    )
    named = {"accuracy": accuracy, "precision": precision, "recall": recall, "f1": f1}
    return {name: float(value) for name, value in named.items()}


def _label(labels: list[Any], positive_label: str | float) -> Any:
    found = find_label(labels, positive_label)
    if found is None:
        raise UsageError(
            f"the positive label {positive_label!r} does not occur in the target, whose labels are "
            f"{', '.join(map(repr, sorted(set(labels), key=str)))}; correct positive_label or the target"
        )
    return found


def find_label(labels: Iterable[Any], positive_label: str | float) -> Any:
    """Return the labels' own form of one, None where it is not among them: the project's answers hold it as text."""
    return next((x for x in set(labels) if x == positive_label or str(x) == str(positive_label)), None)
