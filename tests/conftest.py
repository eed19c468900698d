"""One ZenML store for the whole session, copied from a prepared database."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from support.command_line import Governance
    from support.scratch import Scratch

ROOT = Path(__file__).parent.parent
DATABASE = Path("local_stores/default_zen_store/zenml.db")
QUIET_ZENML = {
    "AUTO_OPEN_DASHBOARD": "false",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_AUTO_OPEN_DASHBOARD": "false",
    "ZENML_DISABLE_PIPELINE_LOGS_STORAGE": "true",
    "ZENML_DISABLE_STEP_LOGS_STORAGE": "true",
    "ZENML_ENABLE_REPO_INIT_WARNINGS": "false",
    "ZENML_LOGGING_VERBOSITY": "ERROR",
}
os.environ.update(QUIET_ZENML)
# The same cases wherever and however slowly the tests run.
hypothesis.settings.register_profile(
    "tests",
    database=None,
    deadline=None,
    derandomize=True,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("tests")


def pytest_configure() -> None:
    """Refuse to test the working tree: a gate is known by the distribution it was installed from."""
    import governance_core

    if Path(governance_core.__file__).is_relative_to(ROOT / "governance_core"):
        raise pytest.UsageError("governance_core is imported from the working tree; run the tests with `make test`")


@pytest.fixture(scope="session")
def prepared_database() -> Path:
    """Return an initialised ZenML database, made once for each ZenML version (about 2 CPU seconds)."""
    home = ROOT / "build" / f"zenml-{version('zenml')}"
    home.parent.mkdir(exist_ok=True)
    with FileLock(home.with_suffix(".lock")):  # the test processes start together
        if not (home / DATABASE).is_file():
            shutil.rmtree(home, ignore_errors=True)
            script = "from zenml.client import Client; Client().active_stack_model"
            env = os.environ | {"ZENML_CONFIG_PATH": str(home)}
            subprocess.run([sys.executable, "-c", script], env=env, cwd=home.parent, check=True, capture_output=True)
    return home / DATABASE


@pytest.fixture(scope="session")
def zenml_home(prepared_database: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a configuration directory with a fresh store, for this process and for those that tests start."""
    home = tmp_path_factory.mktemp("zenml")
    (home / DATABASE).parent.mkdir(parents=True)
    shutil.copy(prepared_database, home / DATABASE)
    return home


@pytest.fixture(scope="session")
def store(zenml_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Point this process at the session's store; every test that uses ZenML asks for it."""
    from zenml.client import Client
    from zenml.config.global_config import GlobalConfiguration

    source_root = tmp_path_factory.mktemp("source_root")
    (source_root / ".zen").mkdir()  # else ZenML looks for the file of the main module, and a test process has none
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ZENML_CONFIG_PATH", str(zenml_home))
        patch.setenv("ZENML_REPOSITORY_PATH", str(source_root))
        # A test without this store may have made them, from the configuration of whoever runs the tests.
        Client._reset_instance()
        GlobalConfiguration._reset_instance()
        yield zenml_home


def pytest_sessionfinish(session: pytest.Session) -> None:
    """With REQUIRE_ALL a skip is a failure: where everything is installed nothing may be left untested."""
    if os.environ.get("REQUIRE_ALL") != "1" or session.exitstatus != pytest.ExitCode.OK:
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped"):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def scratch(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:  # noqa: ARG001
    """Return a small governed project whose steps this process imports, and which submits to staging."""
    from support.scratch import scratch_project

    monkeypatch.setenv("GOVERNANCE_ACTOR", "trainer@example.com")
    monkeypatch.setenv("GOVERNANCE_ENVIRONMENT", "staging")
    with scratch_project(tmp_path / "scratch") as project:
        yield project


@pytest.fixture
def governance(
    store: Path,  # noqa: ARG001 - a verb may set ZenML up, and must not do it in the home folder for the whole process
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Governance:
    """Return the command line, to be called with the words behind ``governance``."""
    from support.command_line import command_line

    return command_line(monkeypatch, capsys)
