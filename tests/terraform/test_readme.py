"""The commands of the page that says how the Terraform code is applied."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from terraform.answers import CLOUDS, MATRIX, Answers, named, terraform_code
from terraform.policy import Folder
from terraform.run import roots

from governance_core.project.files import APPLIED

CODE = Path("governance/stacks/terraform")
TERRAFORM = r"""#!/bin/sh
echo "$*" >> "$CALLS"
case "$*" in
  apply\ -var-file*) touch terraform.tfstate terraform.tfstate.backup ;;
  "output -raw "*) printf the-state ;;
  "init -migrate-state "*) test ! -e backend_override.tf ;;
esac
"""
EACH = pytest.mark.parametrize("answers", MATRIX, ids=named)


def blocks(code: Path) -> list[str]:
    """Return what stands in the console blocks of the page."""
    return re.findall(r"```console\n(.*?)```", (code / "README.md").read_text(encoding="utf-8"), re.DOTALL)


@EACH
def test_the_outputs_that_the_commands_read_are_put_out(answers: Answers) -> None:
    code = terraform_code(answers)
    read = set(re.findall(r"terraform output -(?:raw|json) (\w+)", (code / "README.md").read_text(encoding="utf-8")))
    outputs = {name for root in roots(code) for name, _ in Folder(root).blocks("output")}
    assert {"stack_name", "stack_values", "ci_variables", "readers"} <= read <= outputs


@EACH
def test_every_command_is_one_for_the_shell(answers: Answers) -> None:
    for block in blocks(terraform_code(answers)):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_commands_of_the_first_apply_leave_what_belongs_into_git(cloud: str, tmp_path: Path) -> None:
    """With a stand-in for Terraform: what the shell does around it is tried, in the folders of the render."""
    code = tmp_path / CODE
    shutil.copytree(next(terraform_code(answers) for answers in MATRIX if dict(answers)["cloud"] == cloud), code)
    before = {path for path in code.rglob("*") if path.is_file()}
    stand_in, calls = tmp_path / "bin/terraform", tmp_path / "calls"
    stand_in.parent.mkdir()
    stand_in.write_text(TERRAFORM, encoding="utf-8")
    stand_in.chmod(0o755)
    for block in (block for block in blocks(code) if block.startswith(f"cd {CODE}")):
        subprocess.run(
            ["bash", "-euc", block],
            cwd=tmp_path,
            env={"PATH": f"{stand_in.parent}:/usr/bin:/bin", "CALLS": str(calls)},
            input="the-key\n",
            text=True,
            check=True,
        )
    backend = {"gcp": "gcs", "aws": "s3", "azure": "azurerm"}[cloud]
    key = "storage_account_name" if cloud == "azure" else "bucket"
    root = f"environments/staging/{cloud}"
    made = {path.relative_to(code).as_posix() for path in code.rglob("*") if path.is_file() and path not in before}
    assert made == {
        "bootstrap/staging.tfvars",
        "bootstrap/staging.tfbackend",
        f"{root}/terraform.tfvars",
        f"{root}/{backend}.tfbackend",
    }
    assert all(APPLIED.fullmatch(f"{CODE}/{path}") for path in made)
    assert (code / root / f"{backend}.tfbackend").read_text(encoding="utf-8") == f'{key} = "the-state"\n'
    called = [line.partition(" ")[0] for line in calls.read_text(encoding="utf-8").splitlines()]
    assert called == ["init", "apply", "output", "init", "init", "providers", "plan", "apply"]
