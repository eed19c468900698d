"""What ZenML knows of flavours and service connectors, printed as JSON; run in a process of its own.

The classes of the connectors import the libraries of their clouds, which a project of another cloud does not have.
Their fields need none of them: here every name of those libraries is an empty class.
"""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Iterator
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

from zenml.integrations.registry import integration_registry
from zenml.stack.flavor_registry import FlavorRegistry

LIBRARIES = {"aws_profile_manager", "azure", "boto3", "botocore", "google", "kubernetes"}
CLOUDS = ("gcp", "aws", "azure")
INTEGRATIONS = (*CLOUDS, "discord", "kubernetes", "mlflow", "s3", "slack")


class _Stand(ModuleType):
    __path__ = ()  # a package, whatever is imported from it

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (Exception,), {})


class _Stands(MetaPathFinder, Loader):
    def find_spec(self, name: str, *_: Any) -> ModuleSpec | None:
        return ModuleSpec(name, self, is_package=True) if name.split(".", maxsplit=1)[0] in LIBRARIES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _Stand(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        pass


def _fields(model: Any) -> dict[str, bool]:
    """Return the fields of a configuration, and whether each is required."""
    return {name: field.is_required() for name, field in model.model_fields.items()}


def flavors() -> Iterator[tuple[str, dict[str, bool]]]:
    """Yield type and name of each flavour, and its configuration."""
    classes = [*FlavorRegistry().builtin_flavors]
    for name in INTEGRATIONS:
        classes += integration_registry.integrations[name].flavors()
    for flavor in (it() for it in classes):
        yield f"{flavor.type.value}/{flavor.name}", _fields(flavor.config_class)


def connectors() -> Iterator[tuple[str, dict[str, bool]]]:
    """Yield type and authentication method of each connector, and its configuration."""
    for cloud in CLOUDS:
        module = importlib.import_module(f"zenml.integrations.{cloud}.service_connectors.{cloud}_service_connector")
        spec = getattr(module, f"{cloud.upper()}_SERVICE_CONNECTOR_TYPE_SPEC")
        for method in spec.auth_methods:
            yield f"{spec.connector_type}/{method.auth_method}", _fields(method.config_class)


if __name__ == "__main__":
    known = {"flavors": dict(flavors())}
    sys.meta_path.append(_Stands())
    json.dump(known | {"connectors": dict(connectors())}, sys.stdout)
