"""`governance runs`: what happened to the project's runs."""

from __future__ import annotations

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit

runs = typer.Typer(help="Look after the runs of this project.", no_args_is_help=True)
app.add_typer(runs, name="runs")


@runs.command(epilog="Example: governance runs settle --json")
def settle(as_json: AsJson = False) -> None:
    """Send the notices that are due by the stored final status, and report lost runs; safe to call at any time."""
    from governance_core.lifecycle.settle import settle as settle_runs
    from governance_core.project import find_root, load_project

    project = load_project(find_root())
    notices = settle_runs(project.project_slug, project.model_name)
    data = {"notices": [notice.as_dict() for notice in notices]}
    emit(data, f"{len(notices)} notices sent" if notices else "no notice is due", as_json)
