"""Opening data of any kind as one lazy frame: frames of any engine, Parquet and CSV files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from governance_core.core import UsageError

if TYPE_CHECKING:  # a promotion judges metrics only and need not wait for narwhals
    import narwhals as nw


@dataclass(frozen=True)
class OpenFrame:
    """Data to judge: a lazy frame, and the Parquet files that it reads, where it reads any."""

    lazy: nw.LazyFrame[Any]
    files: tuple[Path, ...] = ()


def open_frame(data: Any) -> OpenFrame:
    """Open a data frame of any engine that narwhals knows, a Parquet file, a glob of Parquet files, or a CSV file.

    Args:
        data: pandas, polars, pyarrow, DuckDB, Dask, PySpark ..., eager or lazy; or a path.

    Raises:
        UsageError: if it is no data frame or cannot be read; names the path and the reason.
    """
    import narwhals as nw
    from narwhals.exceptions import DuplicateError

    if isinstance(data, (str, Path)):
        return _open_path(data)
    try:
        lazy = nw.from_native(data).lazy()
        lazy.collect_schema()
    except (TypeError, DuplicateError) as error:
        raise UsageError(f"the dataset cannot be judged: {error}") from error
    return OpenFrame(lazy)


def _open_path(data: str | Path) -> OpenFrame:
    import narwhals as nw
    import polars as pl

    files = _matching(Path(data))
    if not files:
        raise UsageError(f"{data} does not exist")
    try:
        if all(path.suffix.lower() == ".parquet" for path in files):
            lazy = pl.scan_parquet(files, glob=False)
        elif files[0].suffix.lower() == ".csv":
            lazy = pl.scan_csv(files[0], infer_schema_length=None, try_parse_dates=True, glob=False)
        else:
            raise UsageError(f"{data} is neither a .csv nor a .parquet file")
        lazy.collect_schema()
    except (OSError, pl.exceptions.PolarsError) as error:
        raise UsageError(f"{data} cannot be read: {error}") from error
    return OpenFrame(nw.from_native(lazy), tuple(files) if files[0].suffix.lower() == ".parquet" else ())


def _matching(path: Path) -> list[Path]:
    """Return the path itself if it is there, else what it matches as a pattern, in the order of the names."""
    return [path] if path.exists() else sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
