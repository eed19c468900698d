"""A frame of any engine, one batch of rows after the other, or on the machines where its rows are."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

import narwhals as nw

ROWS = 250_000  # of a batch

T = TypeVar("T")


def each_batch(frame: nw.LazyFrame[Any], columns: list[int], look: Callable[[nw.DataFrame[Any]], T]) -> Iterable[T]:
    """Return what ``look``, which must be picklable, finds in each batch of the columns at these positions."""
    chosen, engine = frame.select(nw.nth(columns)), frame.implementation
    if engine.is_pyspark() or engine.is_pyspark_connect():
        return _on_spark(chosen.to_native(), look)
    if engine.is_dask():
        return _on_dask(chosen.to_native(), look)
    return map(look, _batches(chosen))


def _batches(frame: nw.LazyFrame[Any]) -> Iterator[nw.DataFrame[Any]]:
    native: Any = frame.to_native()
    if frame.implementation.is_polars():
        for batch in native.collect_batches(chunk_size=ROWS, maintain_order=False):
            yield nw.from_native(batch, eager_only=True)
    elif frame.implementation.is_duckdb():
        yield from map(_from_arrow, native.to_arrow_reader(ROWS))
    else:
        rows = frame.collect()
        for start in range(0, max(len(rows), 1), ROWS):
            yield rows[start : start + ROWS]


def _on_spark(native: Any, look: Callable[[nw.DataFrame[Any]], T]) -> list[T]:
    def found(batches: Iterator[Any]) -> Iterator[Any]:
        import pyarrow as pa

        for batch in batches:
            yield pa.RecordBatch.from_pydict({"found": [pickle.dumps(look(_from_arrow(batch)))]})

    return [pickle.loads(row.found) for row in native.mapInArrow(found, "found binary").collect()]


def _on_dask(native: Any, look: Callable[[nw.DataFrame[Any]], T]) -> Iterable[T]:
    from dask.base import compute
    from dask.delayed import delayed

    def found(part: Any) -> T:
        return look(nw.from_native(part, eager_only=True))

    parts: tuple[T, ...] = compute(*(delayed(found)(part) for part in native.to_delayed()))  # type: ignore[no-untyped-call]
    return parts


def _from_arrow(batch: Any) -> nw.DataFrame[Any]:
    import pyarrow as pa

    return nw.from_native(pa.Table.from_batches([batch]), eager_only=True)
