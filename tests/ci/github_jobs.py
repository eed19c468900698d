"""GitHub's workflows in a render as jobs: read, not run; GitHub's own package tells when a condition holds."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ci.github_syntax import Expressions, load, words
from support.forge import REPOSITORY
from support.jobs import Job, how_often

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
IDENTITY = "id-token"  # the right to be told who the job is, which writes nothing
WRITES = {"pull-requests": "comment", "issues": "issue"}


def workflows(project: Path) -> dict[str, dict[str, Any]]:
    """Return the workflows of a render by file name."""
    return {path.name: load(path.read_text(encoding="utf-8")) for path in sorted(project.glob(".github/workflows/*"))}


def jobs(project: Path) -> list[Job]:
    """Return the jobs of a render; where a scheduled one failed, its workflow calls the job ``alert``."""
    with Expressions() as expressions:
        return [job for workflow in workflows(project).values() for job in _jobs(workflow, expressions)]


def _jobs(workflow: dict[str, Any], expressions: Expressions) -> Iterator[Job]:
    """Yield the jobs of a workflow, each behind those that it needs, as GitHub wants them to be written."""
    found: dict[str, Job] = {}
    for name, body in workflow["jobs"].items():
        if "uses" not in body:
            found[name] = _job(name, body, _events(workflow["on"]), found, expressions)
    changed = frozenset((workflow["on"].get("push") or {}).get("paths", ()))
    for job in found.values():
        # What runs for every change request alike is listed once, unless it asks for what a fork must not get.
        alike = "change-request" in job.when and not job.secrets
        yield replace(job, changed=changed, when=job.when - {"fork"} if alike else job.when)


def _job(
    name: str,
    job: dict[str, Any],
    events: dict[str, dict[str, Any]],
    before: dict[str, Job],
    expressions: Expressions,
) -> Job:
    needs = words(job.get("needs"))

    def starts(label: str, result: str = "success") -> bool:
        results = {need: result if need in before and label in before[need].when else "skipped" for need in needs}
        contexts = {"github": events[label], "needs": {need: {"result": results[need]} for need in needs}}
        return expressions.holds(job.get("if"), contexts, results.values())

    when = {label for label in events if starts(label)}
    runs = [step["run"] for step in job["steps"] if "run" in step and "GITHUB_STEP_SUMMARY" not in step["run"]]
    preflight = next((run.split()[2:] for run in runs if "scripts/preflight.py" in run), None)
    writes = {scope for scope, right in job.get("permissions", {}).items() if right == "write"} - {IDENTITY}
    return Job(
        name,
        when=frozenset(when),
        needs=frozenset(needs),
        runs=tuple(run for run in runs if "scripts/preflight.py" not in run),
        environment=job.get("environment"),
        cloud=job.get("permissions", {}).get(IDENTITY) == "write",
        zenml=None if preflight is None or "--no-zenml" in preflight else "".join(preflight),
        secrets=frozenset(re.findall(r"secrets\.(\w+)", json.dumps(job))),
        writes=WRITES[writes.pop()] if writes else None,
        approval=job.get("environment") in ("production", "production-review"),
        even_after_failure=bool(needs) and any(starts(label, "failure") for label in events),
    )


def _events(on: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the context ``github`` of each case; that a schedule can also be started by hand makes no case."""
    if "schedule" in on:
        return {how_often(on["schedule"][0]["cron"]): {"event_name": "schedule"}} | _events(
            {event: on[event] for event in on if event not in ("schedule", "workflow_dispatch")}
        )
    return {
        label: {"event_name": event, "event": payload, "repository": REPOSITORY}
        for event in on
        for label, payload in EVENTS[event].items()
    }
