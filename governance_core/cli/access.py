"""`governance access`: who may do what, and how a ZenML server is told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from governance_core.cli.app import app
from governance_core.cli.options import AsJson
from governance_core.cli.output import emit

if TYPE_CHECKING:
    from governance_core.access import AccessTable

WITHOUT_ROLES = (
    "ZenML without Pro has no roles: on the server that holds staging and production every account may do all."
)


@app.command(epilog="Example: governance access --json")
def access(as_json: AsJson = False) -> None:
    """Show the roles, and what sets them up on ZenML Pro (with snapshot_mode pro) or on an open-source server."""
    from governance_core.access import access_table, account_commands, model_commands
    from governance_core.project import find_root, load_project

    project, table = load_project(find_root()), access_table()
    pro = project.snapshot_mode == "pro"
    commands = model_commands(project.model_name, project.project_slug) if pro else account_commands(table)
    lines = [*_roles(table), "", *(_permissions(table) if pro else _accounts(table)), *commands]
    emit({"roles": table.as_dict(), "commands": commands}, "\n".join(lines), as_json)


def _roles(table: AccessTable) -> Iterator[str]:
    for name, role in table.roles.items():
        yield f"{name}: {role.is_}"
        yield f"    may   {', '.join(f'{resource} {right}' for resource, right in role.may.items())}"
        if verbs := table.verbs_of(name):
            yield f"    calls {', '.join(verbs)}"


def _permissions(table: AccessTable) -> Iterator[str]:
    from governance_core.access import by_level

    yield "Custom roles of ZenML Pro, one for the workspace and one for the project each:"
    for name in table.roles:
        for level, permissions in by_level(table.permissions(name)).items():
            listed = "; ".join(f"{kind} {', '.join(actions)}" for kind, actions in permissions.items())
            yield f"    {name}, {level}: {listed or 'none'}"
    yield "Whoever makes a model may do all with it, so a platform engineer makes these before anybody trains:"


def _accounts(table: AccessTable) -> Iterator[str]:
    yield WITHOUT_ROLES
    for name, role in table.roles.items():
        yield f"    {name}: {'no account; ' if role.account == 'none' else ''}{role.why}"
    yield "An admin of the server runs:"
