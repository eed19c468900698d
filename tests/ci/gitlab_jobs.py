"""GitLab's file in a render as jobs: read and put together as GitLab does, without running it."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import yaml
from support.jobs import Job, how_often

KEYWORDS = {"default", "stages", "variables", "workflow"}
# Jobs that no other system needs: elsewhere a schedule stands in the files and cannot name a job that is not there.
OWN = {"misspelt"}
# What GitLab sets in each kind of pipeline, as far as a rule of the file asks for it.
EVENTS: dict[str, dict[str, str]] = {
    "change-request": {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": "12",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "42",
        "CI_MERGE_REQUEST_PROJECT_ID": "42",
    },
    "fork": {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_MERGE_REQUEST_IID": "12",
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
        "CI_PROJECT_ID": "99",  # the pipeline runs in the fork
        "CI_MERGE_REQUEST_SOURCE_PROJECT_ID": "99",
        "CI_MERGE_REQUEST_PROJECT_ID": "42",
    },
    "merge": {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_BRANCH": "main"},
    "release": {"CI_PIPELINE_SOURCE": "push", "CI_COMMIT_TAG": "v1.2.0"},
    "manual": {"CI_PIPELINE_SOURCE": "web", "CI_COMMIT_BRANCH": "main", "JOB": "rollback", "REASON": "it is wrong"},
}


@dataclass(frozen=True)
class Reference:
    """GitLab's ``!reference [job, keyword]``."""

    path: tuple[str, ...]


class _Loader(yaml.SafeLoader):
    pass


_Loader.add_constructor("!reference", lambda loader, node: Reference(tuple(loader.construct_sequence(node))))  # type: ignore[arg-type]


def schedule(job: str) -> dict[str, str]:
    """Return what GitLab sets in a scheduled pipeline with the variable JOB."""
    return {"CI_PIPELINE_SOURCE": "schedule", "CI_COMMIT_BRANCH": "main", "JOB": job}


