"""Who may do what: the roles of a project, and what of them a ZenML server can hold people to."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib import resources
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, model_validator

Rights = dict[str, str]  # one right by resource
Permissions = dict[str, list[str]]  # ZenML's actions by ZenML's resource type
# ZenML Pro has roles on two levels: what belongs to no project is a matter of the workspace.
OF_THE_WORKSPACE = frozenset(
    {"flavor", "project", "secret", "service_account", "service_connector", "stack", "stack_component", "tag"}
)


class _Frozen(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Role(_Frozen):
    """What a role is for, its rights, and what it has on an open-source server that holds staging and production."""

    is_: Annotated[str, Field(alias="is")]
    may: Rights
    account: Literal["admin", "service", "none"]
    why: str


class Verb(_Frozen):
    """A verb that writes: the rights that it needs, and the roles that call it."""

    needs: Rights
    by: tuple[str, ...] = Field(min_length=1)


class AccessTable(_Frozen):
    """The contents of roles.yaml."""

    resources: dict[str, dict[str, Permissions]]
    roles: dict[str, Role]
    verbs: dict[str, Verb]
    reads: tuple[str, ...]

    @model_validator(mode="after")
    def _whoever_calls_a_verb_has_what_it_needs(self) -> Self:
        for verb, entry in self.verbs.items():
            for role in entry.by:
                if lacking := [resource for resource in entry.needs if not self._has(role, resource, entry.needs)]:
                    raise ValueError(f"{role} may call {verb} and lacks rights of {', '.join(lacking)}")
        return self

    def permissions(self, role: str) -> Permissions:
        """Return what a role may do in ZenML's terms, each type and each action once, in order."""
        granted: dict[str, set[str]] = {}
        for resource, right in self.roles[role].may.items():
            for step in self._steps(resource, right):
                for kind, actions in self.resources[resource][step].items():
                    granted.setdefault(kind, set()).update(actions)
        return {kind: sorted(actions) for kind, actions in sorted(granted.items())}

    def verbs_of(self, role: str) -> list[str]:
        """Return the verbs that a role calls."""
        return [verb for verb, entry in self.verbs.items() if role in entry.by]

    def as_dict(self) -> dict[str, Any]:
        """Return the roles as JSON, with their permissions and verbs."""
        return {
            name: role.model_dump(by_alias=True) | {"zenml": self.permissions(name), "verbs": self.verbs_of(name)}
            for name, role in self.roles.items()
        }

    def _steps(self, resource: str, right: str) -> list[str]:
        rights = list(self.resources[resource])
        return rights[: rights.index(right) + 1]

    def _has(self, role: str, resource: str, needs: Rights) -> bool:
        held = self.roles[role].may.get(resource)
        return held is not None and needs[resource] in self._steps(resource, held)


@cache
def access_table() -> AccessTable:
    """Return the roles that ship with the package."""
    text = resources.files("governance_core.access").joinpath("roles.yaml").read_text(encoding="utf-8")
    return AccessTable.model_validate(yaml.safe_load(text))


def markdown(table: AccessTable) -> str:
    """Return the roles and the verbs as the tables of a page."""
    names = list(table.roles)
    roles = [
        ["role", "is", *table.resources],
        *([name, role.is_, *(role.may.get(one, "-") for one in table.resources)] for name, role in table.roles.items()),
    ]
    verbs = [
        ["verb", *names],
        *(
            [f"`{verb}`", *("yes" if name in entry.by else "-" for name in names)]
            for verb, entry in table.verbs.items()
        ),
    ]
    return "\n\n".join("\n".join(_rows(rows)) for rows in (roles, verbs))


def account_commands(table: AccessTable) -> list[str]:
    """Return what an admin of an open-source server runs for the roles that have an account there."""
    commands = {
        "admin": "zenml user create NAME --is_admin",
        "service": "zenml service-account create {name} --output-file {name}.key",
    }
    accounts = [
        commands[role.account].format(name=name) for name, role in table.roles.items() if role.account in commands
    ]
    return ["umask 077", *accounts]  # a key is nobody else's to read


def model_commands(model_name: str, project_slug: str) -> list[str]:
    """Return what a platform engineer runs first where roles hold: who makes a model in ZenML may do all with it."""
    models = (model_name, f"{model_name}.stages", f"{project_slug}.journal")
    return [f"zenml model register --name {model}" for model in models]


def by_level(permissions: Permissions) -> dict[str, Permissions]:
    """Return permissions as ZenML Pro's roles hold them: those of a workspace, and those of a project."""
    return {
        "workspace": {kind: actions for kind, actions in permissions.items() if kind in OF_THE_WORKSPACE},
        "project": {kind: actions for kind, actions in permissions.items() if kind not in OF_THE_WORKSPACE},
    }


def _rows(rows: list[list[str]]) -> Iterator[str]:
    head, *others = (f"| {' | '.join(row)} |" for row in rows)
    yield head
    yield "|---" * len(rows[0]) + "|"
    yield from others
