"""`governance policy`: what must hold here, and who says so."""

from __future__ import annotations

from typing import Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit

policy = typer.Typer(help="Show what must hold.", no_args_is_help=True)
app.add_typer(policy, name="policy")


@policy.callback()
def group() -> None:
    """Keep `show` a verb of its own: typer folds a group of one command into the group."""


@policy.command(epilog="Example: governance policy show --environment production")
def show(
    environment: Annotated[str, typer.Option(help="local, staging or production.")] = "local",
    as_json: AsJson = False,
) -> None:
    """Show each value of the effective policy, where it comes from, and the hash of all values."""
    from governance_core.policy import GOVERNANCE_FILE, effective, load_governance_file
    from governance_core.project import find_root, load_project

    root = find_root()
    project = load_project(root)
    asked = load_governance_file(root / GOVERNANCE_FILE)
    held = effective(environment, project.risk_tier, asked, project.problem)
    values = held.by_key()
    width = max(map(len, values))
    lines = [f"{key:{width}}  {_shown(value)}  ({source})" for key, (value, source) in values.items()]
    title = f"policy of {project.project_slug}, {environment}, risk tier {held.risk_tier}"
    emit(held.as_dict() | {"hash": held.hash}, "\n".join([title, *lines, f"hash {held.hash}"]), as_json)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(rule)}" for name, rule in value.items()) or "required"
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
