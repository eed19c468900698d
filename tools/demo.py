"""From nothing to a governed model: render, train, gate, promote, release, infer, roll back, verify the ledger.

Everything runs as a team would run it, in the rendered project's own environment and on a ZenML store of its own.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

from copier import run_copy

ROOT = Path(__file__).resolve().parent.parent
TEMPLATE = ("copier.yml", "template", "governance_core/VERSION")
TRAINER, APPROVER = "dana@example.com", "alex@example.com"
REFUSED = 3

# In the rendered project.
PYTHON = ".venv/bin/python"
GOVERNANCE = (".venv/bin/governance",)
PROMOTE = (PYTHON, "scripts/promote_model.py")
ROLLBACK = (PYTHON, "scripts/rollback_model.py")
REPORT = "build/training-report.html"
IN_PRODUCTION = ("batch_inference", "monitoring")
PARAMETER_A, PARAMETER_B = "max_depth: 5", "max_depth: 8"


@dataclass
class Step:
    """One line of the closing table."""

    title: str
    exit_code: int
    wall: float
    cpu: float
    said: str


@dataclass
class Project:
    """A rendered project, and what was run in it."""

    root: Path
    environment: Mapping[str, str]
    steps: list[Step] = field(default_factory=list)

    def run(self, title: str, *command: str, actor: str = TRAINER, expect: int = 0) -> str:
        """Run a command in the project and return what it printed; stop the demo where it ends otherwise."""
        print(f"\n== {title}\n$ {' '.join(command)}", flush=True)
        started = time.monotonic()
        with tempfile.TemporaryFile("w+") as output:
            environment = {**self.environment, "GOVERNANCE_ACTOR": actor}
            process = subprocess.Popen(command, cwd=self.root, env=environment, stdout=output, stderr=subprocess.STDOUT)
            _, status, usage = os.wait4(process.pid, 0)
            output.seek(0)
            printed = output.read().strip()
        print(printed, flush=True)
        exit_code = os.waitstatus_to_exitcode(status)
        cpu = usage.ru_utime + usage.ru_stime
        self.steps.append(Step(title, exit_code, time.monotonic() - started, cpu, last_line(printed)))
        if exit_code != expect:
            sys.exit(f"the demo stops: {title} ended with {exit_code}, not {expect}")
        return printed


def last_line(printed: str) -> str:
    """Return the last line that says something."""
    return next((line.strip() for line in reversed(printed.splitlines()) if line.strip()), "")


def render(dest: Path, answers: Mapping[str, str]) -> None:
    """Render this working tree, as it is, into ``dest``; the project takes the package from here."""
    with tempfile.TemporaryDirectory() as scratch:
        for name in TEMPLATE:
            source, target = ROOT / name, Path(scratch) / name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(source, target) if source.is_dir() else shutil.copy(source, target)
        data = {"governance_source": "path", "governance_location": str(ROOT), **answers}
        run_copy(scratch, dest, data=data, defaults=True, quiet=True)


def commit(project: Project, message: str) -> None:
    """Commit everything: only a clean tree can be promoted."""
    identity = ["-c", f"user.name={TRAINER}", "-c", f"user.email={TRAINER}"]
    subprocess.run(["git", "add", "--all"], cwd=project.root, check=True)
    subprocess.run(["git", *identity, "commit", "--quiet", "--message", message], cwd=project.root, check=True)


def change_parameter(project: Project) -> None:
    """Give model B another parameter than model A, the way a team does: in the configuration, in a commit."""
    config = project.root / "configs" / "staging.yaml"
    before = config.read_text(encoding="utf-8")
    after = before.replace(PARAMETER_A, PARAMETER_B)
    if after == before:
        sys.exit(f"{config} holds no {PARAMETER_A!r}")
    config.write_text(after, encoding="utf-8")
    commit(project, f"Train with {PARAMETER_B}")


def to_production(project: Project, name: str, *force: str) -> None:
    """Train in staging and take the new version to production, approved by somebody else."""
    project.run(f"train {name}", "make", "--no-print-directory", "train", "ENVIRONMENT=staging")
    promoted = project.run(f"{name} to staging", *PROMOTE, "--to-stage", "staging", *force)
    number = re.findall(r"version (\d+)", promoted)[0]
    approve = [*GOVERNANCE, "approve", "--version", number, "--to-stage", "production"]
    project.run(f"approve {name}", *approve, actor=APPROVER)
    project.run(f"{name} to production", *PROMOTE, "--from-stage", "staging", "--to-stage", "production", *force)


def play(project: Project) -> None:
    """Run the demo's main job in a project that is set up."""
    to_production(project, "A")
    change_parameter(project)
    to_production(project, "B", "--force")
    released = [part for name in IN_PRODUCTION for part in ("--pipeline", name)]
    project.run("release", *GOVERNANCE, "snapshot", "create", *released, "--environment", "production")
    project.run("batch inference", PYTHON, "run.py", "--pipeline", "batch_inference", "--environment", "production")
    project.run("drift check", "make", "--no-print-directory", "monitor", "ENVIRONMENT=production")
    project.run("roll back B to A", *ROLLBACK, "--reason", "B alarms the clinic")
    project.run("roll back past the first", *ROLLBACK, "--reason", "there is none", expect=REFUSED)
    project.run("check", *GOVERNANCE, "check")
    project.run("ledger verify", *GOVERNANCE, "ledger", "verify")
    project.run("training report", *GOVERNANCE, "report", "training", "--format", "html", "--output", REPORT)


