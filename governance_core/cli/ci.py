"""`governance ci`: what only a CI job has to say."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit

ci = typer.Typer(help="What only a CI job has to say.", no_args_is_help=True)
app.add_typer(ci, name="ci")


@ci.callback()
def group() -> None:
    """Keep `alert` a verb of its own: typer folds a group of one command into the group."""


@ci.command(epilog="Example: governance ci alert --job monitor")
def alert(
    job: Annotated[str, typer.Option(help="Name of the job that failed.")],
    as_json: AsJson = False,
) -> None:
    """Open an issue that says that a scheduled job failed; one issue a job, updated while it is open."""
    from governance_core.ci import alert_of_job

    address = alert_of_job(job)
    emit({"job": job, "issue": address}, f"the issue of {job} is {address}", as_json)
