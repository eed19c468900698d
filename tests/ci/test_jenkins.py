"""The Jenkinsfile of a render: read as Jenkins reads it, and built against a real ZenML server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from ci.jenkins_jobs import EVENTS, OPERATIONS, commands, credentials, models, stages
from support.jenkins import Build, Event, Jenkins, Model, read
from support.rendering import files, render

LIMITED, HIGH = ("limited", "high")
VERIFIED = ["build", "setup", "verify", "test", "check"]
SECRETS = {
    "zenml-staging": "key-of-staging",
    "zenml-production": "key-of-production",
    "zenml-production-review": "key-of-production",
    "zenml-operations": "key-of-operations",
    "forge-staging": "token-of-staging",
    "forge-operations": "token-of-operations",
}


def jenkinsfile(risk_tier: str = LIMITED) -> Path:
    return render(ci="jenkins", risk_tier=risk_tier) / "Jenkinsfile"


@pytest.fixture(scope="module")
def read_models() -> dict[str, dict[str, Model]]:
    """Return what Jenkins makes of the file, by risk tier and event."""
    found = models(jenkinsfile(LIMITED), jenkinsfile(HIGH))
    return {tier: found[jenkinsfile(tier)] for tier in (LIMITED, HIGH)}


def rehearse(
    model: Model, event: Event, *approvers: str, failing: str = "", secrets: Mapping[str, str] = SECRETS
) -> Build:
    """Build with a shell that runs nothing; scripts that hold ``failing`` fail."""

    def shell(script: str, _: Mapping[str, str]) -> tuple[int, str]:
        return (3, "refused") if failing and failing in script else (0, "")

    return Jenkins(Path("/workspace"), {"PATH": "/usr/bin"}, secrets, shell).build(model, event, approvers)


# --------------------------------------------------------------------------------------------------------- the file


def test_both_snapshot_modes_have_the_same_file_and_it_alone_is_rendered() -> None:
    pro, oss = (files(render(ci="jenkins", snapshot_mode=mode)) for mode in ("pro", "oss"))
    assert pro["Jenkinsfile"] == oss["Jenkinsfile"]
    assert pro.keys() == oss.keys()
    assert not {path for path in oss if path.startswith((".github/", ".gitlab-ci"))}
    assert "Jenkinsfile" not in files(render(ci="gitlab"))


@pytest.mark.parametrize(
    ("event", "ran"),
    [
        ("change-request", [*VERIFIED, "train"]),
        ("fork", ["build", "fork", *VERIFIED[1:]]),
        ("merge", [*VERIFIED, "train-merged", "promote-staging"]),
        ("release", ["promote-production"]),
        *((job, ["scheduled", job]) for job in OPERATIONS if job != "rollback"),
        ("rollback", ["rollback"]),
    ],
)
def test_an_event_runs_its_stages_and_no_other(
    read_models: dict[str, dict[str, Model]], event: str, ran: list[str]
) -> None:
    build = rehearse(read_models[LIMITED][event], EVENTS[event], "grace")
    assert (build.result, build.ran) == ("SUCCESS", ran)


def test_what_a_branch_or_a_change_request_asks_for_runs_on_main_only() -> None:
    elsewhere = [
        Event({"BRANCH_NAME": "feature"}),
        Event({"BRANCH_NAME": "PR-3", "CHANGE_ID": "3", "CHANGE_TARGET": "feature"}),
        Event({"BRANCH_NAME": "nightly", "TAG_NAME": "nightly"}),
        *(Event(EVENTS["change-request"].env, {"JOB": job}) for job in OPERATIONS),
        *(Event({"BRANCH_NAME": "staging"}, {"JOB": job}) for job in OPERATIONS),
    ]
    for event, model in zip(elsewhere, read((jenkinsfile(), event) for event in elsewhere), strict=True):
        assert rehearse(model, event, "grace").ran == [], event


def test_main_alone_has_a_schedule_and_it_starts_each_scheduled_stage(
    read_models: dict[str, dict[str, Model]],
) -> None:
    by_event = read_models[LIMITED]
    scheduled = {trigger["params"]["JOB"] for trigger in by_event["merge"]["triggers"]}
    (group,) = (stage for stage in stages(by_event["merge"]) if stage["name"] == "scheduled")
    assert scheduled == {stage["name"] for stage in group["stages"]} == set(OPERATIONS) - {"rollback"}
    assert by_event["change-request"]["triggers"] == by_event["release"]["triggers"] == []


# ------------------------------------------------------------------------------------------------- rights and order


def test_a_secret_is_bound_only_where_it_is_needed(read_models: dict[str, dict[str, Model]]) -> None:
    bound = {stage["name"]: credentials(stage) for stage in stages(read_models[HIGH]["merge"]) if credentials(stage)}
    key = "ZENML_STORE_API_KEY"
    assert bound == {
        **{name: {key: "zenml-staging"} for name in ("train", "train-merged", "promote-staging")},
        "approve-production": {key: "zenml-production-review"},
        "promote-production": {key: "zenml-production"},
        **{name: {key: "zenml-operations"} for name in OPERATIONS if name != "update-template"},
        "update-template": {"TEMPLATE_UPDATE_TOKEN": "forge-operations"},
    }


def test_the_code_of_a_change_request_never_runs_beside_a_token_that_may_write(
    read_models: dict[str, dict[str, Model]],
) -> None:
    secrets = set(SECRETS.values())
    change = rehearse(read_models[LIMITED]["change-request"], EVENTS["change-request"])
    given = {script: secrets & set(env.values()) for script, env in change.shells}
    assert given["make lint test"] == given["governance check"] == set()
    assert given["governance snapshot create --pipeline training --environment staging --run"] == {"key-of-staging"}
    assert given["governance report training --comment"] == {"key-of-staging", "token-of-staging"}
    fork = rehearse(read_models[LIMITED]["fork"], EVENTS["fork"])
    assert not any(secrets & set(env.values()) for _, env in fork.shells)
    assert "gets no secrets" in fork.log


@pytest.mark.parametrize("failing", ["make lint test", "governance check"])
def test_what_fails_the_checks_is_neither_trained_nor_reported(
    read_models: dict[str, dict[str, Model]], failing: str
) -> None:
    build = rehearse(read_models[LIMITED]["change-request"], EVENTS["change-request"], failing=failing)
    assert (build.result, build.stages["train"]) == ("FAILURE", "SKIPPED")
    assert not [script for script, _ in build.shells if script.startswith(("governance snapshot", "governance report"))]


def test_a_run_that_fails_is_reported_and_a_scheduled_one_opens_an_issue(
    read_models: dict[str, dict[str, Model]],
) -> None:
    for event in ("change-request", *OPERATIONS):
        verb = "scripts/update_template.py" if event == "update-template" else "governance r"
        verb = "governance snapshot" if event in ("change-request", "batch-inference", "monitor") else verb
        build = rehearse(read_models[LIMITED][event], EVENTS[event], failing=verb)
        after = [script for script, _ in build.shells if " report " in script or " alert " in script]
        alert = ['governance ci alert --job "$JOB"']
        expected = {
            "change-request": ["governance report training --comment"],
            "monitor": ["governance report monitoring --issue", *alert],
            "rollback": [],
        }
        assert (build.result, after) == ("FAILURE", expected.get(event, alert)), event


@pytest.mark.parametrize(("risk_tier", "asked"), [(LIMITED, 1), (HIGH, 2)])
def test_a_release_waits_for_as_many_people_as_the_tier_asks(
    read_models: dict[str, dict[str, Model]], risk_tier: str, asked: int
) -> None:
    model, people = read_models[risk_tier]["release"], ["grace", "alan"]
    for answered in range(asked):
        build = rehearse(model, EVENTS["release"], *people[:answered])
        assert (build.result, build.stages["promote-production"]) == (
            "ABORTED",
            "ABORTED" if answered == asked - 1 else "SKIPPED",
        )
        assert not [script for script, _ in build.shells if " promote " in script]
    build = rehearse(model, EVENTS["release"], *people[:asked])
    assert build.result == "SUCCESS"
    approvals = [env["APPROVER"] for script, env in build.shells if " approve " in script]
    assert approvals == people[:asked]
    questions = [stage["input"] for stage in stages(model) if stage["input"]]
    assert {question["submitter"] for question in questions} == {"production-approvers"}


def test_a_credential_that_is_not_there_is_named_and_nothing_is_run_with_others(
    read_models: dict[str, dict[str, Model]],
) -> None:
    secrets = {name: secret for name, secret in SECRETS.items() if name != "zenml-operations"}
    build = rehearse(read_models[LIMITED]["settle"], EVENTS["settle"], secrets=secrets)
    assert build.result == "FAILURE"
    assert "'zenml-operations'" in build.log
    assert [script for script, _ in build.shells] == ['governance ci alert --job "$JOB"']


# ---------------------------------------------------------------------------------------- slips, and how they show


def scripts(model: Model) -> list[str]:
    return [
        script
        for stage in stages(model)
        for steps in [stage["steps"], *stage["post"].values()]
        for script in commands(steps)
    ]


def shellcheck(found: list[str]) -> str:
    """Return what shellcheck says of scripts."""
    said = ""
    for script in found:
        command = [str(Path(sys.executable).with_name("shellcheck")), "--shell=sh", "--format=gcc", "-"]
        said += subprocess.run(command, input=f"{script}\n", capture_output=True, text=True, check=False).stdout
    return said


def test_shellcheck_finds_nothing_in_the_scripts(read_models: dict[str, dict[str, Model]]) -> None:
    assert shellcheck(sorted(set(scripts(read_models[HIGH]["merge"])))) == ""


SLIPS = {
    "a section": ("    stages {\n", "    stagez {\n", "pipeline does not know 'stagez'"),
    "a brace": ("agent none\n", "agent none }\n", "Unexpected input"),
    "no agent": ("    agent none\n", "", "pipeline lacks agent"),
    "two agents": ("    agent none\n", "    agent none\n    agent any\n", "pipeline has two 'agent'"),
    "an option": ("timestamps()", "timestamp()", "options of pipeline does not know 'timestamp'"),
    "a step": ("sh 'make setup'", "shell 'make setup'", "does not know 'shell'"),
    "a step of Groovy": ("sh 'make setup'", "println 'make setup'", "does not know 'println'"),
    "a condition": ("branch 'main'\n", "branc 'main'\n", "does not know 'branc'"),
    "an argument": ("changeRequest target: 'main'", "changeRequest targit: 'main'", "does not know targit"),
    "a parameter": ("params.JOB == 'rollback'", "param.JOB == 'rollback'", "nothing is called 'param'"),
    "a stage twice": ("stage('settle')", "stage('retention')", "two stages are called 'retention'"),
    "a choice in the schedule": ("%JOB=settle", "%JOB=settel", "JOB has no choice 'settel'"),
    "a reason that Groovy puts in": (
        """'governance rollback --reason "$REASON"'""",
        '"governance rollback $REASON"',
        "reads 'REASON'",
    ),
}


def test_a_slip_in_the_file_is_found_before_a_build_starts(tmp_path: Path) -> None:
    text = jenkinsfile().read_text(encoding="utf-8")
    asked = []
    for name, (old, new, _) in SLIPS.items():
        assert old in text, name
        (tmp_path / name).write_text(text.replace(old, new, 1), encoding="utf-8")
        asked.append((tmp_path / name, EVENTS["merge"]))
    for (name, (_, _, said)), model in zip(SLIPS.items(), read(asked), strict=True):
        assert said in model.get("error", "nothing"), (name, model.get("error"))
