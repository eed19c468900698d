"""The command line in this process."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from governance_core.cli.app import main

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
