"""What is to be registered: what the answers call for, with the values that platform engineers fill."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from governance_core.core import UsageError
from governance_core.project import Project
from governance_core.project.answers import read_mapping
from governance_core.stacks.flavors import CLUSTER, CONNECTORS, CONTEXT, Flavor, flavors, in_cloud

CONNECTOR = "connector"  # the section of what is no component


@dataclass(frozen=True)
class WantedComponent:
    """A component to register; ``resource_id`` says which of the connector's resources it is, where ZenML must know."""

    type: str
    flavor: str
    configuration: dict[str, Any]
    connected: bool
    resource_id: str | None = None


@dataclass(frozen=True)
class Wanted:
    """A stack to register; ``values`` is the file that its configuration comes from."""

    environment: str
    name: str
    project: str
    values: str
    components: tuple[WantedComponent, ...]
    connector_type: str | None
    connector: dict[str, Any]


def wanted_stack(project: Project, environment: str, name: str, root: Path) -> Wanted:
    """Return the stack that an environment calls for, with the values of ``configs/stacks/<environment>.yaml``.

    Raises:
        UsageError: if the file cannot be read, holds what the answers do not call for, or lacks a value; names each.
    """
    file = f"configs/stacks/{environment}.yaml"
    path = root / file
    sections = read_mapping(path) if path.exists() else {}
    called_for = flavors(project, environment)
    remote = in_cloud(project, environment)
    known = [flavor.type for flavor in called_for] + [CONNECTOR] * remote
    problems = [
        f"{section}: the answers call for no such section; known here: {', '.join(known)}"
        for section in sections
        if section not in known
    ]
    problems += [f"{name}: must be a mapping" for name, held in sections.items() if not isinstance(held, dict | None)]
    if not problems:
        problems = [f"{key} is missing" for key in _missing(called_for, sections, project.cloud)]
    if problems:
        raise wrong_values(file if path.exists() else f"{file} (there is no such file)", problems)

    connector = dict(sections.get(CONNECTOR) or {})
    cluster = connector.pop(CLUSTER, None) if _clustered(called_for) else None
    connected = CONNECTOR in sections
    return Wanted(
        environment,
        name,
        project.project_slug,
        file,
        tuple(
            WantedComponent(
                flavor.type,
                flavor.name,
                {**flavor.given, **(sections.get(flavor.type) or {})},
                connected=connected and flavor.connected,
                resource_id=cluster if flavor.name == "kubernetes" else None,
            )
            for flavor in called_for
        ),
        project.cloud if connected else None,
        connector,
    )


def wrong_values(file: str, problems: Iterable[str]) -> UsageError:
    """Return the error that lists what is wrong with the values of a file."""
    return UsageError("\n".join([f"{file} cannot be registered:", *(f"  - {problem}" for problem in problems)]))


def _clustered(called_for: list[Flavor]) -> bool:
    """Tell whether the connector must know in which of its clusters the steps run."""
    return any(flavor.name == "kubernetes" and flavor.connected for flavor in called_for)


def _missing(called_for: list[Flavor], sections: Mapping[str, Any], cloud: str) -> Iterator[str]:
    """Yield the key of each value that is not there: asked for, or in the file and left empty."""
    clustered = _clustered(called_for)
    needed = {flavor.type: flavor.keys for flavor in called_for}
    if CONNECTOR in sections:
        needed[CONNECTOR] = CONNECTORS[cloud] + (CLUSTER,) * clustered
    elif clustered:
        needed["orchestrator"] += (CONTEXT,)
    if (sections.get("orchestrator") or {}).get("incluster"):
        needed["orchestrator"] = tuple(key for key in needed["orchestrator"] if key != CONTEXT)
    for section, keys in needed.items():
        held = sections.get(section) or {}
        yield from (f"{section}.{key}" for key in dict.fromkeys([*keys, *held]) if held.get(key) in (None, ""))
