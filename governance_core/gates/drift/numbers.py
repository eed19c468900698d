"""A column of numbers: how many there are between fixed cuts, and what they add up to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from governance_core.core import UsageError
from governance_core.gates.drift.packing import packed, unpacked

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

FEW = 10  # an integer column with at most so many distinct values is one of categories
SMALL = 1000  # so many rows are kept value by value ...
EXACT = 512  # ... and of more rows so many distinct values
LARGEST = 1e150  # what is larger counts as infinite: its square would be
_SAMPLE = 2048
_BETWEEN = 512  # cuts between known values, where later data may lie


@dataclass(frozen=True)
class Numbers:
    """Counts and sums of the finite values between ``cuts``; a value at a cut belongs to the bin that begins there.

    The first bin is below the first cut, the last one has no upper end, so that any later values can be counted at the
    same cuts. Of a small column, or one of few distinct values, the values are known: each has a bin of its own, which
    ends at the next float, and the empty bins between two of them are narrow.
    """

    integer: bool
    missing: int  # null, NaN and infinite values
    mean: float
    m2: float  # the sum of the squared distances from the mean
    few: tuple[float, ...] | None  # the distinct values, None where there are more than FEW
    cuts: Floats
    counts: Counts
    sums: Floats
    values: Floats | None = None  # the distinct values, where they are known

    kind = "number"
    compared = True

    @property
    def count(self) -> int:
        """Return the number of finite values."""
        return int(self.counts.sum())

    @property
    def std(self) -> float:
        """Return the standard deviation of the population."""
        return float(np.sqrt(self.m2 / self.count)) if self.count else 0.0

    @classmethod
    def counted(cls, values: Floats, missing: int, integer: bool, cuts: Floats) -> Self:
        """Count ascending values at the cuts."""
        at = np.concatenate(([0], np.searchsorted(values, cuts), [len(values)]))
        # reduceat() reads one value of an empty bin; the zero behind the last value is one for the bins at the end.
        sums = np.add.reduceat(np.append(values, 0.0), at[:-1]) * (at[1:] > at[:-1])
        return cls._of(integer, missing, values, np.ones(1), (cuts, np.diff(at), sums))

    @classmethod
    def of_values(cls, values: Floats, counts: Counts, missing: int, integer: bool) -> Self:
        """Return the numbers from all their distinct values, ascending, and how often each occurs."""
        if len(values) > EXACT and counts.sum() > SMALL:
            return cls._binned(values, counts, missing, integer, edges(values))
        between = np.linspace(values[0], values[-1], _BETWEEN) if len(values) else values
        cuts = np.unique(np.concatenate([values, np.nextafter(values, np.inf), between]))
        return replace(cls._binned(values, counts, missing, integer, cuts), values=values)

    @classmethod
    def _binned(cls, values: Floats, counts: Counts, missing: int, integer: bool, cuts: Floats) -> Self:
        bins = np.searchsorted(cuts, values, "right")
        at_cuts = np.bincount(bins, counts, len(cuts) + 1).astype(np.int64)
        sums = np.bincount(bins, counts * values, len(cuts) + 1).astype(np.float64)
        return cls._of(integer, missing, values, counts, (cuts, at_cuts, sums))

    @classmethod
    def _of(
        cls,
        integer: bool,
        missing: int,
        values: Floats,
        weights: NDArray[Any],
        bins: tuple[Floats, Counts, Floats],
    ) -> Self:
        cuts, counts, sums = bins
        count = int(counts.sum())
        mean = float(sums.sum() / count) if count else 0.0
        m2 = float((weights * (values - mean) ** 2).sum())
        return cls(integer, missing, mean, m2, _few(values), cuts, counts, sums)

    def __add__(self, other: Self) -> Self:
        """Return the numbers of both; exact where the cuts are the same or the values are known.

        Raises:
            UsageError: if they were counted at different cuts.
        """
        if self.values is not None or not np.array_equal(self.cuts, other.cuts):
            return self._add_values(other)
        count = self.count + other.count
        mean = (self.mean * self.count + other.mean * other.count) / max(count, 1)
        apart = (self.mean - other.mean) ** 2 * self.count * other.count / max(count, 1)  # Chan, Golub, LeVeque 1979
        return type(self)(
            self.integer and other.integer,
            self.missing + other.missing,
            mean,
            self.m2 + other.m2 + apart,
            None if self.few is None or other.few is None else _few(np.union1d(self.few, other.few)),
            self.cuts,
            self.counts + other.counts,
            self.sums + other.sums,
        )

    def _add_values(self, other: Self) -> Self:
        known, more = (self, other) if other.values is None else (other, self)
        if known.values is None:
            raise UsageError("the numbers were counted at different cuts; profile the one `like` the other")
        table = known.table(known.values)
        if more.values is None:
            return more + self._binned(*table, known.missing, known.integer, more.cuts)
        both = merged([table, more.table(more.values)])
        return self.of_values(*both, self.missing + other.missing, self.integer and other.integer)

    def table(self, values: Floats) -> tuple[Floats, Counts]:
        """Return values that have a bin of their own, and how often each occurs."""
        return values, self.counts[np.searchsorted(self.cuts, values, "right")]

    def as_dict(self) -> dict[str, Any]:
        """Return the numbers as JSON holds them."""
        shared = {"kind": self.kind, "integer": self.integer, "missing": self.missing}
        if self.values is not None:
            values, counts = self.table(self.values)
            return shared | {"values": packed(values), "counts": packed(counts)}
        moments = {"mean": self.mean, "m2": self.m2, "few": self.few and list(self.few)}
        bins = {"cuts": packed(self.cuts), "counts": packed(self.counts), "sums": packed(self.sums)}
        return shared | moments | bins

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `as_dict` wrote."""
        counts = unpacked(data["counts"], "<i8")
        if "values" in data:
            return cls.of_values(unpacked(data["values"], "<f8"), counts, data["missing"], data["integer"])
        return cls(
            data["integer"],
            data["missing"],
            data["mean"],
            data["m2"],
            None if data["few"] is None else tuple(data["few"]),
            unpacked(data["cuts"], "<f8"),
            counts,
            unpacked(data["sums"], "<f8"),
        )


