"""A limit on a number: what the policy sets and the gates judge, and which numbers are possible at all."""

from __future__ import annotations

import math
from dataclasses import dataclass
from numbers import Real
from typing import Literal

_SHARE = (0.0, 1.0)
_ERROR = (0.0, math.inf)
_RANGES: dict[str, tuple[float, float]] = {
    **dict.fromkeys(
        ("accuracy", "balanced_accuracy", "precision", "recall", "f1", "roc_auc", "average_precision", "brier_score"),
        _SHARE,
    ),
    **dict.fromkeys(("mae", "mse", "rmse", "mape", "median_absolute_error", "log_loss"), _ERROR),
    **dict.fromkeys(("r2", "explained_variance"), (-math.inf, 1.0)),
    "matthews_corrcoef": (-1.0, 1.0),
}
METRIC_NAMES = tuple(_RANGES)  # of a model, those that are known
_RANGES |= {"rows": _ERROR, "duplicates": _ERROR, "missing_fraction": _SHARE, "drift_score": _SHARE}


@dataclass(frozen=True)
class Bound:
    """The least (``min``) or the most (``max``) that a metric may be, and where that was said."""

    metric: str
    kind: Literal["min", "max"]
    limit: float
    source: str

    def __str__(self) -> str:
        return f"at {'least' if self.kind == 'min' else 'most'} {self.limit} ({self.source})"

    def holds(self, value: float) -> bool:
        """Tell whether the value is within the bound; no NaN is."""
        return value >= self.limit if self.kind == "min" else value <= self.limit

    def is_laxer_than(self, other: Bound) -> bool:
        """Tell whether this bound lets through what the other one stops."""
        return self.limit < other.limit if self.kind == "min" else self.limit > other.limit


def impossibility(metric: str, value: object) -> str | None:
    """Say why the metric cannot have this value, or return None.

    Any real number is a number here, NumPy's scalars too; a bool is not. Known metrics have ranges (accuracy lies
    between 0 and 1), of an unknown name only finiteness is asked.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        return f"is not a number but {type(value).__name__}"
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        return "is not finite"
    low, high = _RANGES.get(metric, (-math.inf, math.inf))
    if not low <= number <= high:
        return f"is outside the possible range [{low}, {high}]"
    return None
