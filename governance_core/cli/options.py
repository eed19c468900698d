"""The options that several verbs take."""

from __future__ import annotations

from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
ModelName = Annotated[str | None, typer.Option("--model", help="A registered model; the project's by default.")]
Reason = Annotated[str, typer.Option(help="Why; recorded in the ledger.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would happen and change nothing.")]