def documented_schedules(project: Path) -> dict[str, str]:
    """Return how often docs/ci.md schedules each value of JOB."""
    commands = re.findall(
        r"^glab schedule create .*", (project / "docs/ci.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    found = {}
    for command in commands:
        words = shlex.split(command)
        cron, variable = (words[words.index(option) + 1] for option in ("--cron", "--variable"))
        found[variable.removeprefix("JOB:")] = how_often(cron)
    return found


@dataclass(frozen=True)
class Variable:
    """A variable that docs/ci.md sets; ``role`` is that of the project access token which it holds, if it is one."""

    name: str
    scope: str
    secret: bool
    role: str | None


def documented_variables(project: Path) -> list[Variable]:
    """Return the variables that docs/ci.md sets, each scope's by itself."""
    page = (project / "docs/ci.md").read_text(encoding="utf-8")
    lines = [shlex.split(line) for line in re.findall(r"^glab (?:variable set|token create) .*", page, re.MULTILINE)]
    roles = {words[-1]: words[words.index("--access-level") + 1] for words in lines if words[1] == "token"}
    return [
        Variable(
            words[3],
            words[words.index("--scope") + 1] if "--scope" in words else "*",
            "--masked" in words,
            roles.get(words[-1]),
        )
        for words in lines
        if words[1] == "variable"
    ]


def given(project: Path, job: dict[str, Any]) -> list[Variable]:
    """Return the documented variables that a job of the render gets: those whose scope is its environment."""
    environment = job.get("environment", {}).get("name", "")
    return [variable for variable in documented_variables(project) if fnmatch(environment, variable.scope)]


def holds(condition: str, variables: dict[str, str]) -> bool:
    """Tell whether a rule's ``if`` holds, of those with ``==``, ``!=``, ``=~``, ``!~`` and ``&&``."""

    def clause(text: str) -> bool:
        match re.fullmatch(r'\$(\w+)(?: (==|!=|=~|!~) (?:\$(\w+)|"(.*)"|/(.*)/))?', text).groups():  # type: ignore[union-attr]
            case name, None, *_:
                return bool(variables.get(name))
            case name, ("=~" | "!~") as operator, _, _, pattern:
                return (re.search(pattern, variables.get(name, "")) is not None) is (operator == "=~")
            case name, operator, other, literal, _:
                expected = literal if other is None else variables.get(other)
                return (variables.get(name) == expected) is (operator == "==")
        raise ValueError(text)

    return all(clause(part) for part in condition.split(" && "))


def configuration(file: Path) -> dict[str, Any]:
    """Return the file with ``extends``, ``!reference`` and ``default`` put in their places."""
    raw = yaml.load(file.read_text(encoding="utf-8"), _Loader)
    merged = {name: _extended(raw, value) if isinstance(value, dict) else value for name, value in raw.items()}
    whole: dict[str, Any] = _resolved(merged, merged)
    jobs = {name: job for name, job in whole.items() if name not in KEYWORDS and not name.startswith(".")}
    return whole | {name: whole["default"] | job for name, job in jobs.items()}


def _extended(raw: dict[str, Any], job: dict[str, Any]) -> dict[str, Any]:
    if "extends" not in job:
        return job
    merged: dict[str, Any] = {}
    for base in [job["extends"]] if isinstance(job["extends"], str) else job["extends"]:
        merged = _merged(merged, _extended(raw, raw[base]))
    return _merged(merged, {key: value for key, value in job.items() if key != "extends"})


def _merged(base: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    both = base.keys() & over.keys()
    deep = {
        key: _merged(base[key], over[key])
        for key in both
        if isinstance(base[key], dict) and isinstance(over[key], dict)
    }
    return base | over | deep


def _resolved(value: Any, whole: dict[str, Any]) -> Any:
    match value:
        case Reference(path):
            found: Any = whole
            for key in path:
                found = found[key]
            return _resolved(found, whole)
        case dict():
            return {key: _resolved(each, whole) for key, each in value.items()}
        case list():
            resolved = [(each, _resolved(each, whole)) for each in value]
            lists = [
                found if isinstance(each, Reference) and isinstance(found, list) else [found]
                for each, found in resolved
            ]
            return [each for found in lists for each in found]
    return value


def commands(job: dict[str, Any], section: str = "script") -> list[str]:
    """Return the commands of a job's section."""
    found = job.get(section, [])
    return [found] if isinstance(found, str) else found


def real_jobs(project: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs of a render's file, put together, by name."""
    whole = configuration(project / ".gitlab-ci.yml")
    return {name: job for name, job in whole.items() if name not in KEYWORDS and not name.startswith(".")}


def jobs(project: Path) -> list[Job]:
    """Return the jobs of a render that every system has; report and report-failed, of which one runs, are one job."""
    found = real_jobs(project)
    schedules = [(often, schedule(job)) for job, often in documented_schedules(project).items()]
    pipelines = [*EVENTS.items(), *schedules]
    return [
        Job(
            name,
            when=_when(job, pipelines),
            needs=frozenset(job.get("needs", ())),
            runs=tuple(command for command in commands(job) if not command.startswith("echo ")),
            environment=job["environment"]["name"].split("/")[0] if "environment" in job else None,
            zenml=_zenml(job),
            cloud="id_tokens" in job,
            changed=frozenset(
                path.replace("/**/*", "/**") for rule in job["rules"] for path in rule.get("changes", ())
            ),
            secrets=_secrets(given(project, job)),
            writes=_writes(job, given(project, job)),
            approval=job["rules"][0].get("when") == "manual" and job["rules"][0].get("allow_failure") is False,
            even_after_failure=f"{name}-failed" in found or job["rules"][0].get("when") == "always",
        )
        for name, job in found.items()
        if name not in OWN and not name.endswith("-failed")
    ]


def _when(job: dict[str, Any], pipelines: list[tuple[str, dict[str, str]]]) -> frozenset[str]:
    if job["rules"][0].get("when") == "on_failure":
        return frozenset({"failure"})
    when = {name for name, set_ in pipelines if any(holds(rule["if"], set_) for rule in job["rules"])}
    # A job that is given nothing may run for a fork as for anybody.
    return frozenset(when - {"fork"} if "change-request" in when and "environment" not in job else when)


def _preflight(job: dict[str, Any]) -> list[str] | None:
    calls = [shlex.split(command)[2:] for command in commands(job, "before_script") if "preflight" in command]
    return calls[0] if calls else None


def _zenml(job: dict[str, Any]) -> str | None:
    asked = _preflight(job)
    if asked is None or "--no-zenml" in asked:
        return None
    return next(iter(word for word in asked if word in ("staging", "production")), "")


def _secrets(variables: list[Variable]) -> frozenset[str]:
    """Return the secrets, without the token of a Reporter, which `_writes` tells of."""
    return frozenset(variable.name for variable in variables if variable.secret and variable.role != "reporter")


def _writes(job: dict[str, Any], variables: list[Variable]) -> str | None:
    """Return what a Reporter's token is there for; it may write comments and issues."""
    if not any(variable.role == "reporter" for variable in variables):
        return None
    words = shlex.split(" ".join(commands(job)))
    if "--comment" in words:
        return "comment"
    return "issue" if "--issue" in words or "alert" in words else "nothing"
