"""Opening data of any kind as one lazy frame: frames of any engine, Parquet and CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance_core.core import UsageError

if TYPE_CHECKING:  # a promotion judges metrics only and need not wait for narwhals
    import narwhals as nw

_BLOCK = 1 << 30  # bytes of a CSV file whose columns get their types together
_OTHER_DELIMITERS = ";\t|"


@dataclass(frozen=True)
class OpenFrame:
    """Data to judge.

    ``names`` are the columns' names, in order. In ``lazy`` a column may have another one (Spark cannot address every
    name), so address columns by position. ``source`` says in messages what was opened, ``files`` are the Parquet
    files that ``lazy`` reads.
    """

    lazy: nw.LazyFrame[Any]
    names: tuple[str, ...]
    source: str
    files: tuple[Path, ...] = ()

    @cached_property
    def dtypes(self) -> tuple[nw.dtypes.DType, ...]:
        """Return the narwhals type of each column."""
        return tuple(self.lazy.collect_schema().values())

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Turn what the engine says of an unreadable file, in the block, into a UsageError with path and reason."""
        if not self.files:
            yield
            return
        with _readable(self.source):
            yield


def open_frame(data: Any) -> OpenFrame:
    """Open a data frame of any engine that narwhals knows, a Parquet file, a glob of Parquet files, or a CSV file.

    Args:
        data: pandas, polars, pyarrow, DuckDB, Dask, PySpark ..., eager or lazy; or a path.

    Raises:
        UsageError: if it is no data frame or cannot be read; names the path and the reason.
    """
    return _open_path(Path(data)) if isinstance(data, (str, Path)) else _open_native(data, "the dataset")


def kind_of(dtype: nw.dtypes.DType) -> str:
    """Return what a column of a narwhals type holds, by the name that governance.yaml has for it."""
    import narwhals as nw

    if dtype.is_integer():
        return "integer"
    if dtype.is_float():
        return "float"
    if dtype in (nw.Categorical, nw.Enum):
        return "string"
    return type(dtype).__name__.lower()


def _open_native(data: Any, source: str) -> OpenFrame:
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    try:
        frame = nw.from_native(data)
        names = tuple(str(name) for name in frame.collect_schema().names())
        if len(set(names)) < len(names):
            raise DuplicateError("two columns have one name")
    except (TypeError, DuplicateError) as error:
        raise UsageError(f"{source} cannot be judged: {error}") from error
    if frame.implementation.is_spark_like():
        frame = nw.from_native(frame.to_native().toDF(*(f"_{i}" for i in range(len(names)))))
    elif frame.implementation.is_pandas() and nw.Object in frame.schema.values():
        frame = nw.from_native(_objects_through_arrow(frame))
    return OpenFrame(frame.lazy(), names, source)


def _objects_through_arrow(frame: nw.DataFrame[Any]) -> Any:
    """Give pandas columns of Python objects (dates, or booleans beside None) the type that Arrow sees in them."""
    import narwhals as nw
    import pandas as pd
    import pyarrow as pa

    typed = frame.to_native().copy(deep=False)
    for i, dtype in enumerate(frame.schema.values()):
        if dtype == nw.Object:
            values = typed.iloc[:, i]
            try:
                array = pa.array(values, from_pandas=True)
            except (pa.ArrowException, OverflowError):
                continue  # a mixture of types, or integers too large for any
            typed.isetitem(i, pd.Series(array, dtype=pd.ArrowDtype(array.type), index=values.index))
    return typed


def _open_path(path: Path) -> OpenFrame:
    with _readable(path):
        files = _matching(path)
    if not files:
        raise UsageError(f"{path} cannot be read: there is no such file")
    for file in files:
        if file.is_dir():
            raise UsageError(f"{file} cannot be read: it is a folder; name its files, such as '{file}/*.parquet'")
    kinds = {file.suffix.lower() for file in files}
    if kinds == {".csv"} and len(files) == 1:
        with _readable(path):
            return _open_native(_read_csv(files[0]), str(path))
    if kinds == {".parquet"}:
        return _open_parquet(path, files)
    raise UsageError(f"{path} cannot be read: it is neither one .csv file nor .parquet files")


def _matching(path: Path) -> list[Path]:
    """Return the path itself if it is there, else what it matches as a pattern, in the order of the names."""
    return [path] if path.exists() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))


def _open_parquet(path: Path, files: list[Path]) -> OpenFrame:
    import narwhals as nw
    import polars as pl
    from pyarrow import parquet

    schemas = []
    for file in files:
        with _readable(file):
            schemas.append({field.name: field.type for field in parquet.read_schema(file)})
        if schemas[-1] != schemas[0]:
            differing = sorted({name for name, _ in schemas[-1].items() ^ schemas[0].items()})
            raise UsageError(f"{file} cannot be read: its columns differ from those of {files[0]}: {differing}")
    with _readable(path):
        lazy = pl.scan_parquet(files, glob=False)
        names = tuple(lazy.collect_schema().names())
    return OpenFrame(nw.from_native(lazy), names, str(path), tuple(files))


def _read_csv(path: Path) -> Any:
    """Read a CSV file into an Arrow table; empty cells, NA, NaN and null are missing, in text columns too.

    Raises:
        ValueError: if it is not UTF-8 text, not separated by commas, or its rows have not all the header's cells.
    """
    from pyarrow import csv as arrow
    from pyarrow import types

    _check_delimiter(path)
    ragged: list[Any] = []

    def skip(row: Any) -> str:
        ragged.append(row)
        return "skip"

    size = path.stat().st_size
    table = arrow.read_csv(
        path,
        arrow.ReadOptions(block_size=min(max(size, 1), _BLOCK)),
        arrow.ParseOptions(newlines_in_values=True, invalid_row_handler=skip),
        arrow.ConvertOptions(strings_can_be_null=True),
    )
    if ragged:
        cells = f"{ragged[0].expected_columns} cells of the header"
        raise ValueError(f"{len(ragged)} rows do not have the {cells}, one has {ragged[0].actual_columns}")
    if binary := [field.name for field in table.schema if types.is_binary(field.type)]:
        raise ValueError(f"column {binary[0]!r} is not UTF-8 text")
    return table


def _check_delimiter(path: Path) -> None:
    with path.open(encoding="utf-8-sig", newline="") as file:
        header = file.readline()
    if len(next(csv.reader([header]), ())) > 1:
        return
    for delimiter in _OTHER_DELIMITERS:
        if (cells := len(next(csv.reader([header], delimiter=delimiter), ()))) > 1:
            raise ValueError(
                f"its header has 1 cell separated by ',' and {cells} by {delimiter!r}; save it with commas"
            )


@contextmanager
def _readable(path: Path | str) -> Iterator[None]:
    import polars as pl
    from pyarrow import ArrowException

    try:
        yield
    except (OSError, ValueError, ArrowException, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
