"""`governance snapshot`: releases to an environment, and runs of them."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit

snapshot = typer.Typer(help="Release pipelines to an environment, and run what was released.", no_args_is_help=True)
app.add_typer(snapshot, name="snapshot")

Environment = Annotated[str, typer.Option(help="local, staging or production.")]


@snapshot.command(epilog="Example: governance snapshot create --pipeline training --environment staging --run")
def create(
    *,
    pipeline: Annotated[list[str], typer.Option(help="As run.py takes it; may be given several times.")],
    environment: Environment,
    run: Annotated[bool, typer.Option("--run", help="Run what was released.")] = False,
    unless_trained: Annotated[
        bool, typer.Option("--unless-trained", help="Do nothing where an eligible version of these files exists.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Release pipelines of what is checked out: record the commit and all that decides what it does."""
    from governance_core.project import find_root
    from governance_core.snapshots import releasing

    outcome = releasing.create(find_root(), pipeline, environment, _say, run=run, unless_trained=unless_trained)
    emit(outcome.as_dict(), outcome.said, as_json)


@snapshot.command(epilog="Example: governance snapshot run --pipeline batch_inference --environment production")
def run(
    *,
    pipeline: Annotated[str, typer.Option(help="As run.py takes it.")],
    environment: Environment,
    if_released: Annotated[
        bool, typer.Option("--if-released", help="Do nothing where nothing was released yet.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run a pipeline of the newest release."""
    from governance_core.project import find_root
    from governance_core.snapshots import releasing

    outcome = releasing.run(find_root(), pipeline, environment, _say, if_released=if_released)
    emit(outcome.as_dict(), outcome.said, as_json)
    raise typer.Exit(outcome.exit_code)


def _say(line: str) -> None:
    typer.echo(line, err=True)
