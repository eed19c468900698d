"""The drift gate on two Parquet files of 35 columns, beside a scan of both and beside Evidently's preset."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from _drift_side import DRIFTED
from _frames import write
from _measure import report, result


def measured(side: str, files: tuple[Path, Path], rounds: int) -> dict[str, float]:
    """Return the least CPU seconds and the largest growth of the peak memory of some fresh processes."""
    command = [sys.executable, str(Path(__file__).with_name("_drift_side.py")), side, *map(str, files)]
    runs = [json.loads(subprocess.check_output(command, stderr=subprocess.DEVNULL)) for _ in range(rounds)]
    return {"cpu": min(run["cpu"] for run in runs), "mb": max(run["mb"] for run in runs)}


def results(rows: int, folder: Path) -> Iterator[dict[str, Any]]:
    """Measure one size."""
    size = f"{rows / 1e6:g}M rows"
    files = write(folder / "reference.parquet", rows, 1), write(folder / "current.parquet", rows, 2, DRIFTED)
    rounds = 1 if rows > 1_000_000 else 3
    gate, scan = measured("gate", files, rounds), measured("scan", files, rounds)
    how = "profile of the reference and verdict on the current file, CPU of the second time in a fresh process"
    yield result(f"drift gate, {size}", gate["cpu"] / scan["cpu"], "x polars scan of both files", 6, how)
    how = "growth of ru_maxrss in a fresh process over what it held with polars and the gate imported"
    yield result(f"drift gate, {size}, memory", gate["mb"], "MB", 300, how)
    if rows <= 1_000_000:
        evidently = measured("evidently", files, 1)
        how = "CPU of the gate, with reading the files, over that of DataDriftPreset without reading them"
        yield result(f"drift gate, {size}", gate["cpu"] / evidently["cpu"], "x Evidently's preset", 1 / 50, how)


sizes = (1_000_000, 10_000_000) if os.environ.get("FULL") == "1" else (100_000,)
with tempfile.TemporaryDirectory() as folder:
    report(*(line for rows in sizes for line in results(rows, Path(folder))))
