"""What the tests of the CI systems share: a real ZenML server, and projects that were set up."""

from __future__ import annotations

from collections.abc import Generator, Iterator

import pytest
from support.ci_project import CIProjects
from support.rendering import platform_repository
from support.zenml_server import ZenMLServer
from support.zenml_server import zenml_server as running_server


@pytest.fixture(scope="session")
def zenml_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZenMLServer]:
    """Return a real ZenML server with authentication on, one for this test process."""
    with running_server(tmp_path_factory.mktemp("server")) as server:
        yield server


@pytest.fixture
def over_rest(zenml_server: ZenMLServer) -> Iterator[ZenMLServer]:
    """Let this process use that server until the test ends."""
    with zenml_server.connected():
        yield zenml_server


@pytest.fixture(scope="session")
def ci_project(tmp_path_factory: pytest.TempPathFactory) -> CIProjects:
    """Return what makes a project of a CI system, set up and pushed; each once."""
    folder = tmp_path_factory.mktemp("ci")
    return CIProjects(platform_repository(folder / "platform"), folder)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show with a failure what the server and its jobs printed."""
    report = yield
    server = getattr(item, "funcargs", {}).get("zenml_server")
    if report.failed and server is not None:
        report.sections.append(("ZenML server", server.log[-20_000:]))
    return report
