"""Who acts: the person in whose name an event is written, and how we know."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any, Self

from zenml.client import Client
from zenml.enums import StoreType

from governance_core.ci import CIRun, current_run
from governance_core.core import UsageError
from governance_core.project import git_email


@dataclass(frozen=True)
class Actor:
    """A person, or a service account where no person is known.

    ``verified`` is true where ZenML's server authenticated exactly this id. ``via`` says where the id comes from.
    ``service_account`` is the one that acted in the person's place, and ``ci_run`` the address of the CI run that it
    acted in. ``aliases`` are other names by which the person is known, and on GitHub whoever ran the CI run again.
    """

    id: str
    verified: bool
    via: str
    service_account: str | None = None
    ci_run: str | None = None
    aliases: tuple[str, ...] = ()

    def is_same(self, other: Actor) -> bool:
        """Tell whether two actors share a name; e-mail addresses and logins do not differ by case."""
        ours, theirs = ({name.casefold() for name in (actor.id, *actor.aliases)} for actor in (self, other))
        return not ours.isdisjoint(theirs)

    def as_dict(self) -> dict[str, Any]:
        """Return the actor as an event records it."""
        return asdict(self) | {"aliases": list(self.aliases)}

    @classmethod
    def from_dict(cls, recorded: Mapping[str, Any]) -> Self:
        """Read the actor of an event; whoever wrote it by hand may have left out all but the id."""
        return cls(
            id=str(recorded["id"]),
            verified=recorded.get("verified") is True,
            via=str(recorded.get("via", "")),
            service_account=recorded.get("service_account"),
            ci_run=recorded.get("ci_run"),
            aliases=tuple(recorded.get("aliases", ())),
        )

    def __str__(self) -> str:
        account = f" through {self.service_account}" if self.service_account else ""
        run = f" in {self.ci_run}" if self.ci_run else ""
        return f"{self.id}{account}" + ("" if self.verified else " (unverified)") + run


def current_actor(root: Path) -> Actor:
    """Return who acts now.

    On a server that is the authenticated user, or in CI the person whom the CI system names with the service account
    beside it. On a local store it is `GOVERNANCE_ACTOR`, else the CI system's person, else git's e-mail: unverified.

    Args:
        root: the project whose git configuration is asked.

    Raises:
        UsageError: if nobody can be named.
    """
    run = current_run()
    actor = _actor(root, run)
    return replace(actor, ci_run=run.url) if run else actor


def _actor(root: Path, run: CIRun | None) -> Actor:
    if Client().zen_store.type == StoreType.REST:
        user = Client().active_user
        if user.is_service_account and run and run.person:
            return replace(_person(run, run.person), service_account=user.name)
        return Actor(user.email or user.name, verified=True, via="zenml", aliases=(user.name,) if user.email else ())
    if named := os.environ.get("GOVERNANCE_ACTOR", "").strip():
        return Actor(named, verified=False, via="GOVERNANCE_ACTOR")
    if run and run.person:
        return _person(run, run.person)
    if email := git_email(root):
        return Actor(email, verified=False, via="git")
    raise UsageError(
        "nobody can be named as the one who acts: set GOVERNANCE_ACTOR, or git's user.email (git config user.email ...)"
    )


def _person(run: CIRun, login: str) -> Actor:
    return Actor(login, verified=False, via=run.system, aliases=run.aliases)
