"""Secrets in ZenML: the only code that reads or writes them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar
from uuid import UUID

from pydantic import SecretStr
from zenml.client import Client
from zenml.exceptions import EntityExistsError, IllegalOperationError
from zenml.models import SecretRequest, SecretUpdate
from zenml.utils.pagination_utils import depaginate

from governance_core.core import Conflict, GovernanceError, UsageError
from governance_core.registry.connection import explained

Result = TypeVar("Result")


@dataclass(frozen=True)
class Stored:
    """A secret that everybody on the server may use, without its values.

    ``created`` and ``changed`` are when ZenML made it and last wrote it.
    """

    id: UUID
    name: str
    created: datetime
    changed: datetime


def stored_secrets() -> tuple[dict[str, Stored], set[str]]:
    """Return the public secrets by name, and the names of the private ones of whoever asks.

    Raises:
        GovernanceError: if ZenML does not tell.
    """
    found = _asked("list the secrets", lambda: depaginate(Client().list_secrets))
    public = {
        secret.name: Stored(secret.id, secret.name, _utc(secret.created), _utc(secret.updated))
        for secret in found
        if not secret.private
    }
    return public, {secret.name for secret in found if secret.private}


def values_of(stored: Stored) -> dict[str, SecretStr | None]:
    """Return the values of a secret by key; None each where the account may not read them.

    Raises:
        GovernanceError: if ZenML does not tell.
    """

    def read() -> dict[str, SecretStr | None]:
        try:
            return dict(Client().zen_store.get_secret(stored.id).values)
        except KeyError:  # its values were deleted where the server keeps them; writing them makes them anew
            return {}

    return _asked(f"read secret {stored.name}", read)


def public_keys(name: str) -> frozenset[str]:
    """Return the keys of the public secret of this name; none where there is none, as a run sees no private one.

    Raises:
        GovernanceError: if ZenML does not tell.
    """
    stored = stored_secrets()[0].get(name)
    return frozenset(values_of(stored)) if stored else frozenset()


def create(name: str, values: Mapping[str, SecretStr]) -> UUID:
    """Make a secret that everybody on the server may use, and return its id.

    Raises:
        Conflict: if somebody made it first.
        GovernanceError: if ZenML does not take it.
    """
    request = SecretRequest(name=name, values=dict(values), private=False)
    return _asked(f"create secret {name}", lambda: Client().zen_store.create_secret(request).id)


def write(stored: Stored, values: Mapping[str, SecretStr]) -> UUID:
    """Add or replace values of a secret, leave its others alone, and return its id.

    Raises:
        GovernanceError: if ZenML does not take them.
    """
    update = SecretUpdate(values=dict(values))
    return _asked(f"write secret {stored.name}", lambda: Client().zen_store.update_secret(stored.id, update).id)


def _utc(time: datetime) -> datetime:
    return time.replace(tzinfo=UTC)  # ZenML's have none


def _asked(what: str, call: Callable[[], Result]) -> Result:
    """Return what a call returns, or raise an error that holds nothing of what ZenML said."""
    try:
        with _silence():
            return call()
    except Exception as error:
        problem = _problem(what, error)
    raise problem  # here it has no cause and no context: a database's error quotes the statement with its values


def _problem(what: str, error: Exception) -> GovernanceError:
    if explanation := explained(error):
        return explanation
    if isinstance(error, EntityExistsError):
        return Conflict(f"cannot {what}: somebody made it first")
    if isinstance(error, IllegalOperationError):
        return UsageError(f"cannot {what}: this account has no right to; `governance access` says who has")
    if isinstance(error, NotImplementedError):
        return UsageError(f"cannot {what}: the ZenML server keeps no secrets; its administrator configures a store")
    said = "what ZenML said is not shown, because it may quote a value; the server's log says more"
    return GovernanceError(f"cannot {what} ({type(error).__name__}); {said}")


@contextmanager
def _silence() -> Iterator[None]:
    """Let nothing be logged: where a secret cannot be stored ZenML logs the database's error, values and all."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)
