"""What the template renders for the clouds, as Terraform reads it and as its own tests plan it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest
from support.connectors import service_connectors
from support.servers import Answering
from terraform.answers import CLOUDS, MATRIX, Answers, named, project, terraform_code
from terraform.policy import LABELS, Folder, folders, unused_outputs, violations
from terraform.rights import rights
from terraform.run import Tried, roots, terraform_for, tried, unformatted
from zenml.models import ServiceConnectorRequest
from zenml.service_connectors.service_connector_registry import service_connector_registry as registry

from governance_core.stacks.flavors import flavors

MODULES = {
    "artifact_store",
    "ci_identity",
    "container_registry",
    "environment",
    "orchestrator",
    "secrets",
    "zenml_stack",
}
ENVIRONMENTS = ("staging", "production")
RIGHTS = tomllib.loads(Path(__file__).with_name("rights.toml").read_text(encoding="utf-8"))
PAGE = Path(__file__).parents[2] / "docs/reference/stacks-terraform.md"
SESSION = """<AssumeRoleResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><AssumeRoleResult><Credentials>
<AccessKeyId>id</AccessKeyId><SecretAccessKey>key</SecretAccessKey><SessionToken>token</SessionToken>
<Expiration>2100-01-01T00:00:00Z</Expiration></Credentials></AssumeRoleResult></AssumeRoleResponse>"""
EACH = pytest.mark.parametrize("answers", MATRIX, ids=named)


@dataclass(frozen=True)
class Checked:
    """What Terraform finds in the code of some answers: in the format of its files, and in each root."""

    unformatted: str
    roots: dict[str, Tried]

    def planned(self, alone: bool = False) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Yield root, type and planned values of whatever is made; what is not known before an apply is True.

        Args:
            alone: with what a test makes of a module alone, by values of its own.
        """
        for root, tried_root in self.roots.items():
            for resource in (made for plan in tried_root.plans for made in plan.get("resource_changes", ())):
                if alone or root == "bootstrap" or resource["address"].startswith("module.environment."):
                    change = resource["change"]
                    yield root, resource["type"], _with_unknown(change["after"], change["after_unknown"])


def _with_unknown(after: dict[str, Any], unknown: dict[str, Any]) -> dict[str, Any]:
    """Return planned values with those that are not known yet; a part of a map or a block may be one."""
    return after | {
        name: _with_unknown(after.get(name) or {}, value) if isinstance(value, dict) else value
        for name, value in unknown.items()
        if value and not isinstance(value, list)
    }


@cache
def checked(answers: Answers) -> Checked:
    """Return what Terraform finds in the code of these answers; it is tried once."""
    code = terraform_code(answers)
    with terraform_for(code) as terraform:
        found = {root.relative_to(code).as_posix(): tried(terraform, root) for root in roots(code)}
        return Checked(unformatted(terraform, code), found)


@EACH
def test_terraform_takes_every_root_and_its_tests_pass(answers: Answers) -> None:
    found = checked(answers)
    assert found.unformatted == ""
    expected = ("bootstrap", *(f"environments/{name}/{dict(answers)['cloud']}" for name in ENVIRONMENTS))
    assert {root: tried.found for root, tried in found.roots.items()} == dict.fromkeys(expected, "")


@EACH
def test_the_rules_find_nothing_in_it(answers: Answers) -> None:
    code = terraform_code(answers)
    assert {path.name for path in (code / "modules").iterdir()} == MODULES
    assert violations(code) == []


@pytest.mark.parametrize("cloud", CLOUDS)
def test_nobody_may_do_more_or_less_than_the_table_says(cloud: str) -> None:
    found: dict[str, set[str]] = {}
    for answers in (it for it in MATRIX if dict(it)["cloud"] == cloud):
        for right, what in rights(terraform_code(answers), dict(answers)["orchestrator"]).items():
            found.setdefault(right, set()).update(what)
    assert found == {right: set(what) for right, what in RIGHTS[cloud].items()}


