"""The command line in this process."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import pytest
import typer

from governance_core.cli.app import VERBS, app, main

Governance = Callable[..., tuple[int, str, str]]


def command_line(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Governance:
    """Return what runs ``governance`` with arguments and returns its exit code, stdout and stderr."""

    def run(*arguments: object) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["governance", *map(str, arguments)])
        capsys.readouterr()  # what was printed before
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def parse(arguments: list[str], command: Any = None) -> None:
    """Parse the arguments of a verb without running it; a slip ends the test with click's own message."""
    for verbs in VERBS:
        import_module(f"governance_core.cli.{verbs}")
    command = command or typer.main.get_command(app)
    while hasattr(command, "commands"):
        command, arguments = command.commands[arguments[0]], arguments[1:]
    command.make_context(command.name, list(arguments))
