"""The Jenkinsfile of a render as jobs, read for each event that it answers to."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from support.jenkins import Event, Model, read
from support.jobs import Job, how_often

CHANGE = {"BRANCH_NAME": "PR-12", "CHANGE_ID": "12", "CHANGE_TARGET": "main", "CHANGE_AUTHOR": "ada"}
EVENTS = {
    "change-request": Event(CHANGE),
    "fork": Event(CHANGE | {"CHANGE_FORK": "stranger"}),
    "merge": Event({"BRANCH_NAME": "main"}, changed=("uv.lock",)),
    "release": Event({"BRANCH_NAME": "v1.2.0", "TAG_NAME": "v1.2.0"}),
}
OPERATIONS = ("batch-inference", "monitor", "settle", "retention", "update-template", "rollback")
EVENTS |= {job: Event({"BRANCH_NAME": "main"}, {"JOB": job}) for job in OPERATIONS}
IN_THE_CLOUD = {"build-image": Event({"BRANCH_NAME": "main"}, {"JOB": "build-image"})}


@cache
def models(*files: Path) -> dict[Path, dict[str, Model]]:
    """Return what Jenkins makes of each file for each event that it answers to, by file and event."""
    events = {file: EVENTS | (IN_THE_CLOUD if "build-image" in file.read_text() else {}) for file in files}
    asked = [(file, name) for file in files for name in events[file]]
    found = read((file, events[file][name]) for file, name in asked)
    return {file: {name: model for (of, name), model in zip(asked, found, strict=True) if of == file} for file in files}


def stages(model: Model | list[Model]) -> Iterator[Model]:
    """Yield every stage of a model, also the nested ones."""
    for stage in model["stages"] if isinstance(model, dict) else model:
        yield stage
        yield from stages(stage["stages"])


def commands(steps: list[Model]) -> Iterator[str]:
    """Yield the shell scripts of steps, in order."""
    for step in steps:
        if step["step"] == "sh":
            yield step["given"]
        yield from commands(step.get("steps", []))


def credentials(stage: Model) -> dict[str, str]:
    """Return the ids of the credentials that a stage's environment binds, by variable."""
    return {entry["name"]: entry["credentials"] for entry in stage["environment"] if "credentials" in entry}


# Of a credential that is the word for which build this is, and no secret that somebody keeps.
IDENTITY = "cloud-"
SETTING_UP = {"scripts/preflight.py", "scripts/google_credentials.py", "scripts/kubeconfig.py"}
# The environment that a credential is for, where its id does not end in it.
ENVIRONMENTS = {"forge-update": "operations"}


def jobs(project: Path) -> list[Job]:
    """Return the jobs of a render."""
    file = project / "Jenkinsfile"
    by_event = models(file)[file]
    often = {trigger["params"]["JOB"]: how_often(trigger["cron"]) for trigger in by_event["merge"]["triggers"]}
    found: dict[str, dict[str, Any]] = {}
    for event, model in by_event.items():
        when = often.get(event, "manual") if event in (*OPERATIONS, *IN_THE_CLOUD) else event
        for job in _running(model["stages"], _After(), {})[0]:
            known = found.setdefault(job["name"], job | {"when": frozenset()})
            known["when"] |= {"failure" if job["name"] == "alert" else when}
    for job in found.values():
        # What runs for every change request alike is listed once, unless it asks for what a fork must not get.
        if "change-request" in job["when"] and not job["secrets"]:
            job["when"] -= {"fork"}
    return [Job(**job) for job in found.values()]


@dataclass(frozen=True)
class _After:
    """What a stage comes after: those jobs, and whether it comes also when they failed."""

    jobs: frozenset[str] = frozenset()
    failed_too: bool = False


def _running(
    found: list[Model], before: _After, bound: dict[str, str], parallel: bool = False
) -> tuple[list[dict[str, Any]], _After]:
    """Return the jobs of the stages that run, each with those that come right before it, and what comes last."""
    jobs: list[dict[str, Any]] = []
    for stage in found:
        if stage["when"] and not stage["when"]["holds"]:
            continue
        variables = bound | credentials(stage)
        if stage["stages"]:
            inner, last = _running(stage["stages"], before, variables, stage["parallel"])
            changed = stage["when"]["changes"] if stage["when"] else []
            inner = [job | {"changed": job["changed"] | frozenset(changed)} for job in inner]
        elif stage["name"] == "setup":
            continue
        else:
            job = _job(
                stage["name"], stage["steps"], variables, needs=before.jobs, even_after_failure=before.failed_too
            )
            inner = [job | {"approval": stage["input"] is not None}]
            last = _After(frozenset({stage["name"]}), [step["step"] for step in stage["steps"]] == ["catchError"])
        jobs += inner
        for steps in stage["post"].values():
            jobs.append(_job("alert", steps, variables, needs=frozenset()))
        before = before if parallel else last
    return jobs, _After(frozenset(job["name"] for job in jobs)) if parallel else before


def _job(name: str, steps: list[Model], bound: dict[str, str], **rest: Any) -> dict[str, Any]:
    words = [(command, shlex.split(command)) for command in commands(steps)]
    preflight = next((each[2:] for _, each in words if each[1:2] == ["scripts/preflight.py"]), None)
    runs = [command for command, each in words if each != ["make", "setup"] and not SETTING_UP & set(each)]
    secrets = {variable for variable, given in bound.items() if not given.startswith(IDENTITY)}
    zenml = bound.get("ZENML_STORE_API_KEY")
    tokens = [step["given"][0]["credentialsId"] for step in steps if step["step"] == "withCredentials"]
    identifier = next(iter([*tokens, *bound.values()]), None)
    said = " ".join(runs)
    writes = "comment" if "--comment" in said else "issue" if "--issue" in said or " alert " in said else None
    return {
        "name": name,
        "runs": tuple(runs),
        "environment": ENVIRONMENTS.get(identifier, identifier.partition("-")[2]) if identifier else None,
        "zenml": next((word for word in preflight or () if word in ("staging", "production")), "") if zenml else None,
        "cloud": secrets != bound.keys(),
        "changed": frozenset[str](),
        "secrets": frozenset(secrets),
        "writes": writes,
        **rest,
    }
