"""Which CI run this process is part of, by the variables that the three systems set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

System = Literal["github", "gitlab", "jenkins"]

# The variable that tells a CI system from a laptop.
MARKERS: dict[System, str] = {"github": "GITHUB_ACTIONS", "gitlab": "GITLAB_CI", "jenkins": "JENKINS_URL"}
# Those that name the person who started the run: logins, because that is what the approvals of each system name, and
# what stands beside them: their address, by which ZenML may know them, or on GitHub whoever pressed "re-run", who did
# not write what runs, and must not approve it either.
PEOPLE: dict[System, tuple[tuple[str, str], ...]] = {
    "github": (("GITHUB_ACTOR", "GITHUB_TRIGGERING_ACTOR"),),
    "gitlab": (("GITLAB_USER_LOGIN", "GITLAB_USER_EMAIL"),),
    # Whoever builds a change request again did not write it.
    "jenkins": (("CHANGE_AUTHOR", "CHANGE_AUTHOR_EMAIL"), ("BUILD_USER_ID", "BUILD_USER_EMAIL")),
}
# What started the run, where a login does not tell: of a schedule GitHub and GitLab name whoever changed or owns it.
TRIGGERS: dict[System, str] = {"github": "GITHUB_EVENT_NAME", "gitlab": "CI_PIPELINE_SOURCE"}
# What Jenkins' plugin build-user-vars gives as a login where nobody started the build.
NOBODY = ("branchIndexing", "genericWebhook", "remoteRequest", "scmChange", "timer")
URLS: dict[System, str] = {
    "github": "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}",
    "gitlab": "{CI_JOB_URL}",
    "jenkins": "{BUILD_URL}",
}


@dataclass(frozen=True)
class CIRun:
    """One run of a CI system.

    ``person`` is the login of who started it and ``url`` where the run can be seen; None where the system does not say,
    and a schedule has no person. ``aliases`` are the person's address, and who ran it again.
    """

    system: System
    person: str | None
    aliases: tuple[str, ...]
    url: str | None


def current_run() -> CIRun | None:
    """Return the CI run that this process is part of; None outside of CI."""
    system = next((system for system, marker in MARKERS.items() if os.environ.get(marker)), None)
    if system is None:
        return None
    try:
        url = URLS[system].format_map(os.environ)
    except KeyError:
        url = None
    return CIRun(system, *_person(system), url)


def _person(system: System) -> tuple[str | None, tuple[str, ...]]:
    if os.environ.get(TRIGGERS.get(system, "")) == "schedule":
        return None, ()
    for variable, beside in PEOPLE[system]:
        login, alias = os.environ.get(variable), os.environ.get(beside)
        if login and not (system == "jenkins" and login in NOBODY):
            return login, (alias,) if alias and alias != login else ()
    return None, ()