def summary(steps: list[Step]) -> str:
    """Return the closing table."""
    rows = [f"{'step':<26}{'exit':>5}{'wall s':>8}{'CPU s':>7}  what it said last"]
    rows += [f"{s.title:<26}{s.exit_code:>5}{s.wall:>8.1f}{s.cpu:>7.1f}  {s.said}" for s in steps]
    return "\n".join(rows)


def environment(uv: str, store: Path) -> dict[str, str]:
    """Return the variables of every command: the demo's own ZenML store, and uv where make finds it."""
    path = os.pathsep.join([str(Path(uv).resolve().parent), os.environ["PATH"]])
    zenml = {
        "ZENML_CONFIG_PATH": str(store),
        "ZENML_ANALYTICS_OPT_IN": "false",
        "ZENML_LOGGING_COLORS_DISABLED": "true",
    }
    return {**os.environ, **zenml, "PATH": path}


def main() -> None:
    """Render, set up and play; print a table of what happened and where the report is."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--uv", default="uv")
    parser.add_argument("--dest", type=Path, default=Path("build/demo"), help="a folder that is not there yet")
    parser.add_argument("--record", type=Path, help="write the steps as JSON, for the benchmarks")
    parser.add_argument("answers", nargs="*", metavar="NAME=ANSWER")
    arguments = parser.parse_args()
    dest = arguments.dest.resolve()
    store = dest.with_name(f"{dest.name}-store")
    if dest == (ROOT / "build/demo") or not dest.exists():
        shutil.rmtree(dest, ignore_errors=True)
        shutil.rmtree(store, ignore_errors=True)
    else:
        sys.exit(f"{dest} exists; name another with DEST=")
    render(dest, dict(answer.split("=", 1) for answer in arguments.answers))
    project = Project(dest, environment(arguments.uv, store))
    subprocess.run(["git", "init", "--quiet", "--initial-branch", "main"], cwd=dest, check=True)
    project.run("set up", "make", "--no-print-directory", "setup")
    commit(project, "Start from the template")
    play(project)
    print(f"\n{summary(project.steps)}\n\nOpen {dest / REPORT}")
    print(f"Go on in {dest} with: export ZENML_CONFIG_PATH={shlex.quote(str(store))}")
    if arguments.record:
        arguments.record.write_text(json.dumps([asdict(step) for step in project.steps]), encoding="utf-8")


if __name__ == "__main__":
    main()
