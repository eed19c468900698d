"""What `make demo`, a promotion, a rollback, governance itself and a rendered project's environment cost."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from pathlib import Path

from _measure import cpu_seconds, report, result

ROOT = Path(__file__).resolve().parent.parent
SCRATCH = ROOT / "build" / "bench"
DEMO, STORE, STEPS = SCRATCH / "demo", SCRATCH / "demo-store", SCRATCH / "steps.json"
OPEN_ZENML = "from zenml.client import Client; Client().zen_store"
ENVIRONMENT = {**os.environ, "ZENML_CONFIG_PATH": str(STORE), "ZENML_ANALYTICS_OPT_IN": "false"}
PUBLIC_DEMO_PACKAGES, PUBLIC_DEMO_MEGABYTES, SHARE = 290, 1400, 0.6


def play(uv: str) -> list[dict[str, float | str]]:
    """Play the demo and return its steps."""
    shutil.rmtree(SCRATCH, ignore_errors=True)
    SCRATCH.mkdir(parents=True)
    command = [sys.executable, str(ROOT / "tools/demo.py"), "--uv", uv, "--dest", str(DEMO), "--record", str(STEPS)]
    subprocess.run(command, check=True, stdout=sys.stderr)
    steps: list[dict[str, float | str]] = json.loads(STEPS.read_text(encoding="utf-8"))
    return steps


def opening(rounds: int = 5) -> float:
    """Return the median CPU seconds of importing ZenML and opening its client in the project's environment."""
    command = [".venv/bin/python", "-c", OPEN_ZENML]
    return statistics.median(cpu_seconds(command, cwd=DEMO, env=ENVIRONMENT) for _ in range(rounds))


def training() -> tuple[float, float]:
    """Return the CPU seconds of a governed training run, and of the same run without governance."""
    shutil.copy(ROOT / "benchmarks" / "_training_pair.py", DEMO / "src" / "training_pair.py")
    command = ["../.venv/bin/python", "-c", "import training_pair; training_pair.main()"]
    done = subprocess.run(command, cwd=DEMO / "src", env=ENVIRONMENT, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    governed, ungoverned = json.loads(done.stderr.splitlines()[-1])
    return governed, ungoverned


def weight(uv: str) -> tuple[int, float]:
    """Return the packages and megabytes of the project's environment without its development group."""
    environment = SCRATCH / "weight"
    env = {**os.environ, "UV_PROJECT_ENVIRONMENT": str(environment)}
    subprocess.run([uv, "sync", "--locked", "--no-dev", "--quiet"], cwd=DEMO, env=env, check=True)
    packages = len(list(environment.glob("lib/python*/site-packages/*.dist-info")))
    return packages, sum(path.lstat().st_size for path in environment.rglob("*")) / 1e6


def main() -> None:
    """Print every result of one play."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="uv")
    uv = str(Path(parser.parse_args().uv).resolve())
    steps = {str(step["title"]): float(step["cpu"]) for step in play(uv)}
    opened = opening()
    promotions = statistics.median(cpu for title, cpu in steps.items() if title.endswith(("staging", "production")))
    governed, ungoverned = training()
    packages, megabytes = weight(uv)
    report(
        result("demo", sum(steps.values()) - steps["set up"], "CPU s", 100, "every command of the demo after set up"),
        result("promotion", promotions / opened, "x", 1.3, "median of 4 by the cost of importing ZenML and opening it"),
        result("rollback", steps["roll back B to A"] - opened, "CPU s", 1, "one rollback beyond opening ZenML"),
        result(
            "governance",
            governed - ungoverned,
            "CPU s",
            0.5,
            "training run with its notice and metrics, median of 7, beside the same without",
        ),
        result("packages", packages, "packages", PUBLIC_DEMO_PACKAGES * SHARE, "environment without development group"),
        result("environment", megabytes, "MB", PUBLIC_DEMO_MEGABYTES * SHARE, "the same environment's files"),
    )


if __name__ == "__main__":
    main()