@pytest.mark.parametrize(("cloud", "heading"), [("gcp", "Google Cloud"), ("azure", "Azure")])
def test_the_page_of_who_may_do_what_names_the_roles_of_the_table_and_no_others(cloud: str, heading: str) -> None:
    roles = {role for what in RIGHTS[cloud].values() for role in what}
    names = RIGHTS["names"] if cloud == "gcp" else {role: role for role in roles}
    assert names.keys() == roles
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}: who may do what\n")[2].partition("\n## ")[0]
    cells = "\n".join(row.split("|")[2] for row in re.findall(r"^\|.*\|$", section, re.MULTILINE))
    name = re.compile("|".join(sorted(names.values(), key=len, reverse=True)))  # "Reader" is the end of other names
    assert set(name.findall(cells)) == set(names.values())
    assert set(re.findall(r"[A-Z]\w+", name.sub("", cells))) <= {"Vertex", "AI", "AzureML"}, "a role of no grant"


@EACH
def test_everything_that_takes_labels_says_whose_it_is_and_who_pays(answers: Answers) -> None:
    labels = [
        (type_, planned.get("labels", planned.get("tags")) or {})
        for _, type_, planned in checked(answers).planned()
        if {"labels", "tags"} & planned.keys() and not type_.startswith("aws_")  # whose provider tags everything
    ]
    assert labels
    assert {type_ for type_, given in labels if not given.keys() >= LABELS} == set()


@EACH
@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_terraform_registers_the_components_that_stack_register_does(answers: Answers, environment: str) -> None:
    wanted = {it.type: it for it in flavors(project(answers), environment)}
    root = f"environments/{environment}/{dict(answers)['cloud']}"
    planned = [(type_, values) for name, type_, values in checked(answers).planned() if name == root]
    stacks = [values for type_, values in planned if type_ == "zenml_stack"]
    assert stacks
    assert all(stack["components"].keys() == wanted.keys() for stack in stacks)
    for component in (values for type_, values in planned if type_ == "zenml_stack_component"):
        flavor, configuration = wanted[component["type"]], component["configuration"] or {}
        assert component["flavor"] == flavor.name
        assert {*flavor.keys, *flavor.given} <= configuration.keys()
        assert {key: configuration[key] for key in flavor.given} == flavor.given


def test_azureml_has_the_endpoint_of_its_workspace_before_nodes_without_a_public_address() -> None:
    code = next(terraform_code(answers) for answers in MATRIX if dict(answers)["orchestrator"] == "azureml")
    resources = dict(Folder(code / "modules/orchestrator").blocks("resource"))
    steps = resources["azurerm_machine_learning_compute_cluster.steps"]
    assert "azurerm_private_endpoint.workspace" in str(steps["depends_on"])


def test_whoever_may_read_artifacts_may_wait_for_runs_on_azureml() -> None:
    answers = next(it for it in MATRIX if dict(it)["orchestrator"] == "azureml")
    for environment in (f"environments/{name}/azure" for name in ENVIRONMENTS):
        planned = [(type_, values) for root, type_, values in checked(answers).planned() if root == environment]
        rules = [values["network_rules"] for type_, values in planned if type_ == "azurerm_storage_account"]
        assert rules[0][0]["ip_rules"]
        assert rules == [rules[0]] * len(rules)


@pytest.mark.parametrize("cloud", CLOUDS)
def test_what_a_module_puts_out_is_used(cloud: str) -> None:
    unused = [
        {f"{it.path.name}: {output}" for it in folders(terraform_code(answers)) for output in unused_outputs(it)}
        for answers in MATRIX
        if dict(answers)["cloud"] == cloud
    ]
    assert set.intersection(*unused) == set()


@pytest.fixture(scope="module")
def zenml_classes() -> dict[str, dict[str, dict[str, bool]]]:
    """Return what ZenML's own classes say: the fields of each flavour's and connector's configuration."""
    script = Path(__file__).with_name("zenml_classes.py")
    done = subprocess.run([sys.executable, script], check=True, capture_output=True, encoding="utf-8")
    found: dict[str, dict[str, dict[str, bool]]] = json.loads(done.stdout)
    return found


