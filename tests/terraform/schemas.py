"""Schemas of Terraform's providers, rebuilt from the published packages that CDK for Terraform was generated into.

Each resource and data source has a file of its own in `@cdktf/provider-*`, whose source map holds the TypeScript that
the generator wrote out of the provider's own schema, in one fixed layout: an interface with what can be set, a table
with how it is written in HCL, and a class with a comment for each attribute. What the packages do not say is which
attributes are sensitive or deprecated, and what a provider itself refuses: values outside an enumeration, arguments
that exclude each other, names that are too long.
"""

from __future__ import annotations

import base64
import json
import re
import tarfile
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock
from support.rendering import ROOT

Schema = dict[str, Any]  # a block as `terraform providers schema -json` shows it
PACKAGES = ROOT / "build/providers"
PINNED = Path(__file__).with_name("packages.sha512")
ZENML = Path(__file__).with_name("zenml.json")
SIMPLE = {"string": "string", "number": "number", "boolean": "bool", "any": "dynamic"}
COLLECTIONS = {"List": "list", "Map": "map", "Set": "set"}


def package(provider: str) -> Path:
    """Return the pinned package of a provider, or skip the test by its name."""
    (name,) = re.findall(rf"cdktf-provider-{provider}-[\d.]+\.tgz", PINNED.read_text(encoding="utf-8"))
    if not (PACKAGES / name).is_file():
        pytest.skip(f"{name} is not there; `make providers` fetches it")
    return PACKAGES / name


def provider_schema(provider: str, resources: Iterable[str], data_sources: Iterable[str]) -> dict[str, Any]:
    """Return the schema of a provider with these types only: Terraform refuses some of those that nobody uses here.

    A type that the provider does not have is left out, so that Terraform says so itself.
    """
    if provider == "zenml":
        schema: dict[str, Any] = json.loads(ZENML.read_text(encoding="utf-8"))
        return schema
    kinds = {"resources": resources, "data_sources": data_sources}
    folders = {kind: {name: _folder(kind, name) for name in names} for kind, names in kinds.items()}
    sources = _sources(package(provider), frozenset({"provider"}.union(*(it.values() for it in folders.values()))))
    found = {
        kind: {name: _Source(sources[folder]).schema() for name, folder in names.items() if sources[folder]}
        for kind, names in folders.items()
    }
    return {"provider": _Source(sources["provider"]).schema(), **found}


def _folder(kind: str, name: str) -> str:
    words = name if kind == "data_sources" else name.partition("_")[2]
    return ("data-" if kind == "data_sources" else "") + words.replace("_", "-")


@cache
def _sources(archive: Path, folders: frozenset[str]) -> Mapping[str, str]:
    """Return the TypeScript of these folders, empty where the package has none, unpacked once."""
    unpacked = archive.with_suffix("")
    with FileLock(archive.with_suffix(".lock")):  # the test processes start together
        unpacked.mkdir(exist_ok=True)
        missing = {folder for folder in folders if not (unpacked / f"{folder}.ts").is_file()}
        for folder, source in (_unpack(archive, missing) if missing else {}).items():
            (unpacked / f"{folder}.ts").write_text(source, encoding="utf-8")
    return {folder: (unpacked / f"{folder}.ts").read_text(encoding="utf-8") for folder in folders}


def _unpack(archive: Path, folders: set[str]) -> dict[str, str]:
    sources = dict.fromkeys(folders, "")
    with tarfile.open(archive, "r|gz") as package:  # seeking in it takes minutes
        for member in package:
            if (found := SOURCE.fullmatch(member.name)) and found[1] in folders:
                content = package.extractfile(member)
                assert content is not None
                source_map = content.read().decode().rpartition("base64,")[2]
                sources[found[1]] += json.loads(base64.b64decode(source_map))["sourcesContent"][0]
    return sources


