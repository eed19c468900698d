"""`governance policy`: what must hold here, and who says so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit
from governance_core.core import UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from governance_core.policy import EffectivePolicy

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
    from governance_core.project import find_root, load_project

    root = find_root()
    held = _held(root, environment)
    values = held.by_key()
    width = max(map(len, values))
    lines = [f"{key:{width}}  {_shown(value)}  ({source})" for key, (value, source) in values.items()]
    title = f"policy of {load_project(root).project_slug}, {environment}, risk tier {held.risk_tier}"
    emit(held.as_dict() | {"hash": held.hash}, "\n".join([title, *lines, f"hash {held.hash}"]), as_json)


def policy_here(environment: str) -> EffectivePolicy:
    """Return the policy of the project that holds the working directory; outside a project the baseline.

    Raises:
        UsageError: if the environment is unknown, or the project or its governance.yaml cannot be read.
        Refused: if governance.yaml is laxer than the baseline.
    """
    from governance_core.policy import effective
    from governance_core.project import find_root

    try:
        root = find_root()
    except UsageError:
        return effective(environment, "minimal")
    return _held(root, environment)


def _held(root: Path, environment: str) -> EffectivePolicy:
    from governance_core.policy import GOVERNANCE_FILE, effective, load_governance_file
    from governance_core.project import load_project

    project = load_project(root)
    return effective(environment, project.risk_tier, load_governance_file(root / GOVERNANCE_FILE), project.problem)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_shown(rule)}" for name, rule in value.items()) or "required"
    return (", ".join(map(str, value)) or "none") if isinstance(value, list) else str(value)
