"""What the footers of Parquet files say of their columns, without a look at the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Footers:
    """The rows of all files, and the statistics of every row group by column; none where a column is nested."""

    rows: int
    statistics: dict[str, list[Any]]

    @classmethod
    def read(cls, files: Sequence[Path]) -> Footers:
        """Read the footers of files with the same columns."""
        from pyarrow import parquet

        footers = [parquet.read_metadata(file) for file in files]
        statistics: dict[str, list[Any]] = {}
        for footer in footers:
            names = footer.schema.to_arrow_schema().names
            if names != [footer.schema.column(j).path for j in range(footer.num_columns)]:
                return cls(sum(footer.num_rows for footer in footers), {})
            for i in range(footer.num_row_groups):
                for j, name in enumerate(names):
                    statistics.setdefault(name, []).append(footer.row_group(i).column(j).statistics)
        return cls(sum(footer.num_rows for footer in footers), statistics)

    def nulls(self, name: str) -> int | None:
        """Return how many values of a column are null; None where the writer did not say."""
        groups = self.statistics.get(name)
        if not groups or not all(group is not None and group.has_null_count for group in groups):
            return None
        return sum(int(group.null_count) for group in groups)

    def extremes(self, name: str) -> tuple[Any, Any] | None:
        """Return the smallest and the largest value of a column; None where the writer did not say."""
        groups = self.statistics.get(name, [])
        filled = [group for group in groups if group is None or group.num_values]  # num_values counts no nulls
        if not filled or not all(group is not None and group.has_min_max for group in filled):
            return None
        return min(group.min for group in filled), max(group.max for group in filled)
