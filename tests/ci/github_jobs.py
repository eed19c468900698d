"""GitHub's workflows in a render as jobs: read, not run; GitHub's own package tells when a condition holds."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from ci.github_syntax import Expressions, load, words
from support.forge import REPOSITORY
from support.jobs import Job

PULL_REQUEST = {"head": {"repo": {"full_name": REPOSITORY}}}
FORK = {"head": {"repo": {"full_name": "somebody/tumours"}}}
# What a workflow's trigger is called in the list of jobs, and what the condition of a job finds in each case.
EVENTS: dict[str, dict[str, dict[str, Any]]] = {
    "pull_request": {"change-request": {"pull_request": PULL_REQUEST}, "fork": {"pull_request": FORK}},
    "push": {"merge": {}},
    "release": {"release": {"action": "published"}},
    "workflow_dispatch": {"manual": {}},
    "workflow_call": {"failure": {}},
}
WRITES = {"pull-requests": "comment", "issues": "issue"}


def workflows(project: Path) -> dict[str, dict[str, Any]]:
    """Return the workflows of a render by file name."""
    return {path.name: load(path.read_text(encoding="utf-8")) for path in sorted(project.glob(".github/workflows/*"))}


def jobs(project: Path) -> list[Job]:
    """Return the jobs of a render; where a scheduled one failed, its workflow calls the job ``alert``."""
    with Expressions() as expressions:
        return [
            _job(name, job, workflow, expressions)
            for workflow in workflows(project).values()
            for name, job in workflow["jobs"].items()
            if "uses" not in job
        ]


def _job(name: str, job: dict[str, Any], workflow: dict[str, Any], expressions: Expressions) -> Job:
    needs = words(job.get("needs"))

    def starts(github: dict[str, Any], result: str) -> bool:
        contexts = {"github": github, "needs": {need: {"result": result} for need in needs}}
        return expressions.holds(job.get("if"), contexts, [result] * len(needs))

    events = _events(workflow["on"])
    when = {label for label, github in events.items() if starts(github, "success")}
    runs = [step["run"] for step in job["steps"] if "run" in step and "GITHUB_STEP_SUMMARY" not in step["run"]]
    preflight = next((run.split()[2:] for run in runs if "scripts/preflight.py" in run), None)
    writes = {scope for scope, right in job.get("permissions", {}).items() if right == "write"}
    return Job(
        name,
        when=frozenset(when - {"fork"} if "change-request" in when else when),
        needs=frozenset(needs),
        runs=tuple(run for run in runs if "scripts/preflight.py" not in run),
        environment=job.get("environment"),
        zenml=None if preflight is None else "".join(preflight),
        secrets=frozenset(re.findall(r"secrets\.(\w+)", json.dumps(job))),
        writes=WRITES[writes.pop()] if writes else None,
        approval=job.get("environment") in ("production", "production-review"),
        even_after_failure=bool(needs) and any(starts(github, "failure") for github in events.values()),
    )


def _events(on: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the context ``github`` of each case; that a schedule can also be started by hand makes no case."""
    if "schedule" in on:
        _, hour, _, _, weekday = on["schedule"][0]["cron"].split()
        often = "hourly" if hour == "*" else "daily" if weekday == "*" else "weekly"
        return {often: {"event_name": "schedule"}}
    return {
        label: {"event_name": event, "event": payload, "repository": REPOSITORY}
        for event in on
        for label, payload in EVENTS[event].items()
    }
