"""Terraform refuses mistakes in the template's own code, by name and file: the schemas are those of the providers."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from support.rendering import edit
from terraform.answers import MATRIX, STACKS, terraform_code
from terraform.mutations import Mutation, mutations
from terraform.run import Terraform, schemas_for, terraform_for

KINDS = {"resource type", "block name", "attribute name", "required argument", "type", "output"}


def refused(terraform: Terraform, root: Path, mutation: Mutation) -> bool:
    """Tell whether Terraform refuses a mistake and says which it is and where."""
    whole = mutation.file.read_text(encoding="utf-8")
    edit(mutation.file, mutation.old, mutation.new)
    said = json.loads(terraform(root, "validate", "-json").output)["diagnostics"]
    mutation.file.write_text(whole, encoding="utf-8")
    return any(
        mutation.names in " ".join((it["summary"], it["detail"], it.get("snippet", {}).get("code", "")))
        for it in said
        if it["severity"] == "error" and (root / it["range"]["filename"]).resolve() == mutation.file.resolve()
    )


@pytest.mark.parametrize("stack", STACKS, ids="-".join)
def test_terraform_refuses_mistakes_in_the_code_of_a_cloud(stack: tuple[str, str], tmp_path: Path) -> None:
    cloud, orchestrator = stack
    answers = next(it for it in MATRIX if {("cloud", cloud), ("orchestrator", orchestrator)} <= set(it))
    code = Path(shutil.copytree(terraform_code(answers), tmp_path / "code"))
    schemas = {name: it for schema in schemas_for(code).values() for name, it in schema["resources"].items()}
    places = {"bootstrap": "bootstrap/*.tf", f"environments/staging/{cloud}": "modules/*/*.tf"}
    if orchestrator == "kubernetes":  # the rest is the same, and was tried with the cloud's own
        places = {f"environments/staging/{cloud}": "modules/orchestrator/*.tf"}
    tried, missed = set(), []
    with terraform_for(code) as terraform:
        for root, pattern in places.items():
            assert terraform(code / root, "init", "-backend=false").code == 0
            for mutation in (it for file in sorted(code.glob(pattern)) for it in mutations(file, schemas)):
                tried.add((mutation.kind, mutation.file.parent.name))
                if not refused(terraform, code / root, mutation):
                    missed.append(str(mutation))
    assert missed == []
    assert KINDS - {"block name"} <= {kind for kind, _ in tried}
    if orchestrator != "kubernetes":
        assert {kind for kind, _ in tried} == KINDS
        assert {kind for kind, folder in tried if folder == "zenml_stack"} == KINDS - {"block name"}
