"""`governance image`: the container image that the steps run in."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit

image = typer.Typer(help="Build the container image that the steps run in.", no_args_is_help=True)
app.add_typer(image, name="image")


@image.callback()
def _image() -> None:
    """Keep `build` a word of its own: typer would take a group of one command for that command."""


@image.command(epilog="Example: governance image build --environment production")
def build(
    *,
    environment: Annotated[str, typer.Option(help="staging or production: whose stack has the container registry.")],
    unless_built: Annotated[
        bool, typer.Option("--unless-built", help="Do nothing where an image of this lock and Dockerfile is recorded.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Build governance/docker/Dockerfile, push it to the registry of the environment's stack, and record its digest."""
    from governance_core import images
    from governance_core.project import find_root

    outcome = images.build(find_root(), environment, _say, unless_built=unless_built)
    emit(outcome.as_dict(), outcome.said, as_json)


def _say(line: str) -> None:
    typer.echo(line, err=True)
