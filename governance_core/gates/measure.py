"""What the data gate counts: in one pass over the data, and in Parquet files only what their footers do not tell."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import narwhals as nw

from governance_core.core.rules import TIMES, ColumnRules, first_moment, last_moment
from governance_core.gates.footers import Footers
from governance_core.gates.frames import OpenFrame, kind_of

# Up to here copies of rows are counted by comparing rows, above by 64-bit hashes where DuckDB can read the data.
EXACT_ROWS = 1_000_000
_INT64 = (-(2**63), 2**63 - 1)
_FLOAT64 = (-sys.float_info.max, sys.float_info.max)


@dataclass(frozen=True)
class Measured:
    """Counts of a dataset. Columns whose values a rule cannot be compared with are not in ``outside``, ``unlisted``.

    ``kinds``: what each column holds; ``missing``: nulls and NaNs of each column; ``outside``: values that are not in
    their column's declared range; ``unlisted``: values that are none of their column's allowed ones; ``duplicates``:
    extra copies of rows, None where nobody asked.
    """

    rows: int
    kinds: dict[str, str]
    missing: dict[str, int]
    outside: dict[str, int]
    unlisted: dict[str, int]
    duplicates: int | None

    @property
    def missing_fraction(self) -> float:
        """Return the share of missing cells; nothing is missing from nothing, emptiness has its own rule."""
        cells = self.rows * len(self.missing)
        return sum(self.missing.values()) / cells if cells else 0.0


def measure(data: OpenFrame, rules: Mapping[str, ColumnRules], count_duplicates: bool) -> Measured:
    """Count what the checks of the data gate judge.

    Raises:
        UsageError: if a file cannot be read; names the path and the reason.
    """
    columns = [
        _Column(i, name, dtype, rules.get(name, ColumnRules()))
        for i, (name, dtype) in enumerate(zip(data.names, data.dtypes, strict=True))
    ]
    with data.reading():
        rows, counted = _counts(data, columns)
        duplicates = _duplicates(data, columns, rows) if count_duplicates else None
    present = {column.name: counted["present", column.name] for column in columns}
    return Measured(
        rows=rows,
        kinds={column.name: column.kind for column in columns},
        missing={name: rows - n for name, n in present.items()},
        outside={name: n - counted["ranged", name] for name, n in present.items() if ("ranged", name) in counted},
        unlisted={name: n - counted["listed", name] for name, n in present.items() if ("listed", name) in counted},
        duplicates=duplicates,
    )


@dataclass(frozen=True)
class _Column:
    position: int
    name: str
    dtype: nw.dtypes.DType
    rules: ColumnRules

    @property
    def kind(self) -> str:
        return kind_of(self.dtype)

    def conditions(self) -> Iterator[tuple[str, nw.Expr]]:
        """Yield what must be counted: values that are there, in their range, and among the allowed ones."""
        values = nw.nth(self.position)
        # NaN is at most infinity on no engine: it compares with nothing, or stands above everything.
        yield "present", values <= math.inf if self.kind == "float" else ~values.is_null()
        if not self.rules.comparable(self.kind):
            return
        if self.limits:
            yield "ranged", _between(self._exact(values), *self.limits)
        if self.rules.allowed is not None:
            yield "listed", self._exact(values).is_in(self._allowed) & ~values.is_null()

    def answers(self, footers: Footers) -> Iterator[tuple[str, int]]:
        """Yield what of it the footers tell: not of floats, whose NaNs they do not count, nor of cut-off text."""
        nulls = footers.nulls(self.name)
        if nulls is None or self.kind == "float":
            return
        present = footers.rows - nulls
        yield "present", present
        if self.kind in {"integer", "date"} and self.rules.comparable(self.kind) and (limits := self.limits):
            extremes = footers.extremes(self.name)
            if present == 0 or (extremes and _holds(limits, *extremes)):
                yield "ranged", present

    @property
    def limits(self) -> tuple[Any, Any] | None:
        """The smallest and the largest value in range, of the column's own type; None where no range is declared."""
        least: Any = self.rules.min
        most: Any = self.rules.max
        if least is None and most is None:
            return None
        if self.kind in TIMES:
            return self._moments(least, most)
        if self.kind == "integer":
            return _int64(least and math.ceil(least)), _int64(most and math.floor(most))
        # The ends of the finite numbers: an infinity is in no range.
        return _FLOAT64[0] if least is None else least, _FLOAT64[1] if most is None else most

    def _moments(self, least: Any, most: Any) -> tuple[Any, Any]:
        low, high = least and first_moment(least), most and last_moment(most)
        if self.kind == "date":
            # The first day that begins at or after the moment.
            return low and (low + timedelta(days=1, microseconds=-1)).date(), high and high.date()
        if getattr(self.dtype, "time_zone", None) is None:
            return low and low.replace(tzinfo=None), high and high.replace(tzinfo=None)
        return low, high

    @property
    def _allowed(self) -> list[Any]:
        allowed = self.rules.allowed or []
        return [int(x) for x in allowed if x == int(x) == _int64(int(x))] if self.kind == "integer" else allowed

    def _exact(self, values: nw.Expr) -> nw.Expr:
        """Return the values in the widest type of their kind, so that no engine rounds a limit to a narrower one."""
        if self.kind == "integer":
            return values if self.dtype in (nw.Int64, nw.UInt64) else values.cast(nw.Int64)
        if self.kind in {"float", "decimal"}:
            return values if self.dtype == nw.Float64 else values.cast(nw.Float64)
        return values if self.kind != "string" or self.dtype == nw.String else values.cast(nw.String)


