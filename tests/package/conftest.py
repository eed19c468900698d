"""What many tests of the package share: the command line, and three versions that are trained once and put back."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support.alerters import KeepingAlerter, KeepingAlerterFlavor, stack_with_alerter
from support.forge import Enter, Forge
from support.scratch import Scratch

if TYPE_CHECKING:
    import pyarrow as pa


@pytest.fixture(scope="session")
def three_versions(store: Path, tmp_path_factory: pytest.TempPathFactory) -> Scratch:  # noqa: ARG001
    """Return a project whose model has versions 1 to 3, each made by a governed run of one commit."""
    from support.scratch import scratch_project

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOVERNANCE_ACTOR", "trainer@example.com")
        patch.setenv("GOVERNANCE_ENVIRONMENT", "staging")
        with scratch_project(tmp_path_factory.mktemp("trained") / "project") as scratch:
            for _ in range(3):
                scratch.module.training()
    return scratch


@pytest.fixture
def trained(three_versions: Scratch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """Return that project as it was after training: nobody holds a stage, and the journal holds the evidence."""
    from support.trained import put_back

    monkeypatch.setenv("GOVERNANCE_ACTOR", "trainer@example.com")
    with put_back(three_versions):
        yield three_versions


@pytest.fixture(scope="session")
def spark() -> Iterator[Any]:
    """Return the session's Spark."""
    from support.engines import spark_session

    with spark_session() as session:
        yield session


@pytest.fixture
def held_by(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str, pa.Table], Any]:
    """Return what turns a table into the frame of an engine of `support.engines.ENGINES`, or into files of it."""
    from support.engines import as_engine

    def convert(engine: str, table: pa.Table) -> Any:
        return as_engine(engine, table, tmp_path, lambda: request.getfixturevalue("spark"))

    return convert


@pytest.fixture
def alerter(store: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[KeepingAlerter]]:  # noqa: ARG001
    """Return the alerter of the active stack."""
    from zenml.client import Client
    from zenml.enums import StackComponentType

    if not Client().list_flavors(name="keeping"):
        Client().create_flavor(f"{KeepingAlerterFlavor.__module__}.KeepingAlerterFlavor", StackComponentType.ALERTER)
    monkeypatch.setattr(KeepingAlerter, "posted", [])
    monkeypatch.setattr(KeepingAlerter, "answer", staticmethod(lambda: True))
    with stack_with_alerter("keeping", "keeping"):
        yield KeepingAlerter


@pytest.fixture
def forge() -> Iterator[Forge]:
    """Return a stand-in of GitHub and GitLab."""
    with Forge() as forge:
        yield forge


@pytest.fixture
def enter(forge: Forge, monkeypatch: pytest.MonkeyPatch) -> Enter:
    """Return what puts this process into a job of a CI system whose repository is on the stand-in."""
    return partial(forge.enter, monkeypatch)
