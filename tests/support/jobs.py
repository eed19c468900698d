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

    ``when`` holds change-request, fork, merge, release, daily, hourly, weekly, manual and failure; ``runs`` the
    commands behind set-up, in order; ``zenml`` how preflight is called: None without ZenML, "" without a stack, else
    the environment whose stack must be there; ``writes`` what the job's token may write; ``approval`` whether a person
    must let the job start; ``even_after_failure`` whether it also runs when what it needs failed.
    """

    name: str
    when: frozenset[str]
    needs: frozenset[str]
    runs: tuple[str, ...]
    environment: str | None = None
    zenml: str | None = None
    secrets: frozenset[str] = frozenset()
    writes: str | None = None
    approval: bool = False
    even_after_failure: bool = False


def listed_jobs(risk_tier: str = "limited") -> list[Job]:
    """Return the jobs of a project of this risk tier, as `jobs.yaml` lists them."""
    listed = yaml.safe_load(JOBS.read_text(encoding="utf-8"))
    jobs = [_job(name, fields) for name, fields in listed.items()]
    if risk_tier == "high":
        return jobs
    left_out = {name for name, fields in listed.items() if fields.get("risk_tier") == "high"}
    return [replace(job, needs=job.needs - left_out) for job in jobs if job.name not in left_out]


def _job(name: str, fields: dict[str, Any]) -> Job:
    sets = {field: frozenset(fields.get(field, ())) for field in ("when", "needs", "secrets")}
    rest = {field: fields[field] for field in ("environment", "zenml", "writes", "approval") if field in fields}
    return Job(
        name, **sets, runs=tuple(fields["runs"]), **rest, even_after_failure=fields.get("even_after_failure", False)
    )
