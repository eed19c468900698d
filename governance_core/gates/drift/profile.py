"""A profile of data: what the drift gate must know of a reference, in some kilobytes a column."""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import Any, Self

import numpy as np

from governance_core.core import UsageError
from governance_core.gates.drift.batches import each_batch
from governance_core.gates.drift.categories import MOST, Categories
from governance_core.gates.drift.columns import KINDS, Column, Look, Seen, Uncompared, added
from governance_core.gates.drift.numbers import DistinctNumbers, Numbers, edges
from governance_core.gates.frames import OpenFrame, open_frame

_VERSION = 1
_PARTS = 12  # in which the columns of a file are read, at most
_PART_BYTES = 20_000_000
_UNREAD = Uncompared("unread", 0, 0)


@dataclass(frozen=True)
class Profile:
    """The columns of a data set, as counts; profiles of the parts add up to that of the whole with ``+``."""

    rows: int
    columns: dict[str, Column]

    def __add__(self, other: Self) -> Self:
        """Return the profile of both data sets.

        Raises:
            UsageError: if they have different columns, or columns that were counted at different cuts.
        """
        if self.columns.keys() != other.columns.keys():
            different = sorted(self.columns.keys() ^ other.columns.keys())
            raise UsageError(f"profiles with different columns cannot be added: {', '.join(different)}")
        both = {name: _settled(added(column, other.columns[name])) for name, column in self.columns.items()}
        return type(self)(self.rows + other.rows, both)

    def without(self, names: Collection[str]) -> Self:
        """Return the profile without some columns."""
        columns = {name: column for name, column in self.columns.items() if name not in names}
        return type(self)(self.rows, columns)

    def as_dict(self) -> dict[str, Any]:
        """Return the profile as JSON holds it."""
        columns = {name: column.as_dict() for name, column in self.columns.items()}
        return {"drift_profile": _VERSION, "rows": self.rows, "columns": columns}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Self:
        """Read what `as_dict` wrote.

        Raises:
            UsageError: if it is no profile, or one of another version.
        """
        try:
            if data["drift_profile"] != _VERSION:
                raise UsageError(f"a drift profile of version {data['drift_profile']!r}; this is {_VERSION}")
            columns = {name: KINDS[column["kind"]].from_dict(column) for name, column in data["columns"].items()}
            return cls(data["rows"], columns)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise UsageError(f"this is no drift profile: {type(error).__name__}: {error}") from error


def profile_frame(data: Any, like: Profile | None = None) -> Profile:
    """Return the profile of a data frame or of a file.

    It needs at most two passes over the data; with ``like`` one, and reads only the columns that both have.

    Args:
        data: pandas, polars, pyarrow, DuckDB, Dask or PySpark, eager or lazy; or the path of a Parquet or CSV file.
        like: a profile with whose cuts and categories the columns are counted, so that both can be compared.

    Raises:
        UsageError: if it is no data frame, or a file that cannot be read.
    """
    frame = open_frame(data)
    if not frame.names:
        raise UsageError(f"{frame.source} cannot be compared: there are no columns")
    with frame.reading():
        return _profile(frame) if like is None else _profile_like(frame, like)


def _profile(frame: OpenFrame) -> Profile:
    seen = _pass(frame, dict.fromkeys(range(len(frame.names))))
    columns = dict(enumerate(seen.columns))
    many = {i: column.values for i, column in columns.items() if isinstance(column, DistinctNumbers) and column.many}
    if many:
        likes = {i: Numbers.counted(np.zeros(0), 0, True, edges(values)) for i, values in many.items()}
        columns.update(zip(likes, _pass(frame, likes).columns, strict=True))
    return Profile(seen.rows, {frame.names[i]: _settled(column) for i, column in columns.items()})


def _profile_like(frame: OpenFrame, like: Profile) -> Profile:
    wanted = [(i, like.columns[name]) for i, name in enumerate(frame.names) if name in like.columns]
    likes = {i: column for i, column in wanted if column.compared or not column.count}
    seen = _pass(frame, likes) if likes else Seen(0, ())
    found = dict(zip(likes, seen.columns, strict=True))
    return Profile(seen.rows, {name: found.get(i, _UNREAD) for i, name in enumerate(frame.names)})


def _pass(frame: OpenFrame, likes: Mapping[int, Column | None]) -> Seen:
    # Of large files a few columns at a time: a batch of all of them is large, and polars reads several ahead.
    parts = min(_PARTS, 1 + sum(file.stat().st_size for file in frame.files) // _PART_BYTES)
    wanted, width = list(likes.items()), math.ceil(len(likes) / parts)
    seen = [_seen(frame, dict(wanted[at : at + width])) for at in range(0, len(wanted), width)]
    return Seen(seen[0].rows, tuple(column for part in seen for column in part.columns))


def _seen(frame: OpenFrame, likes: Mapping[int, Column | None]) -> Seen:
    nothing = Seen(0, (_UNREAD,) * len(likes))
    return reduce(operator.add, each_batch(frame.lazy, list(likes), Look(tuple(likes.values()))), nothing)


def reference_profile(reference: Any) -> Profile:
    """Return the profile that a reference is or has: a profile, its dict, its JSON file, a data frame or a data file.

    Raises:
        UsageError: if it is none of them or cannot be read.
    """
    if isinstance(reference, Profile):
        return reference
    if isinstance(reference, Mapping):
        return Profile.from_dict(dict(reference))
    if isinstance(reference, str | Path) and Path(reference).suffix.lower() == ".json":
        return _read_profile(Path(reference))
    return profile_frame(reference)


def _settled(column: Any) -> Column:
    """Return a column as a profile holds it, once all rows have been seen."""
    if isinstance(column, DistinctNumbers) and column.counts is not None:
        return Numbers.of_values(column.values, column.counts, column.missing, column.integer)
    if isinstance(column, Categories) and len(column.keys) > MOST and not column.other:
        return column.grouped()
    settled: Column = column
    return settled


def _read_profile(path: Path) -> Profile:
    try:
        return Profile.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, UsageError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
