"""The commands of the page that says how the Terraform code is applied."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml
from support.command_line import parse
from support.rendering import render
from terraform.answers import CLOUDS, MATRIX, Answers, named, project, terraform_code
from terraform.policy import Folder
from terraform.run import roots
from zenml.cli.cli import cli

from governance_core.project.files import APPLIED
from governance_core.project.rendering import render_governed
from governance_core.secrets.declared import place

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
def test_each_section_reads_outputs_of_the_root_that_it_is_about(answers: Answers) -> None:
    code = terraform_code(answers)
    bootstrap, *environments = ({name for name, _ in Folder(root).blocks("output")} for root in roots(code))
    read = set()
    for section in (code / "README.md").read_text(encoding="utf-8").split("\n## "):
        names = set(re.findall(r"terraform output (?:-(?:raw|json) )?(\w+)", section))
        assert names <= (bootstrap if section.startswith("1. Bootstrap\n") else set.intersection(*environments))
        read |= names
    assert {"stack_name", "stack_values", "ci_variables", "readers"} <= read
    assert bootstrap & read


@EACH
def test_every_command_is_one_for_the_shell(answers: Answers) -> None:
    for block in blocks(terraform_code(answers)):
        done = subprocess.run(["bash", "-n"], input=block, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, ""), block


@pytest.mark.parametrize("answers", [it for it in MATRIX if dict(it)["cloud"] == "gcp"], ids=named)
def test_googles_agents_exist_before_a_key_is_granted_to_them(answers: Answers) -> None:
    """The services of the code that encrypt: IAM refuses a grant to an agent that is not there."""
    code = terraform_code(answers)
    (block,) = [block for block in blocks(code) if block.startswith("gcloud services enable ")]
    enable, storage, *others = block.splitlines()
    enabled = set(re.findall(r"(\w+)\.googleapis\.com", enable))
    hcl = "".join(file.read_text(encoding="utf-8") for file in code.rglob("main.tf"))
    used = set(re.findall(r'"(\w+)\.googleapis\.com"', hcl))
    assert enabled == used & {"storage", "artifactregistry", "secretmanager", "aiplatform"}
    assert storage.startswith("gcloud storage service-agent ")
    assert {re.findall(r"--service=(\w+)", line)[0] for line in others} == enabled - {"storage"}


@EACH
def test_the_secrets_that_components_refer_to_are_brought_before_terraform_registers_these(answers: Answers) -> None:
    declared = yaml.safe_load(render_governed(project(answers))["governance/secrets.yaml"].content)["secrets"]
    before = (terraform_code(answers) / "README.md").read_text(encoding="utf-8").partition("terraform plan -out")[0]
    wanted = [place(name, key, None) for name, secret in declared.items() for key in secret["keys"]]
    assert re.findall(r"^read -rs (SECRET_\w+)", before, re.MULTILINE) == wanted
    assert ("\ngovernance secrets apply\n" in before) == bool(wanted)


@EACH
def test_the_platforms_verbs_and_zenmls_are_called_as_they_are(answers: Answers) -> None:
    lines = [line for block in blocks(terraform_code(answers)) for line in block.splitlines()]
    called = {
        program: [words[words.index(program) + 1 :] for words in map(shlex.split, lines) if program in words]
        for program in ("governance", "zenml")
    }
    assert ["secrets", "rotate"] in [call[:2] for call in called["governance"]]
    assert ["artifact-store", "connect"] in [call[:2] for call in called["zenml"]]
    for call in called["governance"]:
        parse(call)
    for call in called["zenml"]:
        parse(call, cli)


def test_terraforms_provider_and_the_platforms_verbs_are_told_the_same_server(tmp_path: Path) -> None:
    (block,) = [block for block in blocks(terraform_code(MATRIX[0])) if "ZENML_STORE_URL" in block]
    activate = tmp_path / ".venv/bin/activate"
    activate.parent.mkdir(parents=True)
    activate.touch()
    told = subprocess.run(
        ["bash", "-euc", f"{block}\nenv"], cwd=tmp_path, input="the-key\n", capture_output=True, text=True, check=True
    )
    environment = dict(line.split("=", 1) for line in told.stdout.splitlines() if line.startswith("ZENML_"))
    assert environment["ZENML_STORE_URL"] == environment["ZENML_SERVER_URL"]
    assert environment["ZENML_STORE_API_KEY"] == environment["ZENML_API_KEY"] == "the-key"


@pytest.mark.parametrize("cloud", CLOUDS)
def test_the_examples_trust_the_subjects_that_jenkins_is_told_to_sign(cloud: str) -> None:
    made = render(cloud=cloud, ci="jenkins")
    page = (made / "docs/ci.md").read_text(encoding="utf-8")
    for environment in ("staging", "production"):
        (told,) = re.findall(rf"^\| `cloud-{environment}` \|.*\| (.+) \|$", page, re.MULTILINE)
        example = made / CODE / f"environments/{environment}/{cloud}/terraform.tfvars.example"
        (listed,) = re.findall(r"ci_subjects\s*=\s*\[(.*?)\]", example.read_text(encoding="utf-8"), re.DOTALL)
        assert re.findall(r'"(.+?)"', listed) == re.findall("`(.+?)`", told)


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
            stdin=subprocess.DEVNULL,
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
