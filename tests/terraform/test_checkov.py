"""Checkov finds nothing that the Terraform code does not give a reason for, beside the line that it is about."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from typing import Any

import pytest
from support.rendering import ROOT
from terraform.answers import MATRIX, STACKS, terraform_code

CHECKOV = ROOT / "build/checkov/bin/checkov"
UNSAFE = """resource "google_storage_bucket" "unsafe" {
  name     = "unsafe"
  location = "EU"
}
"""


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what checkov says of every cloud with each of its orchestrators, and of an unsafe bucket, in one run."""
    if not CHECKOV.exists():
        pytest.skip("checkov is not installed; `make checkov` installs it")
    folder = tmp_path_factory.mktemp("checkov")
    for cloud, orchestrator in STACKS:
        answers = next(it for it in MATRIX if {("cloud", cloud), ("orchestrator", orchestrator)} <= set(it))
        copy = folder / f"{cloud}-{orchestrator}"
        shutil.copytree(terraform_code(answers), copy, ignore=shutil.ignore_patterns("*.hcl"))  # it reads no tests
    (folder / "unsafe").mkdir()
    (folder / "unsafe/main.tf").write_text(UNSAFE, encoding="utf-8")
    command = [CHECKOV, "--skip-download", "--framework", "terraform", "--compact", "--output", "json"]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TF_")}
    done = subprocess.run(
        [*command, "--directory", folder], env=inherited, check=False, capture_output=True, encoding="utf-8"
    )
    said: dict[str, Any] = json.loads(done.stdout)
    return said


def folders(checks: list[dict[str, Any]]) -> set[str]:
    """Return the folders that checks are about."""
    return {check["file_path"].split("/")[1] for check in checks}


def test_checkov_reads_the_code_of_every_cloud(found: dict[str, Any]) -> None:
    assert found["summary"]["parsing_errors"] == 0
    assert folders(found["results"]["passed_checks"]) == {"-".join(stack) for stack in STACKS}


def test_checkov_finds_only_what_is_unsafe(found: dict[str, Any]) -> None:
    failed = found["results"]["failed_checks"]
    assert [f"{it['check_id']} {it['resource']}" for it in failed if not it["resource"].endswith(".unsafe")] == []
    assert {"CKV_GCP_29", "CKV_GCP_114"} <= {it["check_id"] for it in failed}  # uniform access, and none for everybody


def test_what_checkov_passes_by_has_a_reason(found: dict[str, Any]) -> None:
    reasons = {it["check_result"]["suppress_comment"] for it in found["results"]["skipped_checks"]}
    assert reasons
    assert [reason for reason in reasons if not re.fullmatch(r"[A-Z]\S*( \S+){2,}", reason)] == []
