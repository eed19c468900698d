"""The jobs that every CI system runs, as data, and the model that a render is parsed into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import yaml
from support.rendering import ROOT

JOBS = ROOT / "tests/ci/jobs.yaml"


@dataclass(frozen=True)
class Job:
    """One job, as `jobs.yaml` describes it and as each system's files say it.

    ``when`` holds change-request, fork, merge, release, hourly, daily, weekly, monthly, manual and failure; ``runs``
    the commands behind set-up, in order; ``zenml`` how preflight is called: None without ZenML, "" without a stack,
    else the environment whose stack must be there; ``cloud`` whether it acts in the cloud, as its environment;
    ``changed`` which files a merge must have changed for it to run; ``writes`` what the job's token may write;
    ``approval`` whether a person must let the job start; ``even_after_failure`` whether it also runs when what it
    needs failed.
    """

    name: str
    when: frozenset[str]
    needs: frozenset[str]
    runs: tuple[str, ...]
    environment: str | None = None
    zenml: str | None = None
    cloud: bool = False
    changed: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()
    writes: str | None = None
    approval: bool = False
    even_after_failure: bool = False


def listed_jobs(risk_tier: str = "limited", cloud: str = "local") -> list[Job]:
    """Return the jobs of a project of this risk tier in this cloud, as `jobs.yaml` lists them."""
    listed = yaml.safe_load(JOBS.read_text(encoding="utf-8"))
    here = {None, risk_tier, "local" if cloud == "local" else "cloud"}
    jobs = {name: _job(name, fields, here) for name, fields in listed.items()}
    left_out = {name for name, fields in listed.items() if fields.get("only") not in here}

    def needs(job: Job) -> frozenset[str]:
        behind = [needs(jobs[name]) for name in job.needs & left_out]
        return frozenset(job.needs - left_out).union(*behind)

    kept = [job for name, job in jobs.items() if name not in left_out]
    return [replace(job, needs=needs(job), cloud=job.cloud and cloud != "local") for job in kept]


def how_often(cron: str) -> str:
    """Return how often a line of cron's starts a job: hourly, daily, weekly or monthly."""
    _, hour, day, _, weekday = cron.split()
    if hour == "*":
        return "hourly"
    return "monthly" if day != "*" else "weekly" if weekday != "*" else "daily"


def _job(name: str, fields: dict[str, Any], here: set[str | None]) -> Job:
    sets = {field: frozenset(fields.get(field, ())) for field in ("when", "needs", "changed", "secrets")}
    plain = ("environment", "zenml", "cloud", "writes", "approval", "even_after_failure")
    runs = [run if isinstance(run, dict) else {"run": run} for run in fields["runs"]]
    commands = tuple(run["run"] for run in runs if run.get("only") in here)
    return Job(name, **sets, runs=commands, **{field: fields[field] for field in plain if field in fields})
