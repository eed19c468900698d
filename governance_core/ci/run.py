"""Which CI run this process is part of, by the variables that the three systems set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Literal

System = Literal["github", "gitlab", "jenkins"]

# The variable that tells a CI system from a laptop.
MARKERS: dict[System, str] = {"github": "GITHUB_ACTIONS", "gitlab": "GITLAB_CI", "jenkins": "JENKINS_URL"}
# Those that name the person who started the run: logins, because that is what the approvals of each system name.
LOGINS: dict[System, tuple[str, ...]] = {
    "github": ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR"),
    "gitlab": ("GITLAB_USER_LOGIN",),
    "jenkins": ("BUILD_USER_ID", "CHANGE_AUTHOR"),
}
# Their e-mail address, by which ZenML may know them.
EMAILS: dict[System, tuple[str, ...]] = {
    "github": (),
    "gitlab": ("GITLAB_USER_EMAIL",),
    "jenkins": ("BUILD_USER_EMAIL", "CHANGE_AUTHOR_EMAIL"),
}
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
    return CIRun(system, _first(LOGINS[system]), _first(EMAILS[system]), url)


def _first(variables: tuple[str, ...]) -> str | None:
    return next((os.environ[name] for name in variables if os.environ.get(name)), None)