SOURCE = re.compile(r"package/lib/([^/]+)/(?:index|index-structs/structs\d+)\.js")  # the largest have several
INTERFACE = re.compile(r"^export interface (\w+) [^\n]*\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
FIELD = re.compile(r"#(\w+)\}\n(?: +\*[^\n]*\n)*  readonly \w+(\??): (.*?);\n", re.DOTALL)
TABLE = re.compile(r"^export function (\w+)ToHclTerraform\(.*?^\}", re.MULTILINE | re.DOTALL)
ENTRY = re.compile(
    r"^ +(\w+): \{\n +value: .*\n +isBlock: (true|false),\n +type: \"(\w+)\",\n +storageClassType: \"(\w+)\",\n",
    re.MULTILINE,
)
CLASS = re.compile(r"^export class (\w+) extends cdktf\.(\w+) \{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
COMMENT = re.compile(r"^  // (\w+) - computed: (true|false), optional: \w+, required: \w+\n", re.MULTILINE)
HELD = re.compile(r"new (?:cdktf\.)?(\w+)\(this, \"\w+\"(?:, (true|false))?")
GETTER = re.compile(r"(tolist\()?this\.(?:get(\w+)Attribute|(interpolationForAttribute))\(")


class _Source:
    """The generated source of one type."""

    def __init__(self, source: str) -> None:
        self._interfaces = {
            name: {field: (optional == "", "[]" in kind) for field, optional, kind in FIELD.findall(body)}
            for name, body in INTERFACE.findall(source)
        }
        self._tables = {found[1][0].upper() + found[1][1:]: ENTRY.findall(found[0]) for found in TABLE.finditer(source)}
        self._classes = {}
        for name, base, body in CLASS.findall(source):
            _, *parts = COMMENT.split(body)
            self._classes[name] = dict(zip(parts[::3], zip(parts[1::3], parts[2::3], strict=True), strict=True))
            if base in ("TerraformResource", "TerraformDataSource", "TerraformProvider"):
                self._main = name
                self._tables[f"{name}Config"] = ENTRY.findall(body)

    def schema(self) -> Schema:
        """Return the block of the type itself."""
        return self._block(f"{self._main}Config", self._main)

    def _block(self, interface: str, class_: str) -> Schema:
        """Return the block of an interface and of the class that reads it; one of the provider's own has no class."""
        set_by_user = {name: entry for name, *entry in self._tables[interface]}
        comments = self._classes.get(class_, {})
        attributes: dict[str, Any] = {}
        blocks: dict[str, Any] = {}
        for name in {**set_by_user, **comments}:
            if name not in set_by_user:
                attributes[name] = {"type": self._read_type(comments[name][1]), "computed": True}
                continue
            is_block, nesting, stored = set_by_user[name]
            required, many = self._interfaces[interface][name]
            computed = name in comments and comments[name][0] == "true"
            if is_block == "false" or computed:
                attributes[name] = {"type": self._set_type(nesting, stored), "required": required}
                attributes[name] |= {"optional": not required, "computed": computed}
            else:
                blocks[name] = {
                    "nesting_mode": "single" if nesting == "struct" else nesting,
                    "block": self._block(struct := stored.removesuffix("List"), f"{struct}OutputReference"),
                    "min_items": int(required and nesting != "struct"),
                    "max_items": 0 if many or nesting == "struct" else 1,
                }
        return {"attributes": attributes, "block_types": blocks}

    def _set_type(self, nesting: str, stored: str) -> Any:
        """Return the type of what a user may set, from its row in the table."""
        if (struct := stored.removesuffix("List")) in self._tables:
            element = self._object(f"{struct}OutputReference")
            return element if nesting == "struct" else [nesting, element]
        simple, *collections = re.findall(r"^[a-z]+|[A-Z][a-z]+", stored)
        kind: Any = SIMPLE[simple]
        for collection in collections[:-1]:
            kind = [COLLECTIONS[collection], kind]
        return [nesting, kind] if collections else kind

    def _read_type(self, body: str) -> Any:
        """Return the type of what a provider alone sets, from the class that holds it or from its getter."""
        if held := HELD.search(body):
            name, is_set = held.groups()
            if name.endswith("OutputReference"):
                return self._object(name)
            if (element := f"{name.removesuffix('List')}OutputReference") in self._classes:
                return ["set" if is_set == "true" else "list", self._object(element)]
            simple, *collections = re.findall(r"[A-Z][a-z]+", name)
        else:
            is_set, getter, anything = GETTER.search(body).groups()  # type: ignore[union-attr]
            simple, *collections = re.findall(r"[A-Z][a-z]+", "Any" if anything else getter)
            if simple == "List":
                simple, collections = "String", ["List"]
            if is_set:
                collections[-1] = "Set"
        kind: Any = SIMPLE[simple.lower()]
        for collection in collections:
            kind = [COLLECTIONS[collection], kind]
        return kind

    def _object(self, class_: str) -> Any:
        """Return the type of an attribute that is an object."""
        interface = class_.removesuffix("OutputReference")
        set_by_user = {name: entry for name, *entry in self._tables.get(interface, ())}
        return [
            "object",
            {
                name: self._set_type(*set_by_user[name][1:]) if name in set_by_user else self._read_type(body)
                for name, (_, body) in self._classes[class_].items()
            },
        ]
