"""What ZenML's own flavour classes say to the configurations of a stack, before anything is registered."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import ValidationError
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.exceptions import ZenMLBaseException
from zenml.stack import StackComponentConfig
from zenml.stack.flavor import Flavor
from zenml.utils.secret_utils import is_secret_field, is_secret_reference, parse_secret_reference

from governance_core.stacks.flavors import AUTH_METHOD
from governance_core.stacks.wanted import Wanted, WantedComponent, wrong_values


def configurations(wanted: Wanted) -> list[dict[str, Any]]:
    """Return the components' configurations as ZenML stores them.

    Raises:
        UsageError: naming each key that a flavour does not have, each value that it does not take, and each secret that
            ZenML does not have. No value is shown: it may be a secret in the wrong place.
    """
    found = [_Judged(component) for component in wanted.components]
    problems = [problem for one in found for problem in one.problems] + [*_connector_problems(wanted)]
    if problems:
        raise wrong_values(wanted.values, problems)
    return [one.stored for one in found]


class _Judged:
    """A component's configuration: what is wrong with it, and how ZenML stores it where nothing is."""

    def __init__(self, component: WantedComponent) -> None:
        flavor = Client().get_flavor_by_name_and_type(component.flavor, StackComponentType(component.type))
        config_class = Flavor.from_model(flavor).config_class
        self.stored: dict[str, Any] = {}
        problems = [*_wrong_keys(component, config_class), *_missing_secrets(component)]
        if not problems:  # the class looks its secrets up
            try:
                self.stored = config_class(**component.configuration).model_dump(mode="json", exclude_unset=True)
            except ValidationError as error:
                problems = [(".".join(map(str, one["loc"])), one["msg"]) for one in error.errors()]
            except (ValueError, ZenMLBaseException) as error:
                problems = [("", " ".join(str(error).split()))]
        self.problems = [f"{component.type}.{key}".rstrip(".") + f": {problem}" for key, problem in problems]


def _wrong_keys(component: WantedComponent, config_class: type[StackComponentConfig]) -> Iterator[tuple[str, str]]:
    fields = config_class.model_fields
    for key, value in component.configuration.items():
        if key not in fields:
            yield key, f"flavour {component.flavor} has no such key"
        elif is_secret_field(fields[key]) and not is_secret_reference(value):
            yield key, "is a secret; keep it in ZenML's secret NAME under the key KEY, and write {{NAME.KEY}}"


def _missing_secrets(component: WantedComponent) -> Iterator[tuple[str, str]]:
    for key, value in component.configuration.items():
        if not is_secret_reference(value):
            continue
        name, part = parse_secret_reference(value)
        try:
            held = Client().get_secret(name, allow_partial_name_match=False, allow_partial_id_match=False).values
        except KeyError:
            held = {}
        if part not in held:
            yield key, f"ZenML has no secret {name} with the key {part}; make it first"


def _connector_problems(wanted: Wanted) -> Iterator[str]:
    if wanted.connector_type is None:
        return
    try:
        kind = Client().get_service_connector_type(wanted.connector_type)
    except KeyError:
        yield (
            f"connector: ZenML knows no service connector of type {wanted.connector_type} here; a server does, and so "
            f"does an environment with the extra {wanted.connector_type} of the platform's package"
        )
        return
    known = kind.auth_method_dict[AUTH_METHOD].config_schema["properties"]
    yield from (
        f"connector.{key}: no key of the connector; known: {', '.join(known)}"
        for key in wanted.connector
        if key not in known
    )
