"""Which CI run this process is part of, by the variables that the three systems set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

System = Literal["github", "gitlab", "jenkins"]

# The variable that tells a CI system from a laptop.
MARKERS: dict[System, str] = {"github": "GITHUB_ACTIONS", "gitlab": "GITLAB_CI", "jenkins": "JENKINS_URL"}
# Those that name the person who started the run: logins, because that is what the approvals of each system name, with
# their address, by which ZenML may know them.
PEOPLE: dict[System, tuple[tuple[str, str | None], ...]] = {
    "github": (("GITHUB_TRIGGERING_ACTOR", None), ("GITHUB_ACTOR", None)),
    "gitlab": (("GITLAB_USER_LOGIN", "GITLAB_USER_EMAIL"),),
    # Whoever builds a change request again did not write it.
    "jenkins": (("CHANGE_AUTHOR", "CHANGE_AUTHOR_EMAIL"), ("BUILD_USER_ID", "BUILD_USER_EMAIL")),
}
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

    ``person`` is the login of who started it, ``email`` their address and ``url`` where the run can be seen; None where
    the system does not say.
    """

    system: System
    person: str | None
    email: str | None
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


def _person(system: System) -> tuple[str | None, str | None]:
    for variable, address in PEOPLE[system]:
        login = os.environ.get(variable)
        if login and not (system == "jenkins" and login in NOBODY):
            return login, os.environ.get(address) or None if address else None
    return None, None