@EACH
def test_zenml_knows_every_flavour_connector_and_key(
    answers: Answers, zenml_classes: dict[str, dict[str, dict[str, bool]]]
) -> None:
    found = []
    for _, type_, planned in checked(answers).planned(alone=True):
        if type_ == "zenml_stack_component":
            known = zenml_classes["flavors"].get(f"{planned['type']}/{planned['flavor']}")
        elif type_ == "zenml_service_connector":
            known = zenml_classes["connectors"].get(f"{planned['type']}/{planned['auth_method']}")
        else:
            continue
        given = (planned["configuration"] or {}).keys()
        assert known is not None
        found.append(type_)
        assert given <= known.keys()
        assert {key for key, required in known.items() if required} <= given
    assert set(found) == {"zenml_stack_component", "zenml_service_connector"}


def test_a_connector_that_comes_or_goes_replaces_the_stack_and_nothing_else_does(tmp_path: Path) -> None:
    module = Path(shutil.copytree(terraform_code(MATRIX[0]) / "modules/zenml_stack", tmp_path / "zenml_stack"))
    shutil.copy(Path(__file__).with_name("zenml_stack.tftest.hcl"), module)
    with terraform_for(module) as terraform:
        found = tried(terraform, module)
    assert found.found == ""
    given, changed, taken, _ = (
        {it["address"]: it["change"]["actions"] for it in plan["resource_changes"]} for plan in found.plans
    )
    assert given["zenml_stack.this"] == taken["zenml_stack.this"] == ["delete", "create"]
    assert changed["zenml_stack.this"] == ["update"]


@pytest.mark.parametrize("orchestrator", ["sagemaker", "kubernetes"])
def test_zenmls_connector_gets_a_session_as_its_role_that_may_do_all_that_the_role_may(
    orchestrator: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = next(it for it in MATRIX if {("cloud", "aws"), ("orchestrator", orchestrator)} <= set(it))
    planned = [(type_, values) for _, type_, values in checked(answers).planned(alone=True)]
    (told,) = [values for type_, values in planned if type_ == "zenml_service_connector"]
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "server")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "server")
    monkeypatch.setenv("ZENML_ENABLE_IMPLICIT_AUTH_METHODS", "true")
    with Answering(body=SESSION) as sts, service_connectors():
        monkeypatch.setenv("AWS_ENDPOINT_URL_STS", sts.url)
        connector = ServiceConnectorRequest(name="staging", connector_type="aws", auth_method=told["auth_method"])
        connector.validate_and_configure_resources(
            registry.get_service_connector_type("aws"), configuration=told["configuration"]
        )
        session, _ = registry.instantiate_connector(connector).get_boto3_session("implicit", "s3-bucket", "s3://acme")
        assert session.get_credentials().token == "token"
    asked = dict(parse_qsl(sts.requests[0][2]))
    assert (asked["Action"], asked["RoleArn"]) == ("AssumeRole", "arn:aws:iam::111111111111:role/acme-staging-zenml")
    assert len(asked["Policy"]) < 512  # of 2,048, most of which the tags of a pod's session may take
    ((covered, where),) = _allowed(asked["Policy"])
    assert where == ["*"]
    policies = [it for type_, it in planned if type_ == "aws_iam_policy" and isinstance(it["policy"], str)]
    its = ("-artifacts", "-find", "-pull", "-push", "-submit")
    role = [it["policy"] for it in policies if it["name"].endswith(its)]
    allowed = {action for policy in role for actions, _ in _allowed(policy) for action in actions}
    assert {"kms:Decrypt", "ecr:BatchGetImage", "ecr:PutImage"} < allowed
    assert {action for action in allowed if not any(fnmatch(action, it) for it in covered)} == set()


def _allowed(policy: str) -> list[tuple[list[str], list[str]]]:
    """Return the actions of each statement of a policy, and the resources."""
    values = [(it["Action"], it["Resource"]) for it in json.loads(policy)["Statement"]]
    return [tuple(it if isinstance(it, list) else [it] for it in pair) for pair in values]
