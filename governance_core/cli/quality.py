"""`governance quality`: the data gate on a file, outside a pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit
from governance_core.core import Bound, Refused, UsageError


@app.command(epilog="Example: governance quality data/train.parquet --min-rows 1000")
def quality(
    data: Annotated[Path, typer.Argument(help="A CSV or Parquet file.")],
    min_rows: Annotated[int, typer.Option(help="The least number of rows.")] = 100,
    max_missing_fraction: Annotated[float, typer.Option(help="The largest share of missing cells.")] = 0.1,
    as_json: AsJson = False,
) -> None:
    """Judge a file by the rules of validate_data_quality; a violation is exit code 3, and each is listed."""
    from governance_core.gates import judge_data

    bounds = [
        Bound("rows", "min", min_rows, "--min-rows"),
        Bound("missing_fraction", "max", max_missing_fraction, "--max-missing-fraction"),
    ]
    verdict = judge_data(_read(data), bounds)
    if not as_json:
        verdict.raise_if_failed(str(data))
    emit(verdict.as_dict(), "\n".join(check.message for check in verdict.checks), as_json)
    if not verdict.passed:
        raise typer.Exit(Refused.exit_code)


def _read(path: Path) -> Any:
    """Read a file into an Arrow table.

    Raises:
        UsageError: if there is no such file, or it does not hold what its name says.
    """
    from pyarrow import parquet

    readers = {".csv": _read_csv, ".parquet": parquet.read_table}
    if path.suffix.lower() not in readers:
        raise UsageError(f"{path} is neither a .csv nor a .parquet file")
    try:
        return readers[path.suffix.lower()](path)
    except (OSError, ValueError) as error:  # pyarrow's errors are ValueErrors
        raise UsageError(f"{path} cannot be read: {error}") from error


def _read_csv(path: Path) -> Any:
    """Read a CSV file; empty cells, NA, NaN and null are missing, in text columns too."""
    from pyarrow import csv, types

    table = csv.read_csv(path, convert_options=csv.ConvertOptions(strings_can_be_null=True))
    if binary := [field.name for field in table.schema if types.is_binary(field.type)]:
        raise ValueError(f"column {binary[0]!r} is not UTF-8 text")
    return table
