"""Who acts: the person in whose name an event is written, and how we know."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from zenml.client import Client
from zenml.enums import StoreType

from governance_core.core import UsageError
from governance_core.project import git_email

# The variable that tells a CI system from a laptop, and those that name the person who started the job.
CI_SYSTEMS: dict[str, tuple[str, tuple[str, ...]]] = {
    "github": ("GITHUB_ACTIONS", ("GITHUB_TRIGGERING_ACTOR", "GITHUB_ACTOR")),
    "gitlab": ("GITLAB_CI", ("GITLAB_USER_EMAIL", "GITLAB_USER_LOGIN")),
    "jenkins": ("JENKINS_URL", ("BUILD_USER_EMAIL", "BUILD_USER_ID")),
}


@dataclass(frozen=True)
class Actor:
    """A person, or a service account where no person is known.

    ``verified`` is true where ZenML's server authenticated exactly this id. ``via`` says where the id comes from.
    ``service_account`` is the one that acted in the person's place.
    """

    id: str
    verified: bool
    via: str
    service_account: str | None = None

    @property
    def person(self) -> str:
        """What two actors are compared by: e-mail addresses and logins do not differ by case."""
        return self.id.casefold()

    def as_dict(self) -> dict[str, Any]:
        """Return the actor as an event records it."""
        return asdict(self)

    @classmethod
    def from_dict(cls, recorded: Mapping[str, Any]) -> Self:
        """Read the actor of an event; whoever wrote it by hand may have left out all but the id."""
        return cls(
            id=str(recorded["id"]),
            verified=recorded.get("verified") is True,
            via=str(recorded.get("via", "")),
            service_account=recorded.get("service_account"),
        )

    def __str__(self) -> str:
        account = f" through {self.service_account}" if self.service_account else ""
        return f"{self.id}{account}" + ("" if self.verified else " (unverified)")


def current_actor(root: Path) -> Actor:
    """Return who acts now.

    On a server that is the authenticated user, or in CI the person whom the CI system names with the service account
    beside it. On a local store it is `GOVERNANCE_ACTOR`, else the CI system's person, else git's e-mail: unverified.

    Args:
        root: the project whose git configuration is asked.

    Raises:
        UsageError: if nobody can be named.
    """
    person = _ci_person()
    if Client().zen_store.type == StoreType.REST:
        user = Client().active_user
        account = user.name if user.is_service_account else None
        if account and person:
            return Actor(person[0], verified=False, via=person[1], service_account=account)
        return Actor(user.email or user.name, verified=True, via="zenml")
    if named := os.environ.get("GOVERNANCE_ACTOR", "").strip():
        return Actor(named, verified=False, via="GOVERNANCE_ACTOR")
    if person:
        return Actor(person[0], verified=False, via=person[1])
    if email := git_email(root):
        return Actor(email, verified=False, via="git")
    raise UsageError(
        "nobody can be named as the one who acts: set GOVERNANCE_ACTOR, or git's user.email (git config user.email ...)"
    )


def _ci_person() -> tuple[str, str] | None:
    for system, (marker, variables) in CI_SYSTEMS.items():
        if os.environ.get(marker):
            return next(((os.environ[name], system) for name in variables if os.environ.get(name)), None)
    return None
