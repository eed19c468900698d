"""`governance ledger`: what happened, whether the record holds, and how to restore it."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson, ModelName, Reason
from governance_core.cli.output import emit
from governance_core.core import Refused

ledger = typer.Typer(help="What happened, whether it holds, and how to restore it.", no_args_is_help=True)
app.add_typer(ledger, name="ledger")


@ledger.command(epilog="Example: governance ledger log --limit 5")
def log(
    model: ModelName = None,
    limit: Annotated[int, typer.Option(min=1, help="How many events at most.")] = 20,
    as_json: AsJson = False,
) -> None:
    """Show the latest events of a model's stages and of the project's journal, newest first."""
    from governance_core.lifecycle.history import latest_events, summary
    from governance_core.project import find_root

    events = latest_events(find_root(), model, limit)
    emit({"events": [event.as_dict() for event in events]}, "\n".join(map(summary, events)), as_json)


@ledger.command(epilog="Example: governance ledger verify --json")
def verify(model: ModelName = None, as_json: AsJson = False) -> None:
    """Check every event of both chains, and the registry's stages against them; exit 3 where something differs."""
    from governance_core.lifecycle.verification import verify_ledger
    from governance_core.project import find_root

    found = verify_ledger(find_root(), model)
    emit(found.as_dict(), str(found), as_json)
    if found.violations:
        raise typer.Exit(Refused.exit_code)


@ledger.command(epilog='Example: governance ledger repair --reason "stage set by hand in the dashboard"')
def repair(
    model: ModelName = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Put the registry's stages back to what the ledger says."""
    from governance_core.lifecycle.repair import repair as repair_stages
    from governance_core.project import find_root

    outcome = repair_stages(find_root(), model=model, reason=reason)
    text = "the registry has what the ledger says; nothing was changed"
    if outcome:
        text = f"the registry has again what the ledger says (event {outcome.seq} of {outcome.chain})"
    emit({"event": outcome and outcome.citation}, text, as_json)
