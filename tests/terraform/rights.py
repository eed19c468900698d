"""Who may do what, as the Terraform code says it: the roles that it grants, and the statements of AWS's policies."""

from __future__ import annotations

import re
from pathlib import Path

from terraform.mutations import RESOURCE
from terraform.policy import Folder, folders

GRANT = re.compile(r"^google_\w+_iam_(member|binding|policy)$|_role_assignment$|_access_policy_association$")
ROLE = re.compile(r'\brole(?:_definition_name)?\s*=\s*"([^"]+)"|"(roles/[^"]+|arn:aws:\w+::aws:[^"]+)"')
STATEMENT = re.compile(
    r'Sid\s*=\s*"(\w+)"[^\n]*\s+Effect\s*=\s*"(Allow|Deny)"[^\n]*\s+(?:Principal[^\n]*\s+)?'
    r'(Action\s*=\s*(?:"[^"]+"|\[[^]]*\]|local\.\w+))'
)
NEGATED = re.compile(r"\bNot(Action|Principal|Resource)\b")


def rights(code: Path, orchestrator: str) -> dict[str, set[str]]:
    """Return the roles of each grant, and the actions of each statement (with ``not`` before those that it denies).

    Raises:
        ValueError: a statement is written in another way than the others, so that nobody could tell what it allows.
    """
    found: dict[str, set[str]] = {}
    for folder in folders(code):
        name = orchestrator if folder.path.name == "orchestrator" else folder.path.name
        for right, what in (*_roles(folder), *_actions(folder)):
            found.setdefault(f"{name}.{right}", set()).update(what)
    return found


def _roles(folder: Folder) -> list[tuple[str, set[str]]]:
    resources = ((it[1], it[2], {a or b for a, b in ROLE.findall(it[3])}) for it in RESOURCE.finditer(folder.text))
    return [(f"{type_}.{name}", roles) for type_, name, roles in resources if roles or GRANT.search(type_)]


def _actions(folder: Folder) -> list[tuple[str, set[str]]]:
    statements = STATEMENT.findall(folder.text)
    if len(statements) != len(re.findall(r"\b\w*Action\b\s*=", folder.text)) or NEGATED.search(folder.text):
        raise ValueError(f"{folder.path}: a statement without Sid, Effect and Action, in this order, or with a Not")
    return [
        (sid, {f"{'not ' * (effect == 'Deny')}{action}" for action in _listed(folder, actions)})
        for sid, effect, actions in statements
    ]


def _listed(folder: Folder, actions: str) -> list[str]:
    if local := re.search(r"local\.(\w+)$", actions):
        (actions,) = re.findall(rf"^  {local[1]}\s*=\s*(\[[^]]*\])", folder.text, re.MULTILINE)
    return re.findall(r'"([^"]+)"', actions)
