"""ZenML's service connectors without the SDKs of the clouds: its own classes, on modules that hold nothing."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

import pytest
from zenml.service_connectors.service_connector_registry import service_connector_registry as registry

SDKS = ("adlfs", "aws_profile_manager", "azure", "boto3", "botocore", "gcsfs", "google", "kubernetes")
CLOUDS = ("aws", "azure", "gcp")


class Hollow(ModuleType):
    """A module whose every name is a class of its own."""

    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> Any:
        """Make the class."""
        if name.startswith("__"):
            raise AttributeError(name)
        value = type(name, (Exception,), {})
        setattr(self, name, value)
        return value


class Finder(MetaPathFinder, Loader):
    """Finds a hollow module for each of an SDK's that is not installed."""

    def find_spec(self, fullname: str, *_: object) -> ModuleSpec | None:
        """Answer for the SDKs, as the last one who is asked."""
        return ModuleSpec(fullname, self, is_package=True) if fullname.partition(".")[0] in SDKS else None

    def create_module(self, spec: ModuleSpec) -> Hollow:
        """Make the module."""
        return Hollow(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave it empty."""


@contextmanager
def service_connectors() -> Iterator[None]:
    """Let ZenML know its service connectors of all clouds until the block ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "service_connector_types", _known())
        yield


@cache
def _known() -> dict[str, Any]:
    registry.register_builtin_service_connectors()
    there = set(sys.modules)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(registry, "service_connector_types", dict(registry.service_connector_types))
        patch.setattr(sys, "meta_path", [*sys.meta_path, Finder()])
        for cloud in CLOUDS:
            import_module(f"zenml.integrations.{cloud}.service_connectors.{cloud}_service_connector")
        known = dict(registry.service_connector_types)
    for name in set(sys.modules) - there:  # nobody else shall take them for the SDKs
        del sys.modules[name]
    return known
