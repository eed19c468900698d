"""The three systems run the same jobs: each one's files are parsed into one model and held against one list."""

import re
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from ci import github_jobs, gitlab_jobs, jenkins_jobs
from support.jobs import Job, listed_jobs
from support.rendering import render

PARSED: dict[str, Callable[[Path], list[Job]]] = {
    "github": github_jobs.jobs,
    "gitlab": gitlab_jobs.jobs,
    "jenkins": jenkins_jobs.jobs,
}
# In what a system differs from the list, and why it must.
EXCEPTIONS: dict[str, dict[str, dict[str, Any]]] = {
    # Only GitHub's form for a start by hand has a second field, which may stay empty.
    "github": {"rollback": {"runs": ('governance rollback --reason "$REASON" ${VERSION:+--to-version "$VERSION"}',)}},
    # Jenkins' stages come one after the other, and the training of a merge matters more than its image.
    "jenkins": {"build-image": {"needs": frozenset({"promote-staging"})}},
}


def model(jobs: list[Job]) -> dict[str, dict[str, Any]]:
    """Return jobs by name, without the reason of a promotion: it names the change as each system calls it."""
    return {job.name: asdict(job) | {"runs": tuple(map(without_reason, job.runs))} for job in jobs}


def without_reason(command: str) -> str:
    return re.sub(r' --reason "(?!\$REASON").*?"', "", command)


def differences(found: dict[str, dict[str, Any]], listed: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return every field of every job that is not as listed, with what it is instead."""
    assert found.keys() == listed.keys()
    fields = {
        name: {field: value for field, value in job.items() if listed[name][field] != value}
        for name, job in found.items()
    }
    return {name: differing for name, differing in fields.items() if differing}


@pytest.mark.parametrize(
    ("risk_tier", "cloud"),
    [("limited", "local"), ("high", "local"), ("high", "gcp"), ("limited", "aws"), ("high", "azure")],
)
@pytest.mark.parametrize("system", PARSED)
def test_every_system_runs_the_listed_jobs_and_differs_only_where_it_must(
    system: str, risk_tier: str, cloud: str
) -> None:
    found = model(PARSED[system](render(ci=system, risk_tier=risk_tier, cloud=cloud)))
    exceptions = {name: fields for name, fields in EXCEPTIONS.get(system, {}).items() if name in found}
    assert differences(found, model(listed_jobs(risk_tier, cloud))) == exceptions
