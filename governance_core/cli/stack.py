"""`governance stack`: what the runs of an environment take to run on."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson, DryRun
from governance_core.cli.output import emit

stack = typer.Typer(help="Register ZenML stacks, and check that they have what is asked.", no_args_is_help=True)
app.add_typer(stack, name="stack")


@stack.command(epilog="Example: governance stack register --environment staging")
def register(
    environment: Annotated[str, typer.Option(help="local, staging or production.")],
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Create or update in ZenML the stack and the components that an environment calls for."""
    from governance_core.project import find_root
    from governance_core.stacks import registering

    done = registering.register(find_root(), environment, dry_run=dry_run)
    emit(done.as_dict(), str(done), as_json)


@stack.command(epilog="Example: governance stack check --environment production")
def check(
    environment: Annotated[str, typer.Option(help="local, staging or production.")] = "local",
    as_json: AsJson = False,
) -> None:
    """Say whether the stack of an environment has what the answers and the policy ask."""
    from governance_core.project import find_root
    from governance_core.stacks import checking

    found = checking.check(find_root(), environment)
    emit(found.as_dict(), str(found), as_json)
