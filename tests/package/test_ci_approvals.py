"""A release is approved in the name of the people whom the CI system's own API names, and of nobody else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from support.command_line import Governance
from support.forge import GITHUB_TOKEN, RUN_ID, Enter, Forge
from support.scratch import Scratch
from support.trained import journal

from governance_core.lifecycle.promotion import promote

FROM_CI = ("approve", "--from-stage", "staging", "--to-stage", "production", "--from-ci")
TRAINER = "trainer@example.com"


@pytest.fixture(autouse=True)
def staged(trained: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Version 1 is in staging, and production needs approvals by two people."""
    trained.write("governance.yaml", "policy:\n  production:\n    approvals: 2\n")
    trained.commit()
    promote(trained.root, "staging", version=1)
    monkeypatch.chdir(trained.root)
    return trained


def approvals(staged: Scratch) -> list[Any]:
    return [event.body for event in journal(staged) if event.kind == "approval"]


def refused(staged: Scratch) -> list[str]:
    event = journal(staged)[-1]
    assert event.kind == "refusal"
    return [found["rule"] for found in event.body["violations"]]


def test_on_github_the_reviewers_of_the_run_approve(
    staged: Scratch, forge: Forge, enter: Enter, governance: Governance
) -> None:
    forge.approve("ada", "production-review")
    forge.approve("mallory", state="rejected")
    forge.approve("grace")
    enter("github")
    code, out, _ = governance(*FROM_CI, "--reason", "v1.0.0", "--json")
    assert (code, json.loads(out)["given"]) == (0, 2)
    ada, grace = approvals(staged)
    run = f"https://github.example.com/acme/tumours/actions/runs/{RUN_ID}"
    assert ada["actor"] == {
        "id": "ada",
        "verified": False,
        "via": "github review",
        "service_account": None,
        "ci_run": run,
        "aliases": [],
    }
    assert (ada["environment"], grace["environment"], grace["reason"]) == ("production-review", "production", "v1.0.0")
    assert run in governance("ledger", "log", "--limit", 1)[1]
    assert run in governance("model", "show", "--version", 1)[1]
    assert governance("promote", "--from-stage", "staging", "--to-stage", "production")[0] == 0


def test_on_gitlab_those_approve_who_approved_the_deployment(
    staged: Scratch, forge: Forge, enter: Enter, governance: Governance
) -> None:
    forge.approve("ada")
    forge.at = "2999-01-02T03:04:05.678Z"
    enter("gitlab", CI_ENVIRONMENT_NAME="production")
    assert governance(*FROM_CI)[0] == 0
    [ada] = approvals(staged)
    assert (ada["actor"]["id"], ada["actor"]["via"], ada["when"][:10]) == ("ada", "gitlab approval", "2999-01-02")


def test_on_gitlab_whoever_started_a_manual_job_approves(
    staged: Scratch, forge: Forge, enter: Enter, governance: Governance
) -> None:
    forge.player = "ada"
    enter("gitlab", CI_ENVIRONMENT_NAME="production", CI_JOB_MANUAL="true")
    assert governance(*FROM_CI)[0] == 0
    assert [body["actor"]["via"] for body in approvals(staged)] == ["gitlab manual job"]


def test_on_gitlab_whoever_pushed_the_tag_of_a_job_that_nobody_started_does_not(
    staged: Scratch, forge: Forge, enter: Enter, governance: Governance
) -> None:
    forge.player = "pusher"
    enter("gitlab", CI_ENVIRONMENT_NAME="production")
    assert governance(*FROM_CI)[0] == 3
    assert refused(staged) == ["nobody-approved"]


def test_on_jenkins_whoever_answered_the_input_approves(staged: Scratch, enter: Enter, governance: Governance) -> None:
    enter("jenkins", APPROVER="ada")
    assert governance(*FROM_CI)[0] == 0
    [ada] = approvals(staged)
    assert (ada["actor"]["via"], ada["actor"]["ci_run"]) == (
        "jenkins input",
        "https://jenkins.example.com/job/tumours/7/",
    )


