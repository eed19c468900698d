"""A column of categories: how often each value occurs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from governance_core.core import UsageError
from governance_core.gates.drift.packing import packed, unpacked

Keys = NDArray[np.uint64]
Counts = NDArray[np.int64]

MOST = 1000  # distinct values that are counted one by one
GROUPS = 1024  # of more values: groups of them
_DIGEST_BYTES = 5  # with 1000 values the odds that two of them have one digest are one to two million


@dataclass(frozen=True)
class Categories:
    """Counts by value. A value is known by its digest: a profile stays small whatever they are, and shows none."""

    boolean: bool
    missing: int
    keys: Keys  # ascending
    counts: Counts
    other: int = 0  # how many values are not among the keys, those of a reference
    others: tuple[int, ...] = ()  # two of the other values

    kind = "category"
    compared = True

    @property
    def count(self) -> int:
        """Return the number of values that are not missing."""
        return int(self.counts.sum()) + self.other

    @property
    def distinct(self) -> int:
        """Return the number of distinct values; of other values two are counted at most."""
        return int(np.count_nonzero(self.counts)) + len(self.others)

    @classmethod
    def of(cls, values: Iterable[object], counts: Iterable[int], missing: int, boolean: bool = False) -> Self:
        """Take the distinct values and how often each occurs."""
        keys = np.array([_key(value) for value in values], np.uint64)
        order = np.argsort(keys)
        return cls(boolean, missing, keys[order], np.array(list(counts), np.int64)[order])

    def like(self, keys: Keys) -> Self:
        """Return the counts of these values, and of all others together."""
        known = np.isin(self.keys, keys)
        counts = np.zeros(len(keys), np.int64)
        counts[np.searchsorted(keys, self.keys[known])] = self.counts[known]
        others = tuple(self.keys[~known][:2].tolist())
        return replace(self, keys=keys, counts=counts, other=int(self.counts[~known].sum()), others=others)

    def grouped(self) -> Groups:
        """Return the counts by group."""
        counts = np.bincount((self.keys % GROUPS).astype(np.int64), self.counts, GROUPS).astype(np.int64)
        return Groups(self.missing, self.distinct, counts)

    def __add__(self, other: Self) -> Self:
        """Return the categories of both.

        Raises:
            UsageError: if values were counted together as others than those of two different references.
        """
        boolean, missing = self.boolean and other.boolean, self.missing + other.missing
        if np.array_equal(self.keys, other.keys):
            others = tuple(sorted({*self.others, *other.others})[:2])
            return type(self)(boolean, missing, self.keys, self.counts + other.counts, self.other + other.other, others)
        if self.other or other.other:
            raise UsageError("the categories were counted by different values; profile the one `like` the other")
        keys, at = np.unique(np.concatenate([self.keys, other.keys]), return_inverse=True)
        counts = np.bincount(at, np.concatenate([self.counts, other.counts]), len(keys)).astype(np.int64)
        return type(self)(boolean, missing, keys, counts)

    def as_dict(self) -> dict[str, Any]:
        """Return the categories as JSON holds them."""
        keys = np.ascontiguousarray(self.keys.astype("<u8").view(np.uint8).reshape(-1, 8)[:, :_DIGEST_BYTES])
        found = {"kind": self.kind, "boolean": self.boolean, "missing": self.missing}
        return found | {
            "keys": packed(keys),
            "counts": packed(self.counts),
            "other": self.other,
            "others": list(self.others),
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `as_dict` wrote."""
        digests = unpacked(data["keys"], "u1").reshape(-1, _DIGEST_BYTES)
        keys = np.zeros((len(digests), 8), np.uint8)
        keys[:, :_DIGEST_BYTES] = digests
        counts = unpacked(data["counts"], "<i8")
        return cls(
            data["boolean"], data["missing"], keys.view("<u8").ravel(), counts, data["other"], tuple(data["others"])
        )


@dataclass(frozen=True)
class Groups:
    """Counts of more than MOST distinct values, by group: a value's digest says to which one it belongs."""

    missing: int
    distinct: int  # at least; two sums may hold different values
    counts: Counts

    kind = "groups"
    compared = True

    @property
    def count(self) -> int:
        """Return the number of values that are not missing."""
        return int(self.counts.sum())

    def __add__(self, other: Self) -> Self:
        """Return the groups of both."""
        distinct = max(self.distinct, other.distinct)
        return type(self)(self.missing + other.missing, distinct, self.counts + other.counts)

    def as_dict(self) -> dict[str, Any]:
        """Return the groups as JSON holds them."""
        found = {"kind": self.kind, "missing": self.missing, "distinct": self.distinct}
        return found | {"counts": packed(self.counts)}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `as_dict` wrote."""
        return cls(data["missing"], data["distinct"], unpacked(data["counts"], "<i8"))


def _key(value: object) -> int:
    text = str(value).encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(text, digest_size=_DIGEST_BYTES).digest(), "little")
