"""Does the stack that an environment's runs take have what the answers and the policy ask?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance_core.core import Refused
from governance_core.policy import GOVERNANCE_FILE, effective, load_governance_file
from governance_core.project import load_project
from governance_core.stacks.choice import chosen_stack, flavors_of, run_configuration
from governance_core.stacks.needs import Need, lacks, needs


@dataclass(frozen=True)
class StackCheck:
    """What was looked at: the stack, its flavours by component type, and what it must have."""

    environment: str
    stack: str
    chosen_by: str
    has: dict[str, list[str]]
    needs: list[Need]

    def as_dict(self) -> dict[str, Any]:
        """Return the check as JSON holds it."""
        asked = [{"type": need.type, "flavor": need.flavor, "asked_by": need.asked_by} for need in self.needs]
        found = {"environment": self.environment, "stack": self.stack, "chosen_by": self.chosen_by}
        return found | {"has": self.has, "needs": asked}

    def __str__(self) -> str:
        has = ", ".join(f"{kind} ({', '.join(flavors)})" for kind, flavors in sorted(self.has.items()))
        needs = ", ".join(map(str, self.needs)) or "nothing but that it exists"
        return f"stack '{self.stack}', {self.chosen_by}: {has}\n{self.environment} needs {needs}: all there"


def check(root: Path, environment: str) -> StackCheck:
    """Look at the stack that an environment's runs take.

    Raises:
        UsageError: if the project, the environment, its configuration or the stack that it names does not exist.
        Refused: if the stack lacks something; names everything.
    """
    project = load_project(root)
    asked = load_governance_file(root / GOVERNANCE_FILE)
    policy = effective(environment, project.risk_tier, asked, project.problem)
    choice = chosen_stack(environment, run_configuration(environment, root))
    found = StackCheck(
        environment,
        choice.stack.name,
        choice.chosen_by,
        flavors_of(choice.stack),
        needs(project, environment, policy.stack),
    )
    if violations := lacks(found.stack, found.has, found.needs, environment):
        raise Refused(f"stack '{found.stack}', {found.chosen_by}, for {environment}", violations)
    return found
