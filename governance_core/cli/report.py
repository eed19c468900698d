"""`governance report`: pages for people, made from what was recorded."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from uuid import UUID

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit

reports = typer.Typer(help="Pages for people, made from what was recorded.", no_args_is_help=True)
app.add_typer(reports, name="report")


class Format(StrEnum):
    """What a page is written in."""

    MARKDOWN = "markdown"
    HTML = "html"


@reports.command(epilog="Example: governance report training --format html --output build/report.html")
def training(
    run: Annotated[UUID | None, typer.Option(help="Id of the run; else the model's newest.")] = None,
    pipeline: Annotated[str, typer.Option(help="Name of the training pipeline.")] = "training",
    page: Annotated[Format, typer.Option("--format", help="For a pull request, or for a browser.")] = Format.MARKDOWN,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
    as_json: AsJson = False,
) -> None:
    """Report a training run: its gates, metrics and provenance, or why it failed."""
    from governance_core.project import find_root, load_project
    from governance_core.reports import render_html, render_markdown, training_facts

    facts = training_facts(load_project(find_root()), run, pipeline)
    text = render_html(facts) if page is Format.HTML else render_markdown(facts)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        text = f"The training report is in {output}"
    emit(facts.as_dict(), text.rstrip(), as_json)
