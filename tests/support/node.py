"""Programs of npm's that tests run: `make node` installs what tests/ci/package.json pins."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from support.rendering import ROOT

MODULES = ROOT / "build/node/node_modules"


def node() -> str:
    """Return the path of node, which comes with the development environment."""
    return str(Path(sys.executable).with_name("node"))


def module(path: str) -> str:
    """Return the path of a file below node_modules, or skip the test by the module's name."""
    found = MODULES / path
    if not found.exists():
        name = "/".join(path.split("/")[: 2 if path.startswith("@") else 1])
        pytest.skip(f"the npm module {name} is not installed; `make node` installs it")
    return str(found)
