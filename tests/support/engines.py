"""One table as every engine holds it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from pyarrow import parquet

# Every engine, and the two kinds of path; `as_engine` turns a table into each of them.
ENGINES = ("pandas", "pandas-arrow", "polars", "polars-lazy", "pyarrow", "duckdb", "dask", "pyspark", "file", "glob")


def as_engine(name: str, table: pa.Table, folder: Path, spark: Callable[[], Any]) -> Any:
    """Return the table as an engine's frame, or as the path of files written below ``folder``."""
    converters: dict[str, Callable[[], Any]] = {
        "pandas": table.to_pandas,
        "pandas-arrow": lambda: table.to_pandas(types_mapper=pd.ArrowDtype),
        "polars": lambda: pl.DataFrame(table),
        "polars-lazy": lambda: pl.DataFrame(table).lazy(),
        "pyarrow": lambda: table,
        "duckdb": lambda: _duckdb(table),
        "dask": lambda: _dask(table),
        "pyspark": lambda: spark().createDataFrame(_without_dictionaries(table)),
        "file": lambda: _file(table, folder),
        "glob": lambda: _glob(table, folder),
    }
    return converters[name]()


def _duckdb(table: pa.Table) -> Any:
    import duckdb

    return duckdb.connect().from_arrow(table)


def _dask(table: pa.Table) -> Any:
    import dask.dataframe as dd

    return dd.from_pandas(table.to_pandas(types_mapper=pd.ArrowDtype), npartitions=2)


def _file(table: pa.Table, folder: Path) -> Path:
    parquet.write_table(table, folder / "data.parquet")
    return folder / "data.parquet"


def _glob(table: pa.Table, folder: Path) -> str:
    half = table.num_rows // 2
    for number, part in enumerate((table.slice(0, half), table.slice(half))):
        parquet.write_table(part, folder / f"part-{number}.parquet")
    return str(folder / "part-*.parquet")


def _without_dictionaries(table: pa.Table) -> pa.Table:
    """Return the table with categories as plain text: Spark knows no categories."""
    fields = [
        pa.field(field.name, field.type.value_type) if pa.types.is_dictionary(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


@contextmanager
def spark_session() -> Iterator[Any]:
    """Start a small Spark (about 6 s); a test that asks for it where Java is absent is skipped."""
    if shutil.which("java") is None:
        pytest.skip("java is not installed, which PySpark needs")
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").appName("tests")
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.memory": "1g",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.shuffle.partitions": "1",
        "spark.ui.enabled": "false",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    # Spark starts Python processes of its own: of this environment, and not with the working tree on their path.
    with patch.dict(os.environ, {"PYSPARK_PYTHON": sys.executable, "PYTHONSAFEPATH": "1"}):
        session = builder.getOrCreate()
    session.sparkContext.setLogLevel("OFF")
    try:
        yield session
    finally:
        session.stop()
