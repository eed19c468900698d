"""`governance model list` and `show` tell of every version what the journal and the registry hold."""

from __future__ import annotations

import json

import pytest
from support.command_line import Governance
from support.scratch import Scratch
from zenml.client import Client


@pytest.fixture(autouse=True)
def in_the_project(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scratch.root)


def test_versions_with_stage_metrics_gates_and_approvals(
    scratch: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = scratch.module.training()
    Client().create_model_version(scratch.project.model_name)
    Client().update_model_version(scratch.project.model_name, 1, stage="staging")
    monkeypatch.setenv("GOVERNANCE_ACTOR", "approver@example.com")
    assert governance("approve", "--version", 1, "--to-stage", "production", "--reason", "fine")[0] == 0

    code, out, _ = governance("model", "list", "--json")
    assert code == 0
    orphan, trained = json.loads(out)["versions"]
    assert (orphan["version"], orphan["evidence"], orphan["metrics"], orphan["gates"]) == (2, None, {}, {})
    assert (trained["version"], trained["stage"], trained["environment"]) == (1, "staging", "staging")
    assert trained["metrics"] == {"accuracy": 1.0, "precision": 1.0, "recall": 1.0, "f1": 1.0}
    assert trained["gates"] == {"validate_data_quality": True, "validate_model_performance": True}
    assert [approval["actor"]["id"] for approval in trained["approvals"]] == ["approver@example.com"]
    assert trained["run"] == str(run.id)
    assert json.loads(governance("model", "show", "--version", 1, "--json")[1]) == trained

    lines = governance("model", "list")[1].splitlines()
    assert lines[1].split() == ["2", "none", "no", "evidence", "none", "0", "none"]
    assert "2 of 2 passed" in lines[2]
    assert "trainer@example.com (unverified)" in governance("model", "show", "--version", 1)[1]
    assert len(governance("model", "list", "--limit", 1)[1].splitlines()) == 2


def test_an_unknown_version_is_wrong_usage(scratch: Scratch, governance: Governance) -> None:
    scratch.module.training()
    code, out, err = governance("model", "show", "--version", 9)
    assert (code, out) == (2, "")
    assert "has no version 9" in err
