"""The data gate on a Parquet file of 35 columns, beside a scan of it."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from _frames import write
from _measure import report, result

from governance_core.core import Bound
from governance_core.core.rules import ColumnRules
from governance_core.gates import judge_data

BOUNDS = (Bound("rows", "min", 100, "benchmark"), Bound("missing_fraction", "max", 0.1, "benchmark"))
NUMBERS = {**{f"full{i}": "float" for i in range(15)}, **{f"price{i}": "float" for i in range(10)}} | {
    f"count{i}": "integer" for i in range(5)
}
COLUMNS = {
    **{
        name: {"type": kind, "min": -1000, "max": 10_000, "max_missing_fraction": 0.1} for name, kind in NUMBERS.items()
    },
    **{
        f"category{n}": {"type": "string", "allowed": [f"category {i}" for i in range(n)], "max_missing_fraction": 0.1}
        for n in (2, 5, 12, 50, 1000)
    },
}


def scan(path: Path) -> None:
    """Read every value once with polars."""
    import polars as pl
    import polars.selectors as cs

    pl.scan_parquet(path).select(cs.numeric().sum(), cs.string().str.len_bytes().sum()).collect(engine="streaming")


def gate(path: Path) -> None:
    """Judge rows, missing values, types, ranges and allowed values of all columns."""
    verdict = judge_data(path, BOUNDS, {name: ColumnRules.model_validate(rule) for name, rule in COLUMNS.items()})
    assert verdict.passed, verdict.violations


def cpu(run: Callable[[Path], None], path: Path) -> float:
    """Return the CPU seconds of one call."""
    began = time.process_time()
    run(path)
    return time.process_time() - began


def results(rows: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Measure one size; what gate and scan cost on 1,000 rows is fixed (making expressions, reading schemas)."""
    path, small = write(folder / "data.parquet", rows, 1), write(folder / "small.parquet", 1000, 1)
    rounds = [[cpu(run, file) for run in (gate, scan) for file in (path, small)] for _ in range(6)][1:]
    judged, judged_small, scanned, scanned_small = (min(times) for times in zip(*rounds, strict=True))
    ratio = (judged - judged_small) / (scanned - scanned_small)
    how = (
        "CPU of all checks but duplicates over that of summing every column, each beyond 1,000 rows, least of 5 in turn"
    )
    yield result(f"data gate, {rows / 1e6:g}M rows", ratio, "x polars scan", 2 if rows > 1_000_000 else 1.5, how)


sizes = (1_000_000, 10_000_000) if os.environ.get("FULL") == "1" else (100_000,)
with tempfile.TemporaryDirectory() as folder:
    report(*(line for rows in sizes for line in results(rows, Path(folder))))
