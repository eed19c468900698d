"""Chains of events in ZenML: a model of the chain's name, one version an event.

ZenML keeps the names of a model's versions unique in its database, so creating the next name is a compare-and-set: of
two writers that read one head exactly one appends. An event is one row, written in one transaction, and `zenml
artifact prune` does not touch it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import Any
from uuid import UUID

from zenml.client import Client
from zenml.exceptions import EntityExistsError
from zenml.models import ModelVersionRequest, ModelVersionResponse

from governance_core.core import Conflict, GovernanceError, UsageError
from governance_core.ledger import Event, event_name, parse, seal

PAGE = 200
FIRST_PAGE = 20  # of a search from the newest event on: what is looked for was mostly written just before
MAX_EVENT = 65_535  # bytes: ZenML's description may have as many characters, but MySQL counts bytes


class Chain:
    """One append-only chain of events in the active ZenML project."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return f"Chain({self.name!r})"

    def head(self) -> Event | None:
        """Return the newest event, None where the chain is empty.

        Raises:
            GovernanceError: if the newest event is not intact.
        """
        if self._id is None:
            return None
        newest = Client().get_model(self._id).latest_version_id
        return self._event(Client().get_model_version(None, newest)) if newest else None

    def append(self, kind: str, body: Mapping[str, Any], after: Event | None) -> Event:
        """Write the event that follows ``after`` (None: the first), in one transaction.

        Raises:
            Conflict: if another event follows it already; nothing was written.
            UsageError: if the event is too large to be stored; nothing was written.
            ValueError: if the body is not JSON.
        """
        event = seal(self.name, kind, body, after)
        if (size := len(event.text.encode())) > MAX_EVENT:
            raise UsageError(
                f"{self.name}: this {kind} has {size} bytes and cannot be stored, at most {MAX_EVENT} fit; "
                "nothing was changed. Shorten what goes into it, such as --reason"
            )
        request = ModelVersionRequest(
            model=self._created_id(),
            project=Client().active_project.id,
            name=event_name(event.seq),
            description=event.text,
        )
        try:
            written = Client().zen_store.create_model_version(request)
        except EntityExistsError as error:
            raise Conflict(f"{self.name}: somebody else wrote event {event.seq} first") from error
        return self._event(written)

    def record(self, kind: str, body: Mapping[str, Any]) -> Event:
        """Append an event whose place in the chain does not matter, whoever else is writing."""
        while True:  # another writer's append is what sends us round, so somebody always gets on
            try:
                return self.append(kind, body, self.head())
            except Conflict:
                continue

    def event(self, seq: int) -> Event | None:
        """Return one event, None where there is none of that number.

        Raises:
            GovernanceError: if it is not intact.
        """
        if self._id is None:
            return None
        found = (
            Client().list_model_versions(model=self._id, name=f"equals:{event_name(seq)}", size=1, hydrate=True).items
        )
        return self._event(found[0]) if found else None

    def events(self, after_seq: int = 0) -> Iterator[Event]:
        """Yield the events behind ``after_seq``, oldest first; reads a page at a time.

        Raises:
            GovernanceError: at the first event that is not intact.
        """
        return map(self._event, self._versions("asc", f"gt:{after_seq}"))

    def newest(self) -> Iterator[Event]:
        """Yield the events newest first; reads a page at a time, the first one small, so stop early.

        Raises:
            GovernanceError: at the first event that is not intact.
        """
        return map(self._event, self._versions("desc", None, FIRST_PAGE))

    def records(self) -> Iterator[tuple[str, str]]:
        """Yield name and text of whatever stands in the chain, intact or not, oldest first."""
        return ((version.name or "", version.description or "") for version in self._versions("asc", None))

    def _event(self, version: ModelVersionResponse) -> Event:
        try:
            return parse(version.description or "", version.created)
        except ValueError as error:
            raise GovernanceError(
                f"{self.name}: {version.name} is not intact ({error}); `governance ledger verify` says more"
            ) from error

    def _versions(self, order: str, number: str | None, size: int = PAGE) -> Iterator[ModelVersionResponse]:
        if self._id is None:
            return
        while True:
            page = (
                Client()
                .list_model_versions(model=self._id, sort_by=f"{order}:number", number=number, size=size, hydrate=True)
                .items
            )
            yield from page
            if len(page) < size:
                return
            number = f"{'gt' if order == 'asc' else 'lt'}:{page[-1].number}"
            size = PAGE

    @cached_property
    def _id(self) -> UUID | None:
        return find_model_id(self.name)

    def _created_id(self) -> UUID:
        if self._id is None:
            self._id = created_model_id(self.name)
        return self._id


def find_model_id(name: str) -> UUID | None:
    """Return the id of the model of exactly this name; ZenML's own look-up also takes a prefix of it."""
    found = Client().list_models(name=f"equals:{name}", size=1).items
    return found[0].id if found else None


def created_model_id(name: str) -> UUID:
    """Return the id of the model of this name, which is made where there is none."""
    try:
        return find_model_id(name) or Client().create_model(name).id
    except EntityExistsError:
        if made_meanwhile := find_model_id(name):
            return made_meanwhile
        raise


def journal(project_slug: str) -> Chain:
    """Return the chain of a project's evidence, approvals and refusals."""
    return Chain(f"{project_slug}.journal")


def stages(model_name: str) -> Chain:
    """Return the chain whose last event alone says which version of a model holds staging and production."""
    return Chain(f"{model_name}.stages")