def test_where_nobody_is_named_nothing_is_approved(staged: Scratch, enter: Enter, governance: Governance) -> None:
    enter("github")
    code, _, err = governance(*FROM_CI)
    assert code == 3
    assert "names nobody who approved https://github.example.com" in err
    assert approvals(staged) == []
    assert refused(staged) == ["nobody-approved"]


def test_where_the_trainer_alone_is_named_nothing_is_approved(
    staged: Scratch, forge: Forge, enter: Enter, governance: Governance
) -> None:
    forge.approve(TRAINER.upper())
    enter("github")
    assert governance(*FROM_CI)[0] == 3
    assert refused(staged) == ["own-approval"]
    assert approvals(staged) == []


def test_of_two_the_one_who_trained_it_is_passed_over(
    staged: Scratch, forge: Forge, enter: Enter, governance: Governance
) -> None:
    forge.approve(TRAINER)
    forge.approve("ada")
    forge.approve("ADA", "production-review")
    enter("github")
    code, out, _ = governance(*FROM_CI)
    assert code == 0
    assert "ada (unverified) in https://" in out
    assert f"passed over: own-approval: {TRAINER} trained it" in out
    assert [body["actor"]["id"] for body in approvals(staged)] == ["ada"]
    code, out, _ = governance(*FROM_CI)  # the same job again
    assert code == 0
    assert "nobody new approved" in out
    assert len(approvals(staged)) == 1


@pytest.mark.parametrize("system", ["github", "gitlab"])
def test_an_approval_that_may_be_of_what_was_in_staging_before_does_not_count(
    staged: Scratch, forge: Forge, enter: Enter, governance: Governance, system: str
) -> None:
    forge.approve("ada")
    forge.at = "2020-01-02T03:04:05Z"
    enter(system, CI_ENVIRONMENT_NAME="production")
    code, _, err = governance(*FROM_CI)
    assert code == 3
    assert "it came to staging at 20" in err
    assert refused(staged) == ["approved-another"]
    assert approvals(staged) == []


def test_what_is_not_in_staging_is_not_approved_by_the_reviewers_of_a_release(
    staged: Scratch, enter: Enter, governance: Governance
) -> None:
    enter("jenkins", APPROVER="ada")  # which does not say when
    promote(staged.root, "staging", version=2, force=True)
    for number in (1, 3):  # what was there before, and what never was
        code, _, err = governance("approve", "--version", number, "--to-stage", "production", "--from-ci")
        assert (code, refused(staged)) == (3, ["not-in-staging"]), err
    assert approvals(staged) == []
    assert governance("approve", "--version", 2, "--to-stage", "production", "--from-ci")[0] == 0


@pytest.mark.parametrize("status", [401, 403, 404])
def test_an_api_that_refuses_is_wrong_usage_that_names_the_right(
    staged: Scratch, forge: Forge, enter: Enter, governance: Governance, status: int
) -> None:
    forge.refused = {"/approvals": status}
    enter("github")
    code, _, err = governance(*FROM_CI)
    assert code == 2
    assert f"{status}: the token in GITHUB_TOKEN" in err
    assert "`actions: read`" in err
    assert GITHUB_TOKEN not in err
    assert approvals(staged) == []


@pytest.mark.parametrize("missing", ["GITHUB_RUN_ID", "GITHUB_TOKEN", "GITHUB_API_URL"])
def test_a_missing_variable_is_named(
    enter: Enter, governance: Governance, missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    enter("github")
    monkeypatch.delenv(missing)
    code, _, err = governance(*FROM_CI)
    assert code == 2
    assert missing in err


def test_version_and_stage_are_not_both_named(governance: Governance) -> None:
    assert governance("approve", "--to-stage", "production")[0] == 2
    assert governance("approve", "--version", 1, "--from-stage", "staging", "--to-stage", "production")[0] == 2
