"""`governance secrets`: which ZenML secrets must exist, and their values from where they are kept."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit
from governance_core.core import Refused

secrets = typer.Typer(help="Keep the ZenML secrets that the project declares.", no_args_is_help=True)
app.add_typer(secrets, name="secrets")

Folder = Annotated[
    Path | None,
    typer.Option(
        "--from", help="A folder whose files NAME.KEY hold the values; else variables SECRET_<NAME>_<KEY> do."
    ),
]


@secrets.command(epilog="Example: governance secrets plan --json")
def plan(as_json: AsJson = False) -> None:
    """Show what is declared, missing, or older than the policy allows; exit 3 if something is missing."""
    from governance_core.project import find_root
    from governance_core.secrets import keeping

    planned = keeping.plan(find_root())
    emit(planned.as_dict(), str(planned), as_json)
    if planned.missing:
        raise typer.Exit(Refused.exit_code)


@secrets.command(epilog="Example: governance secrets apply --from /run/secrets")
def apply(folder: Folder = None, as_json: AsJson = False) -> None:
    """Create what is missing and keep what is there; exit 3 if a value was not given."""
    from governance_core.project import find_root
    from governance_core.secrets import keeping

    applied = keeping.apply(find_root(), folder)
    emit(applied.as_dict(), str(applied), as_json)
    if applied.lacking:
        raise typer.Exit(Refused.exit_code)


@secrets.command(epilog="Example: governance secrets rotate warehouse password --from /run/secrets")
def rotate(
    name: Annotated[str, typer.Argument(help="A declared secret.")],
    keys: Annotated[list[str] | None, typer.Argument(metavar="[KEY]...", help="All its keys by default.")] = None,
    folder: Folder = None,
    as_json: AsJson = False,
) -> None:
    """Replace values by new ones, all of them or none, and say what uses them."""
    from governance_core.project import find_root
    from governance_core.secrets import keeping

    rotated = keeping.rotate(find_root(), name, keys or (), folder)
    emit(rotated.as_dict(), str(rotated), as_json)
