"""`governance model`: the versions of a model, and what is known of them."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from governance_core.cli.app import app
from governance_core.cli.options import AsJson, ModelName
from governance_core.cli.output import emit

model = typer.Typer(help="Show a model's versions.", no_args_is_help=True)
app.add_typer(model, name="model")


@model.command("list", epilog="Example: governance model list --limit 5")
def list_versions(
    model: ModelName = None,
    limit: Annotated[int, typer.Option(min=1, help="How many versions, the newest first.")] = 20,
    as_json: AsJson = False,
) -> None:
    """List a model's versions with stage, environment, metrics, gates and approvals."""
    from governance_core.lifecycle.catalogue import newest_entries
    from governance_core.project import find_root

    entries = [entry.as_dict() for entry in newest_entries(find_root(), model, limit)]
    rows = [("version", "stage", "environment", "gates", "approvals", "metrics"), *map(_row, entries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows]
    emit({"versions": entries}, "\n".join(lines), as_json)


@model.command(epilog="Example: governance model show --version 3")
def show(
    version: Annotated[int, typer.Option(help="The version's number.")],
    model: ModelName = None,
    as_json: AsJson = False,
) -> None:
    """Show one version: its stage, who trained it from what, its metrics, gates, artifacts and approvals."""
    from governance_core.lifecycle.catalogue import entry
    from governance_core.project import find_root

    found = entry(find_root(), model, version).as_dict()
    emit(found, "\n".join(f"{name.replace('_', ' '):12}{_shown(value)}" for name, value in found.items()), as_json)


def _row(entry: dict[str, Any]) -> tuple[str, ...]:
    return (
        str(entry["version"]),
        entry["stage"] or "none",
        entry["environment"] or "no evidence",
        _gates(entry["gates"]),
        str(len(entry["approvals"])),
        _shown(entry["metrics"]),
    )


def _gates(gates: dict[str, bool]) -> str:
    return f"{sum(gates.values())} of {len(gates)} passed" if gates else "none"


def _shown(value: Any) -> str:
    """Return a value in one line: people by their id, passed gates and metrics by name."""
    if isinstance(value, dict) and "verified" in value:
        from governance_core.registry.actors import Actor

        return str(Actor.from_dict(value))
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(item)}" for name, item in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(_shown, value)) or "none"
    if isinstance(value, bool):
        return "passed" if value else "failed"
    return f"{value:.4g}" if isinstance(value, float) else str("none" if value is None else value)
