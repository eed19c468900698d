"""What the stack of an environment must have, and what it lacks of that."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from governance_core.core import Violation
from governance_core.project import Project
from governance_core.stacks.flavors import flavors, in_cloud

ANY_FLAVOR = {"image_builder"}  # images may be built here or in the cloud


@dataclass(frozen=True)
class Need:
    """A component that a stack must have; any flavour will do where ``flavor`` is None."""

    type: str
    flavor: str | None
    asked_by: str
    met_by: str

    def __str__(self) -> str:
        return f"{self.type} ({self.flavor})" if self.flavor else self.type


def needs(project: Project, environment: str, policy: Iterable[str]) -> list[Need]:
    """Return what the answers and the policy ask of an environment's stack.

    Args:
        project: the answers; they ask for nothing where runs stay on the machine that submits them.
        environment: local, staging or production.
        policy: the component types under the policy's key ``stack``.
    """
    register = f"`governance stack register --environment {environment}` registers a stack that has it"
    asked = [
        Need(
            flavor.type,
            None if flavor.type in ANY_FLAVOR else flavor.name,
            f"{flavor.answer}: {getattr(project, flavor.answer)} in governance/project.yaml",
            register,
        )
        for flavor in (flavors(project, environment) if in_cloud(project, environment) else [])
    ]
    known = {need.type for need in asked}
    by_hand = "add one with `zenml stack update`"
    return asked + [Need(kind, None, "`stack` in the policy", by_hand) for kind in policy if kind not in known]


def lacks(stack: str, has: Mapping[str, Collection[str]], needs: Iterable[Need], environment: str) -> list[Violation]:
    """Return what a stack lacks.

    Args:
        stack: its name.
        has: its flavours by component type.
        needs: what it must have.
        environment: that these are the needs of.
    """
    violations = []
    for need in needs:
        there = has.get(need.type, ())
        if there if need.flavor is None else need.flavor in there:
            continue
        found = f"has the {need.type} {', '.join(there)}" if there else f"has no {need.type}"
        wanted = f"one of flavour {need.flavor}" if need.flavor else "one"
        message = f"stack '{stack}' {found}, and {environment} needs {wanted} ({need.asked_by}); {need.met_by}"
        violations.append(Violation("stack-lacks", message))
    return violations
