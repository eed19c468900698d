"""A trained project, put back to how training left it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy
from support.scratch import Scratch
from zenml.client import Client

from governance_core.ledger import Event
from governance_core.registry import chains, versions


def journal(scratch: Scratch) -> list[Event]:
    """Return the events of a project's journal."""
    return list(chains.journal(scratch.project.project_slug).events())


def model_of(scratch: Scratch) -> versions.Model:
    """Return a project's model."""
    return versions.find_model(scratch.project.model_name)


def model_files(scratch: Scratch, number: int) -> list[Path]:
    """Return the files of the model artifact that a version's run made."""
    evidence = next(event.body for event in journal(scratch) if event.body["number"] == number)
    uri = Client().get_artifact_version(evidence["models"][0]["artifact"]).uri
    return sorted(path for path in Path(uri).rglob("*") if path.is_file())


@contextmanager
def put_back(scratch: Scratch) -> Iterator[None]:
    """Afterwards undo what the block did to the project's repository, artifacts, journal, stages and versions."""
    commit = scratch.git("rev-parse", "HEAD")
    evidence = journal(scratch)
    files = {path: path.read_bytes() for event in evidence for path in model_files(scratch, event.body["number"])}
    model = model_of(scratch)
    last = next(versions.newest_versions(model)).number
    journal_name = f"{scratch.project.project_slug}.journal"
    journal_id = Client().get_model(journal_name).id
    with Client().zen_store.engine.connect() as connection:  # type: ignore[attr-defined]
        events = connection.execute(
            sqlalchemy.text("SELECT * FROM model_version WHERE model_id = :journal"), {"journal": journal_id.hex}
        )
        rows = [dict(row) for row in events.mappings()]
    try:
        yield
    finally:
        scratch.git("reset", "--quiet", "--hard", commit)
        scratch.git("clean", "--quiet", "--force", "-d")
        for path, content in files.items():
            path.write_bytes(content)
        Client().update_model(model.id, description="")
        if chains.find_model_id(f"{model.name}.stages"):
            Client().delete_model(f"{model.name}.stages")
        execute("UPDATE model_version SET stage = NULL WHERE model_id = :model", model=model.id.hex)
        execute("DELETE FROM model_version WHERE number > :last AND model_id = :model", last=last, model=model.id.hex)
        execute("UPDATE model SET name = :name WHERE id = :journal", name=journal_name, journal=journal_id.hex)
        execute("DELETE FROM model_version WHERE model_id = :journal", journal=journal_id.hex)
        columns = ", ".join(rows[0])
        values = ", ".join(f":{column}" for column in rows[0])
        for row in rows:
            execute(f"INSERT INTO model_version ({columns}) VALUES ({values})", **row)


def execute(statement: str, **values: object) -> None:
    """Change the store behind ZenML's back."""
    with Client().zen_store.engine.begin() as connection:  # type: ignore[attr-defined]
        assert connection.execute(sqlalchemy.text(statement), values).rowcount >= 0
