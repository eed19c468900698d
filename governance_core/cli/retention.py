"""`governance retention`: delete what nothing needs any more."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson, DryRun, ModelName
from governance_core.cli.output import emit


@app.command(epilog="Example: governance retention --keep-last 100 --dry-run")
def retention(
    keep_last: Annotated[int, typer.Option(help="How many finished runs of each pipeline stay in any case.")],
    model: ModelName = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Delete old runs with their artifacts and versions, never what a stage, its history or an approval needs."""
    from governance_core.lifecycle.retention import retain
    from governance_core.project import find_root

    deleted = retain(find_root(), keep_last, model=model, dry_run=dry_run)
    emit(deleted.as_dict(), str(deleted), as_json)
