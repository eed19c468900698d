"""Accounts and secrets on a real open-source server: what its commands make, and what nobody there enforces."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from support.command_line import Governance
from support.scratch import scratch_project
from support.zenml_server import ADMIN, ZenMLServer
from zenml.exceptions import IllegalOperationError

from governance_core.access import access_table, account_commands

CANARY = "sesame-over-rest-4711"


def as_admin(server: ZenMLServer, commands: list[list[str]], folder: Path) -> str:
    """Run commands of ``zenml`` as the server's admin, all in one process, and return what they print."""
    script = "import json, sys\nfrom zenml.cli.cli import cli\n"
    script += "for arguments in json.loads(sys.argv[1]):\n    cli(arguments, standalone_mode=False)\n"
    variables = server.env() | {"ZENML_STORE_USERNAME": ADMIN, "ZENML_STORE_PASSWORD": server.password}
    del variables["ZENML_STORE_API_KEY"]
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, json.dumps(commands)],
        cwd=folder,
        env={"PATH": "/usr/bin:/bin", "HOME": str(folder)} | variables,
        input="\n",  # no password: the server answers with a link that activates the account
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_commands_make_accounts_whose_keys_the_server_takes_and_holds_to_no_role(
    zenml_server: ZenMLServer, tmp_path: Path
) -> None:
    from zenml.client import Client

    umask, *of_zenml = account_commands(access_table())
    assert umask == "umask 077"
    commands = [command.replace("NAME", "ada").split()[1:] for command in of_zenml]
    again = ["service-account", "api-key", "ci-staging", "rotate", "default", "--output-file", "ci-staging.key"]
    told = as_admin(zenml_server, [*commands, again], tmp_path)
    assert "Created user 'ada'" in told
    assert "activate-user" in told
    keys = {name: (tmp_path / f"{name}.key").read_text(encoding="utf-8") for name in ("ci-staging", "ci-production")}
    assert not [key for key in keys.values() if key in told]
    staging = replace(zenml_server, home=tmp_path, key=keys["ci-staging"], _singletons=(None, None, None))
    with zenml_server.connected():
        Client().create_secret("of-another-account", {"key": "value"})
        model = Client().create_model("of-another-account")
        version = Client().create_model_version(model.id, name="trained")
    with staging.connected():
        assert Client().active_user.name == "ci-staging"
        assert Client().get_secret("of-another-account").secret_values == {"key": "value"}
        Client().get_model_version(model.id, version.id).set_stage("production")  # this account is staging's
        with pytest.raises(IllegalOperationError, match="Only admin users can"):
            Client().create_service_account("of-a-job")
        Client().delete_secret("of-another-account")
        Client().delete_model(model.id)


def test_secrets_are_kept_over_rest_and_the_server_logs_no_value(
    zenml_server: ZenMLServer, tmp_path: Path, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.client import Client

    monkeypatch.setenv("SECRET_DISCORD_TOKEN", CANARY)
    with scratch_project(tmp_path / "p", alerter="discord", alert_channel="112233445566778899") as project:
        monkeypatch.chdir(project.root)
        with zenml_server.connected():
            assert governance("secrets", "plan")[0] == 3
            told = [*governance("secrets", "apply"), *governance("secrets", "rotate", "discord", "--json")]
            assert "created discord (token)" in told[1]
            assert "discord.token has this value already" in told[4]
            assert Client().get_secret("discord").secret_values == {"token": CANARY}
            monkeypatch.setenv("SECRET_DISCORD_TOKEN", f"new {CANARY}")
            told += governance("secrets", "rotate", "discord", "--json")
            assert Client().get_secret("discord").secret_values == {"token": f"new {CANARY}"}
            assert governance("secrets", "plan")[0] == 0
            Client().delete_secret("discord")
    assert CANARY not in "".join(map(str, told)) + zenml_server.log
    assert CANARY not in (zenml_server.home / "server.log").read_text(encoding="utf-8", errors="replace")
