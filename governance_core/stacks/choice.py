"""Which stack the runs of an environment take, and what it has."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from zenml.client import Client
from zenml.constants import STR_FIELD_MAX_LENGTH
from zenml.enums import GenericFilterOps
from zenml.models import StackResponse
from zenml.utils.secret_utils import is_secret_reference

from governance_core.core import UsageError, Violation, read_yaml
from governance_core.project import load_project
from governance_core.stacks.needs import lacks, needs


@dataclass(frozen=True)
class Choice:
    """A stack, and what chose it, in words."""

    stack: StackResponse
    chosen_by: str


def stack_variable(environment: str) -> str:
    """Return the variable that names the stack of an environment."""
    return f"ZENML_{environment.upper()}_STACK"


def run_configuration(environment: str, root: Path) -> dict[str, Any]:
    """Return what ``configs/<environment>.yaml`` holds.

    Raises:
        UsageError: if it does not exist or holds no mapping.
    """
    path = root / "configs" / f"{environment}.yaml"
    if not path.exists():
        there = ", ".join(sorted(file.name for file in path.parent.glob("*.yaml"))) or "none"
        raise UsageError(f"{path} does not exist; configurations there: {there}")
    configuration = read_yaml(path) or {}
    if not isinstance(configuration, dict):
        raise UsageError(f"{path} must hold a mapping")
    return configuration


def named_stack(environment: str, configuration: dict[str, Any]) -> tuple[str | None, str]:
    """Return the name of the stack that an environment's runs take, and what says so; None where nothing does.

    Raises:
        UsageError: if it is no name that ZenML takes for a stack and its components, or it reads it as something else.
    """
    name: Any = os.environ.get(stack_variable(environment))
    source = stack_variable(environment) if name else f"`stack` in configs/{environment}.yaml"
    name = name or configuration.get("stack")
    if name is None or name == "":
        return None, source
    if problem := _no_name(name):
        raise UsageError(f"{source} names no stack: {problem}")
    return name, source


def _no_name(given: Any) -> str | None:
    if not isinstance(given, str):
        return "it is no text; write a name, in quotes where YAML takes it for something else"
    if len(given) > STR_FIELD_MAX_LENGTH:
        return f"it has {len(given)} characters; choose a name of at most {STR_FIELD_MAX_LENGTH}, which ZenML takes"
    if given != given.strip() or not given.isprintable():
        return f"{given!r} begins or ends with a blank, or holds what cannot be printed; write it without"
    operator, colon, _ = given.partition(":")
    if colon and operator in GenericFilterOps.values():
        return f"ZenML reads {given!r} as a filter; choose a name that does not begin with {operator}:"
    if is_secret_reference(given):
        return f"ZenML reads {given!r} as a secret; choose a name without the braces"
    return None


def chosen_stack(environment: str, configuration: dict[str, Any]) -> Choice:
    """Return the stack that an environment's runs take: the variable's, else the configuration's, else the active one.

    Raises:
        UsageError: if the one that is named does not exist, or what is given is no name.
    """
    name, source = named_stack(environment, configuration)
    if not name:
        return Choice(Client().active_stack_model, "the active one")
    try:
        return Choice(Client().get_stack(name, allow_name_prefix_match=False), f"which {source} names")
    except KeyError as error:
        there = ", ".join(sorted(stack.name for stack in Client().list_stacks()))
        raise UsageError(f"there is no stack {name!r}, which {source} names; stacks: {there}") from error


def flavors_of(stack: StackResponse) -> dict[str, list[str]]:
    """Return the flavours of a stack's components by their type."""
    return {kind.value: [component.flavor_name for component in held] for kind, held in stack.components.items()}


def active_stack_lacks(root: Path, submission: Mapping[str, Any]) -> list[Violation]:
    """Return what the active stack lacks for a submission.

    What the answers ask is not asked of a store that is a file of this machine: nothing in a cloud can reach it, and
    what is promoted there is nobody's production.
    """
    project, environment, policy = load_project(root), submission["environment"], submission["policy"]["stack"]
    asked = needs(project, environment, policy)
    if any(need.flavor for need in asked) and Client().zen_store.url.startswith("sqlite:"):
        asked = needs(project, "local", policy)
    if not asked:
        return []
    stack = Client().active_stack_model
    return lacks(stack.name, flavors_of(stack), asked, environment)
