"""Run Terraform with providers that have a schema and nothing else.

    PYTHONPATH=tests .venv/bin/python -m terraform.run cloud=gcp orchestrator=kubernetes
    PYTHONPATH=tests .venv/bin/python -m terraform.run FOLDER

runs `terraform fmt`, and in each root `init`, `validate` and `test`, over what the template renders for these answers,
or over a copy of a folder, and shows what Terraform finds.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.rendering import render
from support.servers import program
from terraform.providers import serving
from terraform.schemas import provider_schema

ADDRESSES = {
    "google": "registry.terraform.io/hashicorp/google",
    "aws": "registry.terraform.io/hashicorp/aws",
    "azurerm": "registry.terraform.io/hashicorp/azurerm",
    "zenml": "registry.terraform.io/zenml-io/zenml",
}
PROVIDERS = re.compile(r'source\s*=\s*"(?:[\w.]+/)?[\w-]+/(\w+)"')
TYPES = re.compile(r'^\s*(resource|data)\s+"([a-z0-9]+)_(\w+)"', re.MULTILINE)


@dataclass(frozen=True)
class Done:
    """What a command of Terraform's ended with."""

    code: int
    output: str


class Terraform:
    """Terraform, started with the providers that some code uses."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._program, self._environment = program("terraform"), environment

    def __call__(self, folder: Path, *arguments: str) -> Done:
        """Run ``terraform`` in a folder."""
        done = subprocess.run(
            [self._program, *arguments],
            cwd=folder,
            env=self._environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            check=False,
        )
        return Done(done.returncode, done.stdout)


def schemas_for(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the schemas of the providers, and of them the types, that the code below a folder uses."""
    code = "\n".join(path.read_text(encoding="utf-8") for path in folder.rglob("*.tf"))
    used: dict[str, dict[str, set[str]]] = {
        name: {"resource": set(), "data": set()} for name in PROVIDERS.findall(code) if name in ADDRESSES
    }
    for kind, provider, name in TYPES.findall(code):
        if provider in used:
            used[provider][kind].add(f"{provider}_{name}")
    return {name: provider_schema(name, types["resource"], types["data"]) for name, types in used.items()}


@contextmanager
def terraform_for(folder: Path) -> Iterator[Terraform]:
    """Yield Terraform with the providers that the code below a folder uses."""
    with serving({ADDRESSES[name]: schema for name, schema in schemas_for(folder).items()}) as environment:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
        yield Terraform({**inherited, **environment, "CHECKPOINT_DISABLE": "1", "TF_IN_AUTOMATION": "1"})


@dataclass(frozen=True)
class Tried:
    """What Terraform finds wrong in a root, and the plans of its tests' runs, as `terraform show -json` shows them."""

    found: str
    plans: list[dict[str, Any]]


def roots(code: Path) -> list[Path]:
    """Return the folders in which Terraform is run, of the code of a project; a folder without them is one itself."""
    return [path for path in (code / "bootstrap", *sorted(code.glob("environments/*/*"))) if path.is_dir()] or [code]


def unformatted(terraform: Terraform, code: Path) -> str:
    """Return what `terraform fmt` would change."""
    done = terraform(code, "fmt", "-check", "-diff", "-recursive", "-no-color")
    return done.output if done.code else ""


def tried(terraform: Terraform, root: Path) -> Tried:
    """Initialise, validate and test a root, in which Terraform leaves its working files."""
    for command in (("init", "-backend=false"), ("validate",), ("test", "-json", "-verbose")):
        done = terraform(root, *command, "-no-color")
        if done.code:
            said = terraform(root, "test", "-no-color") if command[0] == "test" else done
            return Tried(f"terraform {command[0]}: {said.output}", [])
    told = [json.loads(line) for line in done.output.splitlines()]
    plans = [message["test_plan"] for message in told if message["type"] == "test_plan"]
    return Tried("" if plans else "it has no tests that plan", plans)


def main(arguments: list[str]) -> str | None:
    """Return what Terraform finds wrong, if anything."""
    if all("=" in argument for argument in arguments):
        source = render(**dict(argument.split("=", 1) for argument in arguments)) / "governance/stacks/terraform"
    else:
        (source,) = map(Path, arguments)
    if not any(source.rglob("*.tf")):
        return f"no Terraform code in {source}"
    with tempfile.TemporaryDirectory() as folder, terraform_for(source) as terraform:
        code = Path(shutil.copytree(source, Path(folder) / "terraform", ignore=shutil.ignore_patterns(".terraform*")))
        print(unformatted(terraform, code))
        found = {str(root.relative_to(code)): tried(terraform, root).found for root in roots(code)}
    for root, what in found.items():
        print(f"{root}: {what or 'valid, and its tests pass'}")
    return "findings" if any(found.values()) else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
