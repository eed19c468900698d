"""How far two counted columns are apart, by the tests and distances of Evidently's defaults (0.7).

A reference of at most 1000 values is compared by a test, whose p-value is small where the column drifted: Kolmogorov
and Smirnov's for numbers, chi-square for more than two categories, a z-test of proportions for two. A larger one is
compared by a distance, which is large where it drifted: Wasserstein's in standard deviations of the reference for
numbers, Jensen-Shannon's (natural logarithm) for categories.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from governance_core.core.rules import DriftMethod
from governance_core.gates.drift.categories import Categories
from governance_core.gates.drift.columns import Comparable
from governance_core.gates.drift.numbers import SMALL, Numbers

Name = Literal["ks", "chisquare", "z", "wasserstein", "jensenshannon"]
LEVEL = 0.05  # of a p-value
DISTANCE = 0.1
_LEAST_STD = 0.001
_EXACT_KS = 10_000  # values; up to here SciPy's ks_2samp computes the exact distribution
_FEW_NUMBERS = 5  # so many distinct values in both together are compared as categories


def wasserstein(reference: Numbers, current: Numbers) -> float:
    """Return the first Wasserstein distance of two columns with the same cuts, in the reference's standard deviations.

    It is the area between the two distribution functions, here of the values of a bin taken at their mean: nothing is
    lost but what lies within a bin in which the functions cross.
    """
    sides = [(column.counts > 0, column) for column in (reference, current)]
    at = np.concatenate([column.sums[filled] / column.counts[filled] for filled, column in sides])
    shares = [column.counts[filled] / column.count for filled, column in sides]
    order = np.argsort(at)
    apart = np.cumsum(np.concatenate([shares[0], -shares[1]])[order])[:-1]
    return float((np.abs(apart) * np.diff(at[order])).sum() / max(reference.std, _LEAST_STD))


def ks(reference: Numbers, current: Numbers) -> float:
    """Return the p-value of the two-sample Kolmogorov-Smirnov test; the reference is exact.

    The functions are furthest apart at or just before a value of the reference, where the cuts are.
    """
    from scipy import stats

    sizes = reference.count, current.count
    if max(sizes) <= _EXACT_KS:  # only the order counts, which the bins keep
        bins = np.arange(len(reference.counts))
        return float(stats.ks_2samp(np.repeat(bins, reference.counts), np.repeat(bins, current.counts)).pvalue)
    apart = np.abs(np.cumsum(reference.counts) / sizes[0] - np.cumsum(current.counts) / sizes[1]).max()
    return float(np.clip(stats.kstwo.sf(apart, np.round(sizes[0] * sizes[1] / sum(sizes))), 0, 1))


def chisquare(reference: NDArray[np.int64], current: NDArray[np.int64]) -> float:
    """Return the p-value of the current counts under the reference's shares."""
    from scipy.special import chdtrc

    if (current[reference == 0] > 0).any():
        return 0.0
    reference, current = reference[reference > 0], current[reference > 0]
    expected = reference * (current.sum() / reference.sum())
    return float(chdtrc(len(reference) - 1, ((current - expected) ** 2 / expected).sum()))


def z(reference: NDArray[np.int64], current: NDArray[np.int64]) -> float:
    """Return the two-sided p-value that both have the first category in the same proportion."""
    sizes = reference.sum(), current.sum()
    shares = reference[0] / sizes[0], current[0] / sizes[1]
    pooled = (reference[0] + current[0]) / sum(sizes)
    if pooled in {0, 1}:
        return 1.0
    error = math.sqrt(pooled * (1 - pooled) * (1 / sizes[0] + 1 / sizes[1]))
    return math.erfc(abs(shares[0] - shares[1]) / error / math.sqrt(2))


def jensenshannon(reference: NDArray[np.int64], current: NDArray[np.int64]) -> float:
    """Return the square root of the Jensen-Shannon divergence of two counts by category."""
    p, q = reference / reference.sum(), current / current.sum()
    middle = (p + q) / 2
    divergence = sum(float((x[x > 0] * np.log(x[x > 0] / middle[x > 0])).sum()) for x in (p, q)) / 2
    return math.sqrt(max(divergence, 0.0))


@dataclass(frozen=True)
class Distance:
    """How far two columns are apart, by which method, and where drift begins."""

    method: Name
    score: float
    threshold: float

    @property
    def drifted(self) -> bool:
        """Tell whether this is drift; at the threshold it is, except for a p-value of chi-square and z, as there."""
        if self.method in {"chisquare", "z"}:
            return self.score < self.threshold
        return self.score <= self.threshold if self.method == "ks" else self.score >= self.threshold


def compare(reference: Comparable, current: Comparable, method: DriftMethod, limit: float) -> Distance:
    """Compare two columns of one kind that both have values, the current one counted like the reference.

    Args:
        reference: with an exact ``ks`` or a test it has at most SMALL values.
        current: the same column of other data.
        method: ``auto`` as above; ``distance`` compares a small reference by a distance too.
        limit: of a distance; the level of a test stays 0.05.
    """
    name = _method(reference, current, method)
    if isinstance(reference, Numbers) and isinstance(current, Numbers) and name in {"ks", "wasserstein"}:
        score = (ks if name == "ks" else wasserstein)(reference, current)
    else:
        score = {"chisquare": chisquare, "z": z, "jensenshannon": jensenshannon}[name](
            *_by_category(reference, current)
        )
    tested = name in {"ks", "chisquare", "z"}
    return Distance(name, score, LEVEL if tested else limit)


def _method(reference: Comparable, current: Comparable, method: DriftMethod) -> Name:
    tested = method == "auto" and reference.count <= SMALL
    distinct = _distinct(reference, current)
    numbers = isinstance(reference, Numbers) and isinstance(current, Numbers) and not _codes(reference, current)
    if numbers and (distinct > _FEW_NUMBERS or method == "distance"):
        return "ks" if tested else "wasserstein"
    if tested:
        return "z" if distinct <= 2 else "chisquare"
    return "jensenshannon"


def _distinct(reference: Comparable, current: Comparable) -> float:
    """Return how many distinct values both have together, infinity for many numbers."""
    if isinstance(reference, Numbers):
        few = reference.few, getattr(current, "few", None)
        return math.inf if few[0] is None or few[1] is None else len({*few[0], *few[1]})
    return reference.distinct + len(getattr(current, "others", ()))


def _codes(reference: Numbers, current: Numbers) -> bool:
    """Tell whether a column is one of codes rather than of amounts, by the current data.

    Integers with missing values are none: pandas holds them as floats, and so does Evidently.
    """
    return current.integer and not current.missing and current.few is not None and reference.values is not None


def _by_category(reference: Comparable, current: Comparable) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the counts of the values that occur, all that the reference has not in one or in the gaps between."""
    extra = ([0], [current.other]) if isinstance(current, Categories) else ([], [])
    counts = np.array([[*reference.counts, *extra[0]], [*current.counts, *extra[1]]], np.int64)
    occurring = counts.any(axis=0)
    return counts[0][occurring], counts[1][occurring]