def _int64(limit: Any) -> Any:
    """Return the limit, or the nearest one that every engine takes."""
    return limit if limit is None else min(max(int(limit), _INT64[0]), _INT64[1])


def _between(values: nw.Expr, low: Any, high: Any) -> nw.Expr:
    if low is None or high is None:
        inside: nw.Expr = values <= high if low is None else values >= low
        return inside
    return values.is_between(low, high)


def _holds(limits: tuple[Any, Any], least: Any, most: Any) -> bool:
    low, high = limits
    return bool((low is None or low <= least) and (high is None or most <= high))


def _counts(data: OpenFrame, columns: list[_Column]) -> tuple[int, dict[tuple[str, str], int]]:
    """Return the number of rows, and each number by what was counted and the column's name."""
    footers = Footers.read(data.files) if data.files else None
    known = {(what, c.name): n for c in columns for what, n in (c.answers(footers) if footers else ())}
    asked = {(what, c.name): true for c in columns for what, true in c.conditions() if (what, c.name) not in known}
    rows = footers.rows if footers else 0
    if asked or not footers:
        spark = data.lazy.implementation.is_spark_like()  # adds up no booleans
        summed = [(true.cast(nw.Int64) if spark else true).sum() for true in asked.values()]
        expressions = [count.alias(f"_{i}") for i, count in enumerate(summed)]
        counted = data.lazy.select(nw.len().alias("rows"), *expressions).collect(backend=None).rows()[0]
        rows, *numbers = (int(number or 0) for number in counted)
        known |= dict(zip(asked, numbers, strict=True))
    return rows, known


def _duplicates(data: OpenFrame, columns: list[_Column], rows: int) -> int:
    """Return the number of extra copies of rows; NaN and null, and 0.0 and -0.0, are the same."""
    if rows > EXACT_ROWS and (hashed := _hashed(data)) is not None:
        return hashed
    values = [nw.nth(c.position) for c in columns]
    floats = [c.kind == "float" for c in columns]
    same = [
        (nw.when(~value.is_nan()).then(value + 0.0) if is_float else value).alias(f"_{i}")
        for i, (value, is_float) in enumerate(zip(values, floats, strict=True))
    ]
    return rows - int(data.lazy.select(same).unique(keep="any").select(nw.len()).collect(backend=None).item())


def _hashed(data: OpenFrame) -> int | None:
    """Count by 64-bit hashes of the rows, which need a tenth of the memory; None where DuckDB cannot read the data.

    Of 10 million different rows two have the same hash with a probability of 3e-6.
    """
    import duckdb

    relation: Any
    native: Any = data.lazy.to_native()
    connection = duckdb.connect()
    if data.files:
        relation = connection.read_parquet([str(file) for file in data.files])
    elif data.lazy.implementation.is_duckdb():
        relation = native
    elif data.lazy.implementation.is_pandas():
        relation = connection.from_df(native)
    elif data.lazy.implementation.is_polars():
        relation = connection.from_arrow(native.collect().to_arrow())
    elif data.lazy.implementation.is_pyarrow():
        relation = connection.from_arrow(native)
    else:
        return None
    cells = []
    for name, kind in zip(relation.columns, relation.types, strict=True):
        cell = '"' + name.replace('"', '""') + '"'
        is_float = str(kind) in {"FLOAT", "DOUBLE"}
        cells.append(f"CASE WHEN isnan({cell}) THEN NULL ELSE {cell} + 0 END" if is_float else cell)
    ((copies,),) = relation.aggregate(f"count(*) - count(DISTINCT hash({', '.join(cells)}))").fetchall()
    return int(copies)
