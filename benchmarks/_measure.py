"""CPU seconds of whole processes, and the form of a result."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def cpu_seconds(command: Sequence[str], *, cwd: Path | None = None, env: Mapping[str, str] | None = None) -> float:
    """Return user and system seconds of a process and of those it waited for; stop where it fails."""
    process = subprocess.Popen(command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    assert process.stderr is not None
    errors = process.stderr.read()
    _, status, usage = os.wait4(process.pid, 0)
    if code := os.waitstatus_to_exitcode(status):
        sys.exit(f"{' '.join(command)} ended with {code}:\n{errors.decode()}")
    return usage.ru_utime + usage.ru_stime


def alternately(first: Sequence[str], second: Sequence[str], rounds: int, **options: Any) -> tuple[float, float]:
    """Run two commands in turn, after one uncounted round, and return the median CPU seconds of each."""
    pairs = [(cpu_seconds(first, **options), cpu_seconds(second, **options)) for _ in range(rounds + 1)][1:]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] for pair in pairs)


def result(name: str, value: float, unit: str, limit: float, how: str) -> dict[str, Any]:
    """Return one line of build/bench.json; it holds where the value is at most the limit."""
    return {"name": name, "value": round(value, 3), "unit": unit, "limit": limit, "holds": value <= limit, "how": how}


def report(*results: dict[str, Any]) -> None:
    """Print the results for tools/bench.py."""
    print(json.dumps(results))
