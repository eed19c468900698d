"""A real ZenML server in its own process: with authentication, a service account, and stacks that run snapshots."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from unittest.mock import patch

from support.servers import eventually, free_port, read

ON_PATH = Path(__file__).parent / "on_path"
ADMIN = "admin"
ACCOUNT = "ci"
# What a job may say of ZenML beside where the server is.
QUIET = {
    "AUTO_OPEN_DASHBOARD": "false",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_AUTO_OPEN_DASHBOARD": "false",
    "ZENML_LOGGING_VERBOSITY": "ERROR",
}


@dataclass
class ZenMLServer:
    """A running server; ``key`` is that of its service account ``ci``, which is no admin.

    Its stacks ``staging`` and ``production`` are for runs of the client, ``pro-staging`` and ``pro-production`` for
    snapshots that the server runs. Everything that it writes stands below ``home``.
    """

    url: str
    home: Path
    password: str = field(repr=False)
    key: str = field(default="", repr=False)
    _singletons: tuple[Any, ...] = field(default=(None, None, None), repr=False)

    @property
    def log(self) -> str:
        """What the server and the jobs that it started have printed, without the requests that were answered."""
        texts = (path.read_text(encoding="utf-8", errors="replace") for path in sorted(self.home.glob("*.log")))
        lines = (line for text in texts for line in text.splitlines())
        return "\n".join(line for line in lines if "uvicorn.access" not in line)

    def env(self, pro: bool = False) -> dict[str, str]:
        """Return the variables of a client process, which gets a configuration of its own.

        Args:
            pro: with the stacks on which the server runs snapshots, and the path of their code.
        """
        prefix = "pro-" if pro else ""
        variables = {
            "ZENML_CONFIG_PATH": tempfile.mkdtemp(prefix="client-", dir=self.home),
            "ZENML_STORE_URL": self.url,
            "ZENML_STORE_API_KEY": self.key,
            "ZENML_STAGING_STACK": f"{prefix}staging",
            "ZENML_PRODUCTION_STACK": f"{prefix}production",
        }
        return QUIET | variables | ({"PYTHONPATH": str(ON_PATH)} if pro else {})

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Let this process use the server as its service account until the block ends, and then its store again."""
        from zenml.client import Client
        from zenml.config.global_config import GlobalConfiguration
        from zenml.login.credentials_store import CredentialsStore

        def exchange(client: Any, configuration: Any, credentials: Any) -> tuple[Any, Any, Any]:
            # GlobalConfiguration's own reset would write what it is given to where this process has moved.
            before = (Client._global_client, GlobalConfiguration._global_config, CredentialsStore._instance())
            Client._reset_instance(client)
            GlobalConfiguration._global_config = configuration
            CredentialsStore._clear(credentials)
            return before

        source_root = self.home / "source_root"
        (source_root / ".zen").mkdir(parents=True, exist_ok=True)
        variables = self.env(pro=True) | {
            "ZENML_CONFIG_PATH": str(self.home / "client"),
            "ZENML_REPOSITORY_PATH": str(source_root),
        }
        del variables["PYTHONPATH"]
        with patch.dict(os.environ, variables), patch.object(sys, "path", [*sys.path, str(ON_PATH)]):
            os.environ.pop("ZENML_ACTIVE_STACK_ID", None)
            before = exchange(*self._singletons)
            try:
                yield
            finally:
                self._singletons = exchange(*before)

    def call(self, path: str, token: str | None = None, form: bool = False, **body: Any) -> dict[str, Any]:
        """Post to the server's interface and return what it answers."""
        data = urllib.parse.urlencode(body) if form else json.dumps(body)
        headers = {"Content-Type": f"application/{'x-www-form-urlencoded' if form else 'json'}"}
        headers |= {"Authorization": f"Bearer {token}"} if token else {}
        asked = urllib.request.Request(f"{self.url}/api/v1/{path}", data.encode(), headers)
        with urllib.request.urlopen(asked, timeout=30) as answer:
            answered: dict[str, Any] = json.load(answer)
            return answered


@contextmanager
def zenml_server(home: Path) -> Iterator[ZenMLServer]:
    """Run a server until the block ends; what it printed is shown where it does not start.

    Args:
        home: an empty folder for all that it writes.
    """
    port = free_port()
    server = ZenMLServer(f"http://127.0.0.1:{port}", home, secrets.token_urlsafe())
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "zenml.zen_server.zen_server_api:app", "--port", str(port)],
            env=_environment(server),
            cwd=home,
            stdout=log,
            stderr=log,
        )
    try:
        eventually(lambda: read(f"{server.url}/health") or process.poll() is not None)
        assert process.poll() is None, server.log
        _open_account(server)
        with server.connected():
            _make_stacks(home / "stores")
        yield server
    finally:
        process.terminate()
        process.wait(30)


def _environment(server: ZenMLServer) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("ZENML_")}
    return (
        inherited
        | QUIET
        | {
            "HOME": str(server.home),
            "TMPDIR": str(server.home),
            "PYTHONPATH": str(ON_PATH),
            "PROCESS_STACK_LOG": str(server.home / "jobs.log"),
            "ZENML_CONFIG_PATH": str(server.home / "server"),
            "ZENML_DEFAULT_USER_NAME": ADMIN,
            "ZENML_DEFAULT_USER_PASSWORD": server.password,
            "ZENML_SERVER": "true",
            "ZENML_SERVER_AUTH_SCHEME": "OAUTH2_PASSWORD_BEARER",
            "ZENML_SERVER_AUTO_ACTIVATE": "true",
            "ZENML_SERVER_SERVER_URL": server.url,
            "ZENML_SERVER_WORKLOAD_MANAGER_IMPLEMENTATION_SOURCE": "process_stack.WorkloadManager",
        }
    )


def _open_account(server: ZenMLServer) -> None:
    token = server.call("login", form=True, username=ADMIN, password=server.password)["access_token"]
    account = server.call("service_accounts", token, name=ACCOUNT, active=True)
    server.key = server.call(f"service_accounts/{account['id']}/api_keys", token, name=ACCOUNT)["body"]["key"]


def _make_stacks(stores: Path) -> None:
    from process_stack import FLAVORS
    from zenml.client import Client
    from zenml.enums import StackComponentType as Kind

    client = Client()
    for flavor in FLAVORS:  # registered as ZenML's own are: it refuses to run snapshots on a team's flavors
        client.zen_store.create_flavor(flavor().to_model(integration="process_stack", is_custom=False))
    client.create_stack_component("process", "process", Kind.ORCHESTRATOR, {})
    client.create_stack_component("none", "none", Kind.IMAGE_BUILDER, {})
    client.create_stack_component("unused", "default", Kind.CONTAINER_REGISTRY, {"uri": "registry.invalid/unused"})
    containers = {Kind.ORCHESTRATOR: "process", Kind.IMAGE_BUILDER: "none", Kind.CONTAINER_REGISTRY: "unused"}
    for name, flavor, others in [
        ("staging", "local", {Kind.ORCHESTRATOR: "default"}),
        ("production", "local", {Kind.ORCHESTRATOR: "default"}),
        ("pro-staging", "shared", containers),
        ("pro-production", "shared", containers),
    ]:
        (stores / name).mkdir(parents=True)
        client.create_stack_component(name, flavor, Kind.ARTIFACT_STORE, {"path": str(stores / name)})
        client.create_stack(name, {**others, Kind.ARTIFACT_STORE: name})
