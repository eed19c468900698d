"""How a verb answers: text for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from contextvars import ContextVar
from typing import Any, TextIO

import typer

from governance_core.core import GovernanceError, Refused

_answers: ContextVar[TextIO | None] = ContextVar("answers", default=None)


def emit(data: dict[str, Any], text: str, as_json: bool) -> None:
    """Print ``data`` as JSON where that was asked for, else ``text``."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2) if as_json else text, file=_answers.get())


def fail(error: Exception, as_json: bool) -> int:
    """Say on stderr, and where JSON was asked for in the document too, what went wrong; return the exit code."""
    message, code = f"unexpected {type(error).__name__}: {error}; `governance --debug` shows where", 1
    if isinstance(error, GovernanceError):
        message, code = str(error), error.exit_code
    if as_json:
        violations = [found.as_dict() for found in error.violations] if isinstance(error, Refused) else []
        emit({"error": message, "exit_code": code, "violations": violations}, message, as_json)
    typer.echo(f"error: {message}", err=True)
    return code


@contextmanager
def answers_only() -> Iterator[None]:
    """Send to stderr what libraries print (ZenML logs to stdout); stdout is left to what `emit` prints."""
    token = _answers.set(sys.stdout)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        _answers.reset(token)
