"""What a stack must have, and what refuses one that lacks it."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any, get_args

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from support.command_line import Governance
from support.connectors import service_connectors
from support.rendering import ROOT
from support.scratch import Scratch, scratch_project

from governance_core.core import Refused, UsageError
from governance_core.policy.file import ComponentType
from governance_core.project import Project
from governance_core.project.answers import ORCHESTRATORS
from governance_core.stacks.flavors import AUTH_METHOD, CONNECTORS, SERVICES, STORES, flavors
from governance_core.stacks.needs import lacks, needs

VERTEX: dict[str, Any] = {"cloud": "gcp", "region": "europe-west1", "orchestrator": "vertex"}
CHATTY = {"alerter": "slack", "alert_channel": "C0123ABCD", "experiment_tracker": "mlflow"}
COMPLETE = {
    "orchestrator": ["vertex"],
    "artifact_store": ["gcp"],
    "container_registry": ["gcp"],
    "image_builder": ["kaniko"],
    "alerter": ["discord", "slack"],
    "experiment_tracker": ["mlflow"],
}


@pytest.fixture
def cloud(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:  # noqa: ARG001
    """Return a project in Google Cloud, which is the working directory."""
    monkeypatch.setenv("GOVERNANCE_ACTOR", "trainer@example.com")
    with scratch_project(tmp_path / "scratch", **VERTEX, **CHATTY) as project:
        for environment in ("local", "staging", "production"):
            project.write(f"configs/{environment}.yaml", "")
            monkeypatch.delenv(f"ZENML_{environment.upper()}_STACK", raising=False)
        project.commit()
        monkeypatch.chdir(project.root)
        yield project


def test_the_component_types_of_the_policy_are_those_of_zenml() -> None:
    from zenml.enums import StackComponentType

    assert sorted(get_args(ComponentType)) == sorted(StackComponentType.values())


def test_a_stack_with_everything_lacks_nothing(cloud: Scratch) -> None:
    asked = needs(cloud.project, "staging", ["model_registry"])
    assert lacks("staging", COMPLETE | {"model_registry": ["mlflow"]}, asked, "staging") == []


@pytest.mark.parametrize("lacking", COMPLETE)
def test_each_component_that_the_answers_call_for_is_needed(cloud: Scratch, lacking: str) -> None:
    has = {kind: flavors for kind, flavors in COMPLETE.items() if kind != lacking}
    (violation,) = lacks("staging", has, needs(cloud.project, "staging", []), "staging")
    assert violation.rule == "stack-lacks"
    assert f"stack 'staging' has no {lacking}, and staging needs one" in violation.message
    advice = "`governance stack register --environment staging` registers a stack that has it"
    assert violation.message.endswith(f"in governance/project.yaml); {advice}")


@pytest.mark.parametrize("kind", sorted(COMPLETE.keys() - {"image_builder"}))
def test_another_flavour_is_not_what_the_answers_call_for(cloud: Scratch, kind: str) -> None:
    asked = needs(cloud.project, "production", [])
    (violation,) = lacks("production", COMPLETE | {kind: ["other"]}, asked, "production")
    assert f"has the {kind} other, and production needs one of flavour {COMPLETE[kind][-1]} (" in violation.message


def test_the_answers_ask_nothing_of_a_stack_that_runs_where_the_command_is_called(cloud: Scratch) -> None:
    assert needs(cloud.project, "local", []) == []
    local = cloud.project.model_copy(update={"cloud": "local", "orchestrator": None})
    assert needs(local, "production", []) == []


def test_stack_check_names_everything_that_the_active_stack_lacks(cloud: Scratch, governance: Governance) -> None:
    cloud.write("governance.yaml", "policy: {every: {stack: [model_registry]}, staging: {stack: [data_validator]}}")
    code, out, err = governance("stack", "check", "--environment", "staging")
    assert (code, out) == (3, "")
    assert "stack 'default', the active one, for staging is refused:" in err
    assert [line.split(": ")[0] for line in err.splitlines()[1:]] == ["  - stack-lacks"] * 8
    assert "staging needs one (`stack` in the policy); add one with `zenml stack update`" in err


def test_stack_check_says_what_was_looked_at(cloud: Scratch, governance: Governance) -> None:
    cloud.write("configs/production.yaml", "stack: default")
    cloud.write("governance.yaml", "policy: {every: {stack: [deployer, orchestrator]}}")
    code, out, _ = governance("stack", "check")
    assert code == 0
    assert out.startswith("stack 'default', the active one: artifact_store (local), deployer (local), ")
    assert out.endswith("local needs deployer, orchestrator: all there\n")
    code, _, err = governance("stack", "check", "--environment", "production")
    assert code == 3
    assert "stack 'default', which `stack` in configs/production.yaml names, for production" in err


def test_stack_check_answers_in_json(cloud: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch) -> None:
    del cloud
    monkeypatch.setenv("ZENML_LOCAL_STACK", "default")
    code, out, _ = governance("stack", "check", "--json")
    assert (code, json.loads(out)["chosen_by"], json.loads(out)["needs"]) == (0, "which ZENML_LOCAL_STACK names", [])
    code, out, _ = governance("stack", "check", "--environment", "staging", "--json")
    assert {found["rule"] for found in json.loads(out)["violations"]} == {"stack-lacks"}
    assert code == 3


@pytest.mark.parametrize("arguments", [["--environment", "nowhere"], ["--environment", "staging"]])
def test_stack_check_of_what_does_not_exist_is_wrong_usage(
    cloud: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch, arguments: list[str]
) -> None:
    del cloud
    monkeypatch.setenv("ZENML_STAGING_STACK", "elsewhere")
    assert governance("stack", "check", *arguments)[0] == 2


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (12, "it is no text; write a name, in quotes where YAML takes it for something else"),
        (["a"], "it is no text"),
        (False, "it is no text"),
        ("a" * 256, "it has 256 characters; choose a name of at most 255"),
        (" a", "' a' begins or ends with a blank"),
        ("a\nb", r"'a\nb' begins or ends with a blank, or holds what cannot be printed"),
        ("contains:a", "ZenML reads 'contains:a' as a filter; choose a name that does not begin with contains:"),
        ('oneof:["a"]', "as a filter"),
        ("{{a.b}}", "ZenML reads '{{a.b}}' as a secret"),
    ],
)
def test_what_is_no_name_names_no_stack(monkeypatch: pytest.MonkeyPatch, given: Any, said: str) -> None:
    from governance_core.stacks.choice import named_stack

    monkeypatch.delenv("ZENML_STAGING_STACK", raising=False)
    with pytest.raises(UsageError) as refusal:
        named_stack("staging", {"stack": given})
    assert str(refusal.value).startswith("`stack` in configs/staging.yaml names no stack: ")
    assert said in str(refusal.value)


@pytest.mark.parametrize("given", ["Team A: staging (eu)", "isnull", "a" * 255])
def test_other_names_are_taken_as_they_are(monkeypatch: pytest.MonkeyPatch, given: str) -> None:
    from governance_core.stacks.choice import named_stack

    monkeypatch.delenv("ZENML_STAGING_STACK", raising=False)
    assert named_stack("staging", {"stack": given}) == (given, "`stack` in configs/staging.yaml")


def test_a_submission_for_a_stack_that_lacks_what_the_policy_asks_is_refused(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.client import Client

    scratch.write("governance.yaml", "policy: {staging: {stack: [alerter, orchestrator]}}")
    with pytest.raises(Refused, match="stack 'default' has no alerter, and staging needs one") as refusal:
        scratch.module.training()
    assert [violation.rule for violation in refusal.value.violations] == ["stack-lacks"]
    assert not Client().list_pipeline_runs(model=scratch.project.model_name).items
    monkeypatch.setenv("GOVERNANCE_ENVIRONMENT", "local")
    assert scratch.module.training().status == "completed"


def test_what_a_cloud_needs_is_asked_on_a_server_and_not_on_a_file_of_this_machine(
    cloud: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    from zenml.client import Client

    from governance_core.pipelines.submission import collect
    from governance_core.stacks.choice import active_stack_lacks

    monkeypatch.setenv("GOVERNANCE_ENVIRONMENT", "staging")
    submission = collect(cloud.root, None)
    assert active_stack_lacks(cloud.root, submission) == []
    monkeypatch.setattr(Client().zen_store.config, "url", "https://zenml.example.com")
    assert len(active_stack_lacks(cloud.root, submission)) == len(COMPLETE)
    with pytest.raises(Refused, match="stack-lacks"):
        cloud.module.training()


def answered(cloud: str, orchestrator: str | None, **answers: Any) -> Project:
    where = {"cloud": cloud, "region": None if cloud == "local" else "here", "orchestrator": orchestrator}
    return Scratch(Path(), {**where, "experiment_tracker": "mlflow", **answers}).project


ALL = {
    (flavor.type, flavor.name): flavor
    for cloud, services in ORCHESTRATORS.items()
    for service in services
    for environment in ("local", "staging")
    for chat, channel in (("slack", "C0123ABCD"), ("discord", "112233445566778899"))
    for flavor in flavors(answered(cloud, service, alerter=chat, alert_channel=channel), environment)
}


@pytest.mark.parametrize("kind", sorted(ALL))
def test_each_flavour_of_the_table_is_one_of_zenmls_with_these_keys(store: Path, kind: tuple[str, str]) -> None:  # noqa: ARG001
    from zenml.client import Client
    from zenml.enums import StackComponentType
    from zenml.stack.flavor import Flavor

    ours = ALL[kind]
    theirs = Flavor.from_model(Client().get_flavor_by_name_and_type(ours.name, StackComponentType(ours.type)))
    fields = theirs.config_class.model_fields
    filled = {*ours.keys, *ours.given}
    assert filled <= fields.keys()
    assert {key for key, field in fields.items() if field.is_required()} <= filled
    assert not ours.connected or theirs.service_connector_requirements


def test_the_table_covers_every_answer() -> None:
    assert STORES.keys() | {"local"} == CONNECTORS.keys() | {"local"} == ORCHESTRATORS.keys()
    assert {cloud: tuple(services) for cloud, services in SERVICES.items()} | {"local": (None,)} == ORCHESTRATORS
    assert ALL.keys() >= {("alerter", "slack"), ("alerter", "discord"), ("experiment_tracker", "mlflow")}


@pytest.mark.parametrize("cloud", sorted(CONNECTORS))
def test_a_connector_is_given_what_zenml_asks_of_it(store: Path, cloud: str) -> None:  # noqa: ARG001
    from zenml.client import Client

    with service_connectors():
        kind = Client().get_service_connector_type(cloud)
    schema = kind.auth_method_dict[AUTH_METHOD].config_schema
    assert set(CONNECTORS[cloud]) <= schema["properties"].keys()
    assert set(schema.get("required", ())) <= set(CONNECTORS[cloud])


def test_a_connector_to_azure_is_told_the_one_account_that_it_opens() -> None:
    assert "storage_account" in CONNECTORS["azure"], "else it looks through those of the whole subscription"


@pytest.mark.parametrize("extra", ["gcp", "aws", "azure", "kubernetes"])
def test_an_extra_installs_what_zenmls_integrations_of_these_flavours_need(store: Path, extra: str) -> None:  # noqa: ARG001
    from zenml.client import Client
    from zenml.enums import StackComponentType
    from zenml.integrations.registry import integration_registry

    services = SERVICES.get(extra, SERVICES["gcp"])
    used = [one for name, one in services.items() if (name == "kubernetes") == (extra == "kubernetes")]
    used += STORES.get(extra, ())
    models = [Client().get_flavor_by_name_and_type(one.name, StackComponentType(one.type)) for one in used]
    names = {model.integration for model in models} - {"built-in"} | {extra}
    needed = {Requirement(line) for name in names for line in integration_registry.integrations[name].REQUIREMENTS}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {Requirement(line) for line in project["optional-dependencies"][extra]}
    assert {plain(one) for one in declared} == {plain(one) for one in needed}


def plain(requirement: Requirement) -> tuple[str, str]:
    return canonicalize_name(requirement.name), str(requirement.specifier)
