"""`governance report`: pages for people, made from what was recorded."""

from __future__ import annotations

import os
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
    *,
    run: Annotated[UUID | None, typer.Option(help="Id of the run; else the model's newest.")] = None,
    pipeline: Annotated[str, typer.Option(help="Name of the training pipeline.")] = "training",
    page: Annotated[Format, typer.Option("--format", help="For a pull request, or for a browser.")] = Format.MARKDOWN,
    output: Annotated[Path | None, typer.Option(help="Write to this file instead of printing.")] = None,
    comment: Annotated[
        bool, typer.Option("--comment", help="In CI: as the one comment on the change request, of its commit's run.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Report a training run: its gates, metrics and provenance, or why it failed."""
    from governance_core.project import find_root, load_project
    from governance_core.reports import render_html, render_markdown, training_facts

    if comment:
        _comment(run, pipeline, as_json)
        return
    facts = training_facts(load_project(find_root()), run, pipeline)
    text = render_html(facts) if page is Format.HTML else render_markdown(facts)
    if output:
        output.parent.mkdir(parents=True, exist_ok=True)
        output.write_text(text, encoding="utf-8")
        text = f"The training report is in {output}"
    emit(facts.as_dict(), text.rstrip(), as_json)


def _comment(run: UUID | None, pipeline: str, as_json: bool) -> None:
    from governance_core.ci import current_run, forge
    from governance_core.project import find_root, load_project
    from governance_core.reports import comment_markdown, run_of_checkout, training_facts

    target = forge()
    target.require_change_request()  # before anything is read that takes long
    root = find_root()
    project = load_project(root)
    run = run or run_of_checkout(project, root, pipeline)
    facts = training_facts(project, run, pipeline) if run else None
    text = comment_markdown(facts, pipeline, current_run())
    if summary := os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(summary).open("a", encoding="utf-8") as file:
            file.write(text)
    address = target.comment(f"report.{pipeline}", text)
    emit({"comment": address, "report": facts and facts.as_dict()}, f"{text}\nThe comment is {address}", as_json)


@reports.command(epilog="Example: governance report monitoring --issue")
def monitoring(
    pipeline: Annotated[str, typer.Option(help="Name of the monitoring pipeline.")] = "monitoring",
    issue: Annotated[
        bool, typer.Option("--issue", help="In CI: open or update the one issue, if there is something to look at.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Report the newest monitoring run in production: drift, performance, and whether it failed or was lost."""
    from governance_core.ci import forge
    from governance_core.project import find_root, load_project
    from governance_core.reports import monitoring_facts, render_monitoring

    project = load_project(find_root())
    facts = monitoring_facts(project, pipeline)
    text, address = render_monitoring(facts).rstrip() if facts else "no monitoring run yet", None
    if issue and facts and facts.findings:
        address = forge().issue("monitoring", f"Monitoring of {project.model_name} found something", text)
        text += f"\n\nThe issue is {address}"
    emit({"report": facts and facts.as_dict(), "issue": address}, text, as_json)
