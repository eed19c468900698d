"""One thing that is registered in ZenML: a service connector, a component or a stack, as it is and as it shall be."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar
from uuid import UUID

from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.models import ComponentResponse, ServiceConnectorResponse, StackResponse

from governance_core.core import Violation
from governance_core.stacks.flavors import AUTH_METHOD
from governance_core.stacks.wanted import Wanted, WantedComponent

LABEL = "governed_project"  # on all that was registered here: the project that may change it

Outcome = Literal["created", "changed", "kept"]
Model = TypeVar("Model", ServiceConnectorResponse, ComponentResponse, StackResponse)


@dataclass(frozen=True)
class Registered:
    """What becomes of one thing; ``keys`` says what is changed of it."""

    type: str
    name: str
    flavor: str | None
    outcome: Outcome
    keys: tuple[str, ...]

    def __str__(self) -> str:
        flavor = f" ({self.flavor})" if self.flavor else ""
        keys = f" ({', '.join(self.keys)})" if self.keys else ""
        return f"{self.type} {self.name}{flavor}: {self.outcome}{keys}"


class Entry(ABC, Generic[Model]):
    """What stood under a name when it was looked up, and what shall stand there."""

    type: str
    flavor: str | None = None

    def __init__(self, wanted: Wanted) -> None:
        self.name = wanted.name
        self.exactly = f"equals:{wanted.name}"  # to ZenML's lists `contains:a` alone is a pattern
        self.labels = {LABEL: wanted.project}
        self.before: Model | None = self.found()

    @abstractmethod
    def found(self) -> Model | None:
        """Return what stands there now; None where nothing does."""

    @abstractmethod
    def differences(self, before: Model) -> list[str]:
        """Return the keys in which what stood there is not what shall."""

    @abstractmethod
    def create(self) -> None:
        """Make it."""

    @abstractmethod
    def change(self, before: Model) -> None:
        """Make it what it shall be."""

    @abstractmethod
    def remove(self, made: Model) -> None:
        """Delete what `create` made."""

    @abstractmethod
    def put_back(self, before: Model) -> None:
        """Make it what it was."""

    @abstractmethod
    def flavor_of(self, before: Model) -> str | None:
        """Return the flavour of what stood there."""

    def outcome(self) -> Registered:
        """Return what becomes of it."""
        keys = self.differences(self.before) if self.before else []
        outcome: Outcome = "created" if self.before is None else "changed" if keys else "kept"
        return Registered(self.type, self.name, self.flavor, outcome, tuple(keys))

    def violations(self) -> Iterator[Violation]:
        """Yield why it may not be registered under this name."""
        if self.before is None:
            return
        what, advice = f"{self.type} '{self.name}'", "delete or rename that one, or choose another name for the stack"
        if (flavor := self.flavor_of(self.before)) != self.flavor:
            message = f"{what} has the flavour {flavor}, and {self.flavor} is called for; {advice}"
            yield Violation("stack-name-taken", message)
        elif (keys := self.differences(self.before)) and (self.before.labels or {}).get(LABEL) != self.labels[LABEL]:
            message = f"{what} differs in {', '.join(keys)} and was not registered for this project; {advice}"
            yield Violation("stack-name-taken", message)

    def apply(self) -> None:
        """Register it."""
        if self.before is None:
            self.create()
        else:
            self.change(self.before)

    def undo(self) -> str | None:
        """Let be what was before, and say what was done for it; None where there was nothing to do."""
        if self.before is not None:
            self.put_back(self.before)
            return f"{self.type} {self.name} put back"
        if (made := self.found()) is None:
            return None
        self.remove(made)
        return f"{self.type} {self.name} removed"


class Connector(Entry[ServiceConnectorResponse]):
    """How ZenML reaches the cloud: as its server does, without a key."""

    type = "service_connector"

    def __init__(self, wanted: Wanted, kind: str) -> None:
        self.flavor = self._kind = kind
        self._configuration = wanted.connector
        super().__init__(wanted)

    def found(self) -> ServiceConnectorResponse | None:
        return next(iter(Client().list_service_connectors(name=self.exactly, hydrate=True)), None)

    def flavor_of(self, before: ServiceConnectorResponse) -> str:
        return before.type

    def differences(self, before: ServiceConnectorResponse) -> list[str]:
        method = ["auth_method"] if before.auth_method != AUTH_METHOD else []
        return method + _differing(before.configuration, self._configuration)

    def create(self) -> None:
        Client().create_service_connector(
            self.name,
            connector_type=self._kind,
            auth_method=AUTH_METHOD,
            configuration=self._configuration,
            labels=self.labels,
            verify=False,
        )

    def change(self, before: ServiceConnectorResponse) -> None:
        self._update(before.id, AUTH_METHOD, self._configuration)

    def remove(self, made: ServiceConnectorResponse) -> None:
        Client().delete_service_connector(made.id)

    def put_back(self, before: ServiceConnectorResponse) -> None:
        self._update(before.id, before.auth_method, dict(before.configuration))

    def _update(self, held: UUID, method: str, configuration: dict[str, Any]) -> None:
        Client().update_service_connector(held, auth_method=method, configuration=configuration, verify=False)


class Component(Entry[ComponentResponse]):
    """A stack component, and whether it reaches the cloud through the connector."""

    def __init__(
        self, wanted: Wanted, component: WantedComponent, configuration: dict[str, Any], connector: Connector | None
    ) -> None:
        self.type, self.flavor, self._flavor = component.type, component.flavor, component.flavor
        self.kind = StackComponentType(component.type)
        self._configuration = configuration
        self._connector = connector if component.connected else None
        self._resource = component.resource_id if self._connector else None
        super().__init__(wanted)

    def found(self) -> ComponentResponse | None:
        return next(iter(Client().list_stack_components(name=self.exactly, type=self.kind, hydrate=True)), None)

    def flavor_of(self, before: ComponentResponse) -> str:
        return before.flavor_name

    def differences(self, before: ComponentResponse) -> list[str]:
        wanted = self._connector and (self._connector.before.id if self._connector.before else "one to be made")
        linked = (before.connector and before.connector.id, before.connector_resource_id) == (wanted, self._resource)
        return _differing(before.configuration, self._configuration) + ["connector"] * (not linked)

    def create(self) -> None:
        made = Client().create_stack_component(
            self.name, self._flavor, self.kind, self._configuration, labels=self.labels
        )
        if self._connector:
            self._update(made, self._configuration, self._connector_id(), self._resource)

    def change(self, before: ComponentResponse) -> None:
        self._update(before, self._configuration, self._connector_id(), self._resource)

    def remove(self, made: ComponentResponse) -> None:
        Client().delete_stack_component(made.id, self.kind)

    def put_back(self, before: ComponentResponse) -> None:
        connector = before.connector.id if before.connector else None
        if now := self.found():
            self._update(now, before.configuration, connector, before.connector_resource_id)

    def _connector_id(self) -> UUID | None:
        found = self._connector and self._connector.found()
        return found.id if found else None

    def _update(
        self, now: ComponentResponse, shall: Mapping[str, Any], connector: UUID | None, resource: str | None
    ) -> None:
        gone = dict.fromkeys(now.configuration.keys() - shall.keys())
        Client().update_stack_component(
            now.id,
            self.kind,
            configuration={**shall, **gone},
            disconnect=connector is None,
            connector_id=connector,
            connector_resource_id=resource,
        )


class Stack(Entry[StackResponse]):
    """The stack; what it holds beside the components that are called for stays."""

    type = "stack"

    def __init__(self, wanted: Wanted, components: Sequence[Component]) -> None:
        self._components = components
        super().__init__(wanted)

    def found(self) -> StackResponse | None:
        return next(iter(Client().list_stacks(name=self.exactly, hydrate=True)), None)

    def flavor_of(self, before: StackResponse) -> None:
        del before

    def differences(self, before: StackResponse) -> list[str]:
        held = {part.id for parts in before.components.values() for part in parts}
        return [one.type for one in self._components if one.before is None or one.before.id not in held]

    def create(self) -> None:
        Client().create_stack(self.name, self._ids(), labels=self.labels)

    def change(self, before: StackResponse) -> None:
        changed = self.differences(before)
        ids = {kind: found for kind, found in self._ids().items() if kind.value in changed}
        Client().update_stack(before.id, component_updates=ids)

    def remove(self, made: StackResponse) -> None:
        Client().delete_stack(made.id)

    def put_back(self, before: StackResponse) -> None:
        none: dict[StackComponentType, list[UUID]] = {component.kind: [] for component in self._components}
        held = {kind: [part.id for part in parts] for kind, parts in before.components.items()}
        Client().update_stack(before.id, component_updates={**none, **held})

    def _ids(self) -> dict[StackComponentType, UUID]:
        found = {component.kind: component.found() for component in self._components}
        return {kind: component.id for kind, component in found.items() if component}


def entries(wanted: Wanted, configurations: Sequence[dict[str, Any]]) -> list[Entry[Any]]:
    """Look up everything that a stack consists of, in the order in which it is registered: the stack last."""
    connector = Connector(wanted, wanted.connector_type) if wanted.connector_type else None
    components = [
        Component(wanted, component, configuration, connector)
        for component, configuration in zip(wanted.components, configurations, strict=True)
    ]
    return [*([connector] if connector else []), *components, Stack(wanted, components)]


def _differing(held: Mapping[str, Any], shall: Mapping[str, Any]) -> list[str]:
    return sorted(key for key in {*held, *shall} if held.get(key) != shall.get(key))
