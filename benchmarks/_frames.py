"""Writes Parquet files of 35 columns, as a tabular project has them.

Each is written by a process of its own: what a process has held counts for the peak of those that it starts.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

ROWS_OF_A_PART = 250_000


def write(path: Path, rows: int, seed: int, drifted: int = 0) -> Path:
    """Write such a file, see `_write`."""
    command = [sys.executable, __file__, str(path), str(rows), str(seed), str(drifted)]
    subprocess.run(command, check=True)
    return path


def _write(path: Path, rows: int, seed: int, drifted: int) -> None:
    """Write 15 columns of full precision, 10 of prices, 5 of small integers and 5 of 2 to 1000 categories.

    Three in a hundred values are missing, and the first ``drifted`` columns are moved.
    """
    import numpy as np
    from pyarrow import parquet

    rng = np.random.default_rng(seed)
    writer = None
    for start in range(0, rows, ROWS_OF_A_PART):
        part = _part(rng, min(ROWS_OF_A_PART, rows - start), drifted)
        writer = writer or parquet.ParquetWriter(path, part.schema)
        writer.write_table(part)
    assert writer is not None
    writer.close()


def _part(rng: Any, rows: int, drifted: int) -> Any:
    import numpy as np
    import pyarrow as pa

    columns: dict[str, Any] = {f"full{i}": rng.normal(i, 1 + i, rows) for i in range(15)}
    columns |= {f"price{i}": rng.gamma(2, 10 + i, rows).round(2) for i in range(10)}
    columns |= {f"count{i}": rng.integers(0, 5 * (i + 2), rows) for i in range(5)}
    for name in list(columns)[:drifted]:
        columns[name] += columns[name].std()
    for size in (2, 5, 12, 50, 1000):
        names = np.array([f"category {i}" for i in range(size)], object)
        columns[f"category{size}"] = names[rng.integers(0, size, rows)]
    return pa.table({name: pa.array(values, mask=rng.random(rows) < 0.03) for name, values in columns.items()})


if __name__ == "__main__":
    _write(Path(sys.argv[1]), *map(int, sys.argv[2:]))
