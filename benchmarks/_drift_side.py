"""Runs one way to compare two files in a process of its own; prints CPU seconds and the growth of the peak memory."""

import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path

DRIFTED = 8


def scan(reference: Path, current: Path) -> Callable[[], object]:
    """Read every value of both files once with polars."""
    import polars as pl
    import polars.selectors as cs

    every = cs.numeric().sum(), cs.string().str.len_bytes().sum()
    files = [pl.scan_parquet(path).select(every) for path in (reference, current)]
    return lambda: [file.collect(engine="streaming") for file in files]


def gate(reference: Path, current: Path) -> Callable[[], object]:
    """Profile the reference and judge the current data."""
    import polars as pl

    from governance_core.core import Bound
    from governance_core.gates.drift import judge_drift, profile_frame

    pl.scan_parquet(reference).head(1).collect(engine="streaming")  # starts the engine

    def judge() -> None:
        verdict = judge_drift(profile_frame(reference), current, [Bound("drift_score", "max", 0.3, "benchmark")])
        assert len(verdict.drifted_columns) == DRIFTED, verdict.drifted_columns

    return judge


def evidently(reference: Path, current: Path) -> Callable[[], object]:
    """Let Evidently's preset judge both, once they are read."""
    import pandas as pd
    from evidently import Report
    from evidently.presets import DataDriftPreset

    frames = [pd.read_parquet(path) for path in (reference, current)]
    return lambda: Report([DataDriftPreset(drift_share=0.3)]).run(current_data=frames[1], reference_data=frames[0])


def main() -> None:
    """Measure the side that is named first, on the two files behind it."""
    side, *files = sys.argv[1:]
    run = {"scan": scan, "gate": gate, "evidently": evidently}[side](*map(Path, files))
    held = peak()
    if side != "evidently":
        run()  # imports what it needs; Evidently has imported everything, and a second run would take minutes
    began = time.process_time()
    run()
    print(json.dumps({"cpu": time.process_time() - began, "mb": peak() - held}))


def peak() -> float:
    """Return the most memory that this process has held, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
