"""The people whom the CI system itself names as those who approved this run: never typed, never an argument."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from governance_core.ci.forge import github_api, gitlab_api, variable
from governance_core.ci.run import current_run
from governance_core.core import UsageError


@dataclass(frozen=True)
class Approver:
    """A person by their login; ``via`` says what they did.

    ``when`` is the earliest that it can have been: on GitLab when it was, on GitHub when the run was created, since its
    API tells no more, and None on Jenkins.
    """

    login: str
    via: str
    environment: str | None = None
    when: datetime | None = None


def approvers() -> list[Approver]:
    """Return who approved this CI run, each person once.

    GitHub names the reviewers of the run's environments; GitLab those who approved this job's deployment, and who
    started the job where it is a manual one; Jenkins who answered the `input` step.

    Raises:
        UsageError: outside of CI; if a variable is missing; if the API cannot be reached or refuses.
    """
    run = current_run()
    if run is None:
        raise UsageError("--from-ci needs a CI run: neither GITHUB_ACTIONS nor GITLAB_CI nor JENKINS_URL is set")
    people: dict[str, Approver] = {}
    for approver in {"github": _github, "gitlab": _gitlab, "jenkins": _jenkins}[run.system]():
        people.setdefault(approver.login.casefold(), approver)
    return list(people.values())


def _github() -> Iterator[Approver]:
    api, right = github_api(variable("GITHUB_API_URL"), "GITHUB_TOKEN"), "the permission `actions: read`"
    run = f"/repos/{variable('GITHUB_REPOSITORY')}/actions/runs/{variable('GITHUB_RUN_ID')}"
    created = datetime.fromisoformat(api.get(run, right=right)["created_at"])
    for review in api.get(f"{run}/approvals", right=right):
        if review["state"] == "approved":
            environments = ", ".join(environment["name"] for environment in review["environments"])
            yield Approver(review["user"]["login"], "github review", environments, created)


def _gitlab() -> Iterator[Approver]:
    api, right = gitlab_api(variable("CI_API_V4_URL"), "CI_JOB_TOKEN"), "a token of a job that is still running"
    job, environment = api.get("/job", right=right), os.environ.get("CI_ENVIRONMENT_NAME")
    # The user of a job that nobody started by hand is whoever pushed the tag. Who started it comes first, and so counts
    # by that: it was after any approval of the deployment.
    if os.environ.get("CI_JOB_MANUAL") == "true":
        when = datetime.fromisoformat(job["started_at"])
        yield Approver(job["user"]["username"], "gitlab manual job", environment, when)
    if not environment:
        return
    path = f"/projects/{variable('CI_PROJECT_ID')}/deployments"
    newest = api.get(path, right=right, environment=environment, order_by="id", sort="desc", per_page="100")
    for deployment in newest:
        if (deployment["deployable"] or {}).get("id") == job["id"]:
            for approval in api.get(f"{path}/{deployment['id']}", right=right).get("approvals") or ():
                if approval["status"] == "approved":
                    when = datetime.fromisoformat(approval["created_at"])
                    yield Approver(approval["user"]["username"], "gitlab approval", environment, when)


def _jenkins() -> Iterator[Approver]:
    # What `submitterParameter` of the input step gave: Jenkins has no REST form that names who answered.
    if login := os.environ.get("APPROVER", "").strip():
        yield Approver(login, "jenkins input")
