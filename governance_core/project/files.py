"""The three classes of file in a rendered repository: the one table that update, check and tests read."""

from __future__ import annotations

import re
from typing import Literal

FileClass = Literal["governed", "shared", "seed", "answers"]

# A name that ends in "/" is a folder with everything below it.
FILES: dict[FileClass, tuple[str, ...]] = {
    # Equal to their render, always; `governance check` compares them.
    "governed": ("governance/", "scripts/", "docs/", "CODEOWNERS", ".github/", ".gitlab-ci.yml", "Jenkinsfile"),
    # The team and the template both write here; an update merges three ways.
    "shared": ("pyproject.toml", "README.md", "Makefile", ".gitignore", ".gitattributes"),
    # Written once; the team's from then on.
    "seed": ("run.py", "governance.yaml", "configs/", "src/", "tests/"),
    # Copier's own record.
    "answers": (".copier-answers.yml",),
}

# Only who applies the Terraform code can write these beside it; they belong into git and are never rendered.
APPLIED = re.compile(r"governance/stacks/terraform/(.+/)?([\w-]+\.(tfvars|tfbackend)|\.terraform\.lock\.hcl)")


def file_class(path: str) -> FileClass | None:
    """Return the class of a file by its path below the project, written with "/"; None for the team's own files."""
    for name, patterns in FILES.items():
        if any(path.startswith(pattern) if pattern.endswith("/") else path == pattern for pattern in patterns):
            return name
    return None
