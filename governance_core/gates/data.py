"""The data gate: a frame of any engine that narwhals knows, read in one pass."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from governance_core.core import Bound, UsageError
from governance_core.gates.metrics import check_numbers
from governance_core.gates.verdict import Check, Verdict

if TYPE_CHECKING:  # a promotion judges metrics only and need not wait for narwhals
    import narwhals as nw


@dataclass(frozen=True)
class _Measured:
    rows: int
    missing: dict[str, int]  # missing values of each column

    @property
    def missing_fraction(self) -> float:
        """Return the share of missing cells; nothing is missing from nothing, emptiness has its own rule."""
        cells = self.rows * len(self.missing)
        return sum(self.missing.values()) / cells if cells else 0.0


def judge_data(frame: Any, bounds: Sequence[Bound]) -> Verdict:
    """Judge a data frame: not empty, no column without any value, ``rows`` and ``missing_fraction`` within bounds.

    Args:
        frame: pandas, polars, pyarrow, DuckDB, Dask ... eager or lazy. NaN and null are missing values, counted once.
        bounds: on ``rows`` and on ``missing_fraction``, the share of missing cells in the whole frame.

    Raises:
        UsageError: if it is not a data frame.
    """
    return Verdict("data", tuple(_checks(_measure(frame), bounds)))


def _checks(data: _Measured, bounds: Sequence[Bound]) -> Iterator[Check]:
    shape = f"{data.rows} rows, {len(data.missing)} columns"
    filled = bool(data.rows and data.missing)
    message = f"the dataset has {shape}" if filled else f"the dataset is empty ({shape})"
    yield Check("data-empty", "dataset", shape, None, None, filled, message)
    hollow = [column for column, missing in data.missing.items() if missing == data.rows > 0]
    for column in hollow:
        message = f"every one of the {data.rows} values of column {column!r} is missing"
        yield Check("column-all-missing", column, data.rows, None, None, False, message)
    if not hollow:
        yield Check("column-all-missing", "columns", 0, None, None, True, "no column is missing all its values")
    yield from check_numbers({"rows": data.rows, "missing_fraction": data.missing_fraction}, bounds)


def _measure(frame: Any) -> _Measured:
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    try:
        lazy = nw.from_native(frame).lazy()
        schema = lazy.collect_schema()
    except (TypeError, DuplicateError) as error:
        raise UsageError(f"the dataset cannot be judged: {error}") from error
    counts = [_is_missing(nw.nth(i), kind).sum().alias(f"_{i}") for i, kind in enumerate(schema.values())]
    row = lazy.select(nw.len().alias("rows"), *counts).collect(backend=None).rows()[0]
    return _Measured(int(row[0]), {str(column): int(n or 0) for column, n in zip(schema, row[1:], strict=True)})


def _is_missing(column: nw.Expr, kind: nw.dtypes.DType) -> nw.Expr:
    """Return what is null or NaN, once: in pandas NaN is both, in Arrow and polars only the second."""
    return column.is_null() | column.is_nan() if kind.is_float() else column.is_null()
