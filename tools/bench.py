"""Run the benchmarks and write build/bench.json; exit 1 where a limit does not hold."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def measure(script: Path, uv: str) -> list[dict[str, object]]:
    """Run one benchmark; it prints a JSON list of results as its last line."""
    command = [sys.executable, str(script), "--uv", uv]
    done = subprocess.run(command, cwd=ROOT / "build", stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script.name} failed")
    results: list[dict[str, object]] = json.loads(done.stdout.splitlines()[-1])
    return results


def main() -> None:
    """Run every script of benchmarks/ whose name holds ``--only``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--only", default="")
    arguments = parser.parse_args()
    (ROOT / "build").mkdir(exist_ok=True)
    results = []
    for script in sorted((ROOT / "benchmarks").glob("[!_]*.py")):
        if arguments.only in script.stem:
            for result in measure(script, arguments.uv):
                results.append(result)
                mark = "holds" if result["holds"] else "MISSED"
                print(
                    f"{mark:6} {result['name']}: {result['value']} {result['unit']} (limit {result['limit']})",
                    flush=True,
                )
    (ROOT / "build" / "bench.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    if not results:
        sys.exit(f"no benchmark is called {arguments.only!r}")
    if not all(result["holds"] for result in results):
        sys.exit("a limit does not hold")


if __name__ == "__main__":
    main()
