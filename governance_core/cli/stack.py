"""`governance stack`: what the runs of an environment take to run on."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit

stack = typer.Typer(help="Register ZenML stacks, and check that they have what is asked.", no_args_is_help=True)
app.add_typer(stack, name="stack")


@stack.callback()
def group() -> None:
    """Keep each verb one of its own."""


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
