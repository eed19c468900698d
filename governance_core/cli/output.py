"""How a verb answers: text for people, one JSON document for programs."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]


def emit(data: dict[str, Any], text: str, as_json: bool) -> None:
    """Print ``data`` as JSON where that was asked for, else ``text``."""
    typer.echo(json.dumps(data, ensure_ascii=False, indent=2) if as_json else text)
