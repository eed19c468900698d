"""Mistakes that Terraform must refuse, one at a time, wherever the code of a folder offers a place for one."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from terraform.schemas import Schema

RESOURCE = re.compile(r'^resource "(\w+)" "(\w+)" \{\n(.*?)^\}', re.MULTILINE | re.DOTALL)
META = {"lifecycle", "connection"}


@dataclass(frozen=True)
class Mutation:
    """A mistake in a file: the text that goes and what takes its place, and what Terraform must name."""

    kind: str
    file: Path
    old: str
    new: str
    names: str

    def __str__(self) -> str:
        return f"{self.kind} in {self.file.parent.name}/{self.file.name}, where Terraform must name {self.names}"


def mutations(file: Path, schemas: Mapping[str, Schema]) -> Iterator[Mutation]:
    """Yield the first mistake of each kind that a file has a place for, by the schemas of its resources."""
    seen: set[str] = set()
    text = file.read_text(encoding="utf-8")
    found = (it for block in RESOURCE.finditer(text) for it in _in_resource(file, block[0], schemas[block[1]]))
    for mutation in chain(found, _in_outputs(file, text)):
        if mutation.kind not in seen:
            seen.add(mutation.kind)
            yield mutation


def _in_resource(file: Path, block: str, schema: Schema) -> Iterator[Mutation]:
    def mistake(kind: str, name: str, old: str, new: str) -> Mutation:
        return Mutation(kind, file, block, block.replace(old, new, 1), name)

    type_ = block.split('"')[1]
    yield mistake("resource type", f"{type_}s", f'"{type_}"', f'"{type_}s"')
    for line, name in re.findall(r"^(  (\w+) \{\n)", block, re.MULTILINE):
        if name not in META:
            yield mistake("block name", f"{name}_", line, f"  {name}_ {{\n")
    for line, name, space, value in re.findall(r"^(  (\w+)( *= )([^\n]*)\n)", block, re.MULTILINE):
        attribute = schema["attributes"].get(name)
        if attribute is None:  # one of Terraform's own
            continue
        yield mistake("attribute name", f"{name}_", line, f"  {name}_{space}{value}\n")
        if value[-1] not in "({[" and attribute.get("required"):
            yield mistake("required argument", name, line, "")
        if value[-1] not in "({[" and isinstance(attribute["type"], str):
            wrong = '["often"]' if attribute["type"] == "string" else '"often"'
            yield mistake("type", name, line, f"  {name}{space}{wrong}\n")


def _in_outputs(file: Path, text: str) -> Iterator[Mutation]:
    for reference, attribute in (
        re.findall(r"(?<!\.)(\b[a-z]+_\w+\.\w+\.(\w+))\n", text) if file.name == "outputs.tf" else ()
    ):
        yield Mutation("output", file, f"{reference}\n", f"{reference}_\n", f"{attribute}_")
