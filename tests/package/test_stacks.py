"""What a stack must have, and what refuses one that lacks it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from support.command_line import Governance
from support.scratch import Scratch, scratch_project

from governance_core.core import Refused
from governance_core.policy.file import ComponentType
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
    assert "in governance/project.yaml); `governance stack register --environment staging` adds it" in violation.message


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