@dataclass(frozen=True)
class DistinctNumbers:
    """What the first pass over a column finds: its distinct values with their counts, or, of many, a sample.

    The sample holds the values with the smallest hashes: the same ones however the rows are ordered and divided, so
    that every engine cuts at the same places.
    """

    integer: bool
    missing: int
    values: Floats  # ascending
    counts: Counts | None  # None of a sample

    @property
    def many(self) -> bool:
        """Tell whether the values are a sample."""
        return self.counts is None

    @property
    def count(self) -> int:
        """Return the number of finite values, of a sample at least so many."""
        return len(self.values) if self.counts is None else int(self.counts.sum())

    @classmethod
    def of(cls, values: Floats, missing: int, integer: bool) -> Self:
        """Take ascending values."""
        first = np.flatnonzero(np.append(True, values[1:] != values[:-1])) if len(values) else np.zeros(0, np.int64)
        counts = np.diff(np.append(first, len(values)))
        return cls._bounded(integer, missing, values[first], counts)

    @classmethod
    def _bounded(cls, integer: bool, missing: int, values: Floats, counts: Counts | None) -> Self:
        if len(values) <= SMALL and counts is not None:
            return cls(integer, missing, values, counts)
        if len(values) > _SAMPLE:
            hashes = _hashed(values)
            kept = hashes <= np.partition(hashes, _SAMPLE - 1)[_SAMPLE - 1]
            values = np.unique(np.concatenate([values[kept], values[[0, -1]]]))
        return cls(integer, missing, values, None)

    def __add__(self, other: Self) -> Self:
        """Return what both together hold."""
        integer, missing = self.integer and other.integer, self.missing + other.missing
        if self.counts is not None and other.counts is not None:
            return self._bounded(integer, missing, *merged([(self.values, self.counts), (other.values, other.counts)]))
        return self._bounded(integer, missing, np.union1d(self.values, other.values), None)


def edges(values: Floats) -> Floats:
    """Return cuts for a column, from its distinct values or a sample of them, ascending.

    Most lie at equal steps through the sorted values; evenly spaced ones bound the width of a bin in a heavy tail.
    """
    steps = values[np.linspace(0, len(values) - 1, 224).astype(int)]
    return np.unique(np.concatenate([steps, np.linspace(values[0], values[-1], 98), values[:8], values[-8:]]))


def merged(tables: list[tuple[Floats, Counts]]) -> tuple[Floats, Counts]:
    """Add up tables of distinct values and their counts."""
    values, at = np.unique(np.concatenate([values for values, _ in tables]), return_inverse=True)
    return values, np.bincount(at, np.concatenate([counts for _, counts in tables]), len(values)).astype(np.int64)


def _few(ascending: Floats) -> tuple[float, ...] | None:
    found: list[float] = []
    at = 0
    while at < len(ascending):
        if len(found) == FEW:
            return None
        found.append(float(ascending[at]))
        at = int(np.searchsorted(ascending, ascending[at], "right"))
    return tuple(found)


def _hashed(values: Floats) -> NDArray[np.uint64]:
    """Scatter the values (Fibonacci hashing): steps of one size, too, are spread evenly."""
    return values.view(np.uint64) * np.uint64(0x9E3779B97F4A7C15)
