"""Model versions and their stages in ZenML's registry. Numbers are for people; everything is compared by id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from zenml.client import Client
from zenml.models import ModelVersionResponse

from governance_core.core import UsageError
from governance_core.ledger import STAGES, Event, Holder

PAGE = 50
NOTE = re.compile(r"^governance ledger: event (?P<seq>\d+) (?P<hash>sha256:[0-9a-f]{64})$", re.MULTILINE)


@dataclass(frozen=True)
class Model:
    """A registered model; ``description`` is the team's text, with one line of ours in it (see `note_head`)."""

    id: UUID
    name: str
    description: str

    def noted_head(self) -> Mapping[str, Any] | None:
        """Return sequence number and hash of the stage event that stands in the description, None without one."""
        found = NOTE.search(self.description)
        return {"seq": int(found["seq"]), "hash": found["hash"]} if found else None


@dataclass(frozen=True)
class ModelVersion:
    """A version of a model; ``stage`` is None, staging, production or archived."""

    id: str
    number: int
    stage: str | None

    @property
    def holder(self) -> Holder:
        """The version as a stage event names it."""
        return Holder(id=self.id, number=self.number)


def find_model(name: str) -> Model:
    """Return the model of exactly this name.

    Raises:
        UsageError: if there is none.
    """
    found = Client().list_models(name=f"equals:{name}", size=1, hydrate=True).items
    if not found:
        raise UsageError(f"there is no model {name} in the ZenML project {Client().active_project.name}")
    return Model(found[0].id, found[0].name, found[0].description or "")


def find_version(model: Model, number: int) -> ModelVersion:
    """Return a model's version by its number.

    Raises:
        UsageError: if there is none.
    """
    found = Client().list_model_versions(model=model.id, number=number, size=1).items
    if not found:
        raise UsageError(f"model {model.name} has no version {number}")
    return _version(found[0])


def find_version_by_id(version_id: str) -> ModelVersion | None:
    """Return a version by its id, None where it was deleted."""
    try:
        return _version(Client().zen_store.get_model_version(UUID(version_id), hydrate=False))
    except KeyError:
        return None


def newest_versions(model: Model) -> Iterator[ModelVersion]:
    """Yield a model's versions, highest number first; reads a page at a time, so stop early."""
    number: str | None = None
    while True:
        page = Client().list_model_versions(model=model.id, sort_by="desc:number", number=number, size=PAGE).items
        yield from map(_version, page)
        if len(page) < PAGE:
            return
        number = f"lt:{page[-1].number}"


def stage_holders(model: Model) -> dict[str, list[ModelVersion]]:
    """Return every version that the registry has in staging and in production, read in one query.

    ZenML does not keep two versions from holding one stage, so a list it is.
    """
    one_of = 'oneof:["' + '", "'.join(STAGES) + '"]'
    found = Client().list_model_versions(model=model.id, stage=one_of, size=PAGE).items
    versions = [_version(version) for version in found]
    return {stage: [version for version in versions if version.stage == stage] for stage in STAGES}


def set_stage(version_id: str, stage: str, replace: bool) -> None:
    """Move a version to a stage, and with ``replace`` whoever holds it to the archive, in one transaction.

    Raises:
        KeyError: if the version was deleted.
        RuntimeError: if the stage is held and ``replace`` is false.
    """
    # ZenML refuses a second archived version without force, though an archive holds many.
    Client().update_model_version(UUID(version_id), UUID(version_id), stage=stage, force=replace or stage == "archived")


def note_head(model: Model, head: Event) -> None:
    """Write the head of the stage chain into the model's description.

    It is a tripwire for a chain that was cut or renamed, and never asked who holds a stage.
    """
    current = Client().get_model(model.id).description or ""
    note = f"governance ledger: event {head.seq} {head.hash}"
    text = NOTE.sub(note, current, count=1) if NOTE.search(current) else f"{current}\n\n{note}".strip()
    Client().update_model(model.id, description=text)


def _version(found: ModelVersionResponse) -> ModelVersion:
    stage = None if found.stage in (None, "none") else str(found.stage)
    return ModelVersion(str(found.id), found.number, stage)
