"""A column of any kind, out of one batch of rows and of many."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self, TypeAlias

import narwhals as nw
import numpy as np

from governance_core.gates.drift.categories import Categories, Groups
from governance_core.gates.drift.numbers import LARGEST, DistinctNumbers, Numbers
from governance_core.gates.frames import kind_of

_CATEGORIES = (nw.Boolean, nw.String, nw.Categorical, nw.Enum)
MANY = 65_536  # a column of so many distinct strings holds identifiers or text


@dataclass(frozen=True)
class Uncompared:
    """A column whose values are no numbers and no categories; ``what`` they are instead, or why nobody looked."""

    what: str
    missing: int
    count: int

    kind = "uncompared"
    compared = False

    def __add__(self, other: Self) -> Self:
        """Return the column of both."""
        return replace(self, missing=self.missing + other.missing, count=self.count + other.count)

    def as_dict(self) -> dict[str, Any]:
        """Return the column as JSON holds it."""
        return {"kind": self.kind, "what": self.what, "missing": self.missing, "count": self.count}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `as_dict` wrote."""
        return cls(data["what"], data["missing"], data["count"])


Comparable: TypeAlias = Numbers | Categories | Groups
Column: TypeAlias = Comparable | Uncompared
KINDS: dict[str, type[Column]] = {kind.kind: kind for kind in (Numbers, Categories, Groups, Uncompared)}


@dataclass(frozen=True)
class Seen:
    """What was found in some rows: how many there are, and the columns that were looked at."""

    rows: int
    columns: tuple[Any, ...]

    def __add__(self, other: Self) -> Self:
        """Return what was found in both."""
        return type(self)(self.rows + other.rows, tuple(map(added, self.columns, other.columns)))


@dataclass(frozen=True)
class Look:
    """Looks at each column of a batch of rows: for the first time, or as its like was looked at."""

    likes: tuple[Column | None, ...]

    def __call__(self, batch: nw.DataFrame[Any]) -> Seen:
        """Return what the batch holds."""
        return Seen(len(batch), tuple(map(look, batch.iter_columns(), self.likes)))


def look(series: nw.Series[Any], like: Column | None) -> Any:
    """Return a column of a batch, counted as its like was."""
    kind = series.dtype
    if kind.is_numeric() and (like is None or isinstance(like, Numbers)):
        return _numbers(series, like)
    present = series.drop_nulls()
    missing = len(series) - len(present)
    if kind in _CATEGORIES and not isinstance(like, Numbers):
        return _categories(present, missing, like)
    return Uncompared(kind_of(kind), missing, len(present))


def _numbers(series: nw.Series[Any], like: Numbers | None) -> Numbers | DistinctNumbers:
    found = series.cast(nw.Float64).to_numpy()
    values = found[np.abs(found) < LARGEST] + 0.0  # NaN is not smaller; minus zero becomes zero
    values.sort()
    missing, integer = len(found) - len(values), series.dtype.is_integer()
    if like is None:
        return DistinctNumbers.of(values, missing, integer)
    return Numbers.counted(values, missing, integer, like.cuts)


def _categories(present: nw.Series[Any], missing: int, like: Column | None) -> Column:
    boolean = present.dtype == nw.Boolean
    values = present if boolean else present.cast(nw.String)
    table = values.alias("value").value_counts(name="count")
    found = Categories.of(table["value"].to_list(), table["count"].to_list(), missing, boolean)
    if isinstance(like, Categories):
        return found.like(like.keys)
    return found.grouped() if isinstance(like, Groups) else _bounded(found)


def added(left: Any, right: Any) -> Any:
    """Return one column from two; a column without values takes the other one's kind."""
    if not left.count or not right.count:
        return replace(left if left.count else right, missing=left.missing + right.missing)
    if type(left) is not type(right):
        if {type(left), type(right)} == {Categories, Groups}:
            left, right = (each.grouped() if isinstance(each, Categories) else each for each in (left, right))
        else:
            what = next((each.what for each in (left, right) if isinstance(each, Uncompared)), "mixed")
            return Uncompared(what, left.missing + right.missing, left.count + right.count)
    return _bounded(left + right)


def _bounded(column: Any) -> Any:
    if isinstance(column, Categories) and len(column.keys) >= MANY:
        return Uncompared("text", column.missing, column.count)
    return column
