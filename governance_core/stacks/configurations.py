"""What ZenML's own flavour classes say to the configurations of a stack, before anything is registered."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import urlsplit

from pydantic import ValidationError
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.exceptions import ZenMLBaseException
from zenml.stack import StackComponentConfig
from zenml.stack.flavor import Flavor
from zenml.utils.secret_utils import is_secret_field, is_secret_reference, parse_secret_reference

from governance_core.registry.secret_store import public_keys
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
        problems = [
            *_wrong_keys(component, config_class),
            *_wrong_addresses(component, config_class),
            *_missing_secrets(component),
        ]
        if not problems:  # the class looks its secrets up
            try:
                self.stored = config_class(**component.configuration).model_dump(mode="json", exclude_unset=True)
            except ValidationError as error:
                problems = [*_wrong_values(component, error)]
            except (ValueError, ZenMLBaseException):  # which may quote a value
                problems = [("", _untaken(component))]
        self.problems = [f"{component.type}.{key}".rstrip(".") + f": {problem}" for key, problem in problems]


def _wrong_keys(component: WantedComponent, config_class: type[StackComponentConfig]) -> Iterator[tuple[str, str]]:
    fields = config_class.model_fields
    for key, value in component.configuration.items():
        if key not in fields:
            yield key, f"flavour {component.flavor} has no such key"
        elif is_secret_field(fields[key]) and not is_secret_reference(value):
            yield key, "is a secret; keep it in ZenML's secret NAME under the key KEY, and write {{NAME.KEY}}"


def _wrong_addresses(component: WantedComponent, config_class: type[StackComponentConfig]) -> Iterator[tuple[str, str]]:
    yield from _credentials(component.configuration)
    schemes: set[str] = getattr(config_class, "SUPPORTED_SCHEMES", set())
    path = component.configuration.get("path", "")
    if schemes and path and not str(path).startswith(tuple(schemes)):
        yield "path", f"must begin with {' or '.join(sorted(schemes))}"
    if component.type == "container_registry" and "://" in str(component.configuration.get("uri")):
        yield "uri", "begins the names of images, which have no https://; write it as registry.example.com/team"


def _credentials(configuration: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for key, value in configuration.items():
        if _has_user(value):
            yield key, "names a user or a password in an address; take it out"


def _has_user(value: Any) -> bool:
    if isinstance(value, dict | list):
        return any(map(_has_user, value.values() if isinstance(value, dict) else value))
    if not isinstance(value, str):
        return False
    try:
        address = urlsplit(value if "://" in value else f"//{value}")
    except ValueError:
        return False
    # Azure's addresses have the container where others have the user.
    return bool(address.password) or (address.scheme in ("http", "https") and bool(address.username))


def _wrong_values(component: WantedComponent, error: ValidationError) -> Iterator[tuple[str, str]]:
    for one in error.errors(include_input=False, include_context=False):
        quoting = one["type"] in ("value_error", "assertion_error")  # a validator's own words
        yield str(one["loc"][0]) if one["loc"] else "", _untaken(component) if quoting else one["msg"]


def _untaken(component: WantedComponent) -> str:
    given = ", ".join(component.configuration)
    return f"flavour {component.flavor} does not take what is given ({given}); why is not shown, it may quote a value"


def _missing_secrets(component: WantedComponent) -> Iterator[tuple[str, str]]:
    for key, value in component.configuration.items():
        if not is_secret_reference(value):
            continue
        name, part = parse_secret_reference(value)
        if part not in public_keys(name):
            yield (
                key,
                f"ZenML has no secret {name} with the key {part} that everybody sees; `governance secrets apply` makes "
                "what is declared",
            )


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
    yield from (f"connector.{key}: {problem}" for key, problem in _credentials(wanted.connector))
