"""GitLab's file: read, listed and run by gitlab-ci-local, with the real project against a real ZenML server."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import yaml
from ci.gitlab_jobs import (
    EVENTS,
    OWN,
    commands,
    configuration,
    documented_variables,
    given,
    holds,
    jobs,
    real_jobs,
    schedule,
)
from support.ci_project import CIProjects, job_environment
from support.forge import JOB_ID, REPOSITORY, TOKEN, Forge
from support.jobs import listed_jobs
from support.node import module, node
from support.rendering import ROOT, commit_all, edit, git, project_copy, render
from support.servers import program
from support.zenml_server import ZenMLServer

from governance_core.registry import chains

SLUG = "tumours-on-gitlab"  # the server that the tests of all systems share tells projects apart by name
BIN = Path(sys.executable).parent
STATE = "build/gitlab-ci-local"  # which git ignores
HIGH = {"ci": "gitlab", "risk_tier": "high"}
JOB = f"https://gitlab.example.com/{REPOSITORY}/-/jobs/{JOB_ID}"
SCHEDULED = {
    "batch-inference": ["batch-inference", "alert"],
    "monitor": ["monitor", "report-monitoring", "alert"],
    "settle": ["settle", "alert"],
    "retention": ["retention", "alert"],
    "update-template": ["update-template", "alert"],
}
MISSPELT = ("", "retentoin", "my-settle", "settle-runs", "rollback")
EXPECTED = {
    "change-request": ["test", "check", "train", "report", "report-failed"],
    "fork": ["test", "check", "fork"],
    "merge": ["test", "check", "train-merged", "promote-staging"],
    "release": ["approve-production", "promote-production"],
    "manual": ["rollback"],
}


@dataclass(frozen=True)
class Ran:
    """What a job did: the exit code of its script, and its log."""

    code: int
    log: str


@dataclass
class GitLab:
    """GitLab with one project and a runner: gitlab-ci-local, whose jobs run in the work tree ``root``.

    What it keeps stands below ``home``; ``predefined`` is what GitLab sets in every job, and ``machine`` the runner.
    """

    root: Path
    home: Path
    predefined: dict[str, str] = field(default_factory=dict)
    machine: dict[str, str] = field(default_factory=job_environment)

    def listed(self, event: dict[str, str]) -> list[str]:
        """Return the names of the jobs of a pipeline."""
        done = self._call("--list-json", event=event)
        assert done.returncode == 0, done.stderr
        return [job["name"] for job in json.loads(done.stdout) if job["when"] != "never"]

    def refused(self) -> str:
        """Return why the file is none of GitLab's; nothing where it is one."""
        done = self._call("--list-json", event=EVENTS["change-request"])
        return done.stderr if done.returncode else ""

    def set_variables(self, **values: str) -> None:
        """Give the project the variables that docs/ci.md sets, each in the scopes that it says."""
        scopes: dict[str, dict[str, str]] = {}
        for variable in documented_variables(self.root):
            scopes.setdefault(variable.name, {})[variable.scope] = values[variable.name]
        file = self.home / STATE / "variables.yml"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(yaml.safe_dump({"global": {name: {"values": found} for name, found in scopes.items()}}))

    def run(self, *jobs: str, event: dict[str, str], by: str = "ada", **variables: str) -> dict[str, Ran]:
        """Run jobs of a pipeline, or without names all that nobody must start by hand; return those that ran."""
        # A pipeline by names is one whose jobs were started by hand.
        given = {"GITLAB_USER_LOGIN": by} | ({"CI_JOB_MANUAL": "true"} if "CI_COMMIT_TAG" in event and jobs else {})
        done = self._call(*jobs, "--json-schema-validation=false", event=event | given | variables)
        ended = re.findall(
            r"^(?!pipeline )(\S+) +finished in (?:.*FAIL (\d+))?", done.stdout + done.stderr, re.MULTILINE
        )
        assert ended or not jobs, done.stdout + done.stderr
        logs = self.root / STATE / "output"
        return {job: Ran(int(code or 0), (logs / f"{job}.log").read_text(encoding="utf-8")) for job, code in ended}

    def _call(self, *arguments: str, event: dict[str, str]) -> subprocess.CompletedProcess[str]:
        program("rsync")
        set_ = self.predefined | {"CI_PROJECT_DIR": str(self.root)} | event
        command = [node(), module("gitlab-ci-local/dist/index.js"), f"--home={self.home}", f"--state-dir={STATE}"]
        command += ["--force-shell-executor", "--ignore-predefined-vars", ",".join(set_)]
        command += [f"--variable={name}={value}" for name, value in set_.items()]
        command += [] if "CI_COMMIT_BRANCH" in event else ["--unset-variable=CI_COMMIT_BRANCH"]
        return subprocess.run(
            [*command, *arguments], cwd=self.root, env=self.machine, capture_output=True, text=True, check=False
        )


def gitlab(root: Path, home: Path, predefined: dict[str, str] | None = None, **machine: str) -> GitLab:
    """Return GitLab with a project that stands in a folder."""
    git(root, "remote", "add", "gcl-origin", "https://gitlab.example.com/acme/tumours.git")
    return GitLab(root, home, predefined or {}, job_environment() | machine)


@pytest.fixture
def copied(tmp_path: Path) -> GitLab:
    """Return GitLab with a render that a test may edit."""
    return gitlab(project_copy(tmp_path / "project", **HIGH), tmp_path)


def test_a_pipeline_holds_the_jobs_of_its_event_and_no_others(copied: GitLab) -> None:
    assert {event: copied.listed(set_) for event, set_ in EVENTS.items()} == EXPECTED
    assert {job: copied.listed(schedule(job)) for job in SCHEDULED} == SCHEDULED
    assert [job for job in MISSPELT if copied.listed(schedule(job)) != ["misspelt", "alert"]] == []


def test_a_fork_is_told_that_nothing_is_trained(copied: GitLab) -> None:
    ran = copied.run("fork", event=EVENTS["fork"])["fork"]
    assert ran.code == 0
    assert "A fork is given no variables, so nothing is trained" in ran.log


def test_a_schedule_of_no_job_fails_and_names_the_jobs_that_there_are(copied: GitLab) -> None:
    ran = copied.run("misspelt", event=schedule("retentoin"))["misspelt"]
    assert ran.code == 2
    assert "JOB is 'retentoin' and must be " in ran.log
    assert all(job in ran.log for job in SCHEDULED)


@pytest.mark.parametrize(
    ("event", "admitted"),
    [
        *((event, True) for event in [*EVENTS.values(), *map(schedule, SCHEDULED)]),
        (EVENTS["change-request"] | {"CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "other"}, False),
        (EVENTS["merge"] | {"CI_COMMIT_BRANCH": "feature"}, False),
        (EVENTS["merge"] | {"CI_COMMIT_BRANCH": "staging"}, True),
        (EVENTS["release"] | {"CI_COMMIT_TAG": "draft"}, False),
        (EVENTS["manual"] | {"JOB": ""}, False),
        (EVENTS["manual"] | {"CI_COMMIT_BRANCH": "feature"}, False),
        (schedule("monitor") | {"CI_COMMIT_BRANCH": "staging"}, False),
    ],
)
def test_other_events_start_no_pipeline(event: dict[str, str], admitted: bool) -> None:
    rules = configuration(render(ci="gitlab") / ".gitlab-ci.yml")["workflow"]["rules"]
    assert any(holds(rule["if"], event) for rule in rules) is admitted


def test_both_snapshot_modes_and_all_tiers_but_high_have_the_same_file() -> None:
    answers: list[dict[str, str]] = [
        {},
        {"snapshot_mode": "pro"},
        {"risk_tier": "minimal"},
        {"problem": "regression"},
    ]
    assert len({(render(ci="gitlab", **each) / ".gitlab-ci.yml").read_bytes() for each in answers}) == 1


def shell_findings(project: Path) -> list[str]:
    """Return what shellcheck says of each job's commands, run together as GitLab runs them."""
    found = []
    for name, job in real_jobs(project).items():
        block = "\n".join(["#!/bin/bash", "set -eo pipefail", *commands(job, "before_script"), *commands(job), ""])
        done = subprocess.run(
            [BIN / "shellcheck", "--format=gcc", "-"], input=block, capture_output=True, text=True, check=False
        )
        found += [f"{name}: {line}" for line in done.stdout.splitlines()]
    return found


@pytest.mark.parametrize("tier", ["limited", "high"])
def test_the_file_and_its_shell_blocks_have_no_finding(tier: str) -> None:
    project = render(ci="gitlab", risk_tier=tier)
    command = [BIN / "yamllint", "--strict", "--config-file", ROOT / ".yamllint.yml", project / ".gitlab-ci.yml"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert shell_findings(project) == []


def differences(project: Path, cloud: str = "local") -> list[str]:
    """Return the jobs of a render that are not as `jobs.yaml` lists them, apart from how they call their verb."""
    listed = {job.name: replace(job, runs=()) for job in listed_jobs("high", cloud)}
    found = {job.name: replace(job, runs=()) for job in jobs(project)}
    return sorted(name for name in listed | found if listed.get(name) != found.get(name))


def test_the_jobs_are_those_that_every_system_has() -> None:
    assert differences(render(**HIGH)) == []


@pytest.mark.parametrize(
    ("slip", "said"),
    [
        (("  script: make lint test", "  scirpt: make lint test"), "test must have script specified"),
        (("environment:\n    name: production\n", "enviroment:\n    name: production\n"), "enviroment"),
        (("  needs: [train]", "  needs: [trian]"), "trian"),
        (("  extends: .comment", "  extends: .coment"), ".coment"),
        (("stage: promote", "stage: promotion"), "promotion"),
        (("!reference [.rules, release]", "!reference [.rules, relaese]"), "relaese"),
        (("=~ /^(main|staging)$/", "=~ /^(main|staging$/"), "Error attempting to evaluate"),
    ],
)
def test_gitlab_refuses_a_slip(slip: tuple[str, str], said: str, copied: GitLab) -> None:
    edit(copied.root / ".gitlab-ci.yml", *slip)
    assert said in copied.refused()


@pytest.mark.parametrize(
    ("slip", "names"),
    [
        (("      when: manual\n", ""), ["approve-production", "promote-production"]),
        (("      allow_failure: false\n", ""), ["approve-production", "promote-production"]),
        (("    name: production-review\n", "    name: staging\n"), ["approve-production"]),
        (("  needs: [approve-production]\n", ""), ["promote-production"]),
        (("  needs: [test, check]\n", "  needs: [check]\n"), ["train"]),
        (("      when: always\n", ""), ["report-monitoring"]),
        (("scripts/preflight.py production", "scripts/preflight.py staging"), ["batch-inference", "monitor"]),
        (('$JOB == "settle"', '$JOB == "setle"'), ["settle"]),
        (
            ("SOURCE_PROJECT_ID == $CI_MERGE_REQUEST_PROJECT_ID", "SOURCE_PROJECT_ID == $CI_PROJECT_ID"),
            ["train", "report"],
        ),
    ],
)
def test_a_slip_that_gitlab_takes_differs_from_the_list_of_jobs(
    slip: tuple[str, str], names: list[str], tmp_path: Path
) -> None:
    project = project_copy(tmp_path / "project", **HIGH)
    edit(project / ".gitlab-ci.yml", *slip)
    assert differences(project) == sorted(names)


def test_an_unquoted_variable_in_a_shell_block_is_found(tmp_path: Path) -> None:
    project = project_copy(tmp_path / "project", **HIGH)
    edit(project / ".gitlab-ci.yml", '--reason "$REASON"', "--reason $REASON")
    (finding,) = shell_findings(project)
    assert finding.startswith("rollback: ")
    assert "SC2086" in finding


@pytest.mark.parametrize("cloud", ["local", "gcp", "aws", "azure"])
def test_each_job_is_given_what_it_needs_and_nothing_else(cloud: str) -> None:
    project = render(**HIGH, cloud=cloud)
    variables = {name: given(project, job) for name, job in real_jobs(project).items()}
    plain = {name: {variable.name for variable in found if not variable.secret} for name, found in variables.items()}
    for job in jobs(project):
        stack = {f"ZENML_{job.zenml.upper()}_STACK"} if job.zenml else set()
        server = {"ZENML_STORE_URL"} if job.zenml is not None else set()
        assert stack | server <= plain[job.name], job.name
        assert any(name.startswith(f"{cloud.upper()}_") for name in plain[job.name]) is job.cloud, job.name
    assert {name for name, found in variables.items() if not found} == {"test", "check", "fork", *OWN}
    roles = {(name, variable.role) for name, found in variables.items() for variable in found if variable.role}
    assert roles == {
        *((name, "reporter") for name in ("report", "report-failed", "report-monitoring", "alert")),
        ("update-template", "developer"),
    }
    assert differences(project, cloud) == []


# The options that glab's own documentation lists, of the commands that ours uses.
GLAB = {
    ("variable", "set"): {"--scope", "--masked", "--raw", "--protected"},
    ("token", "create"): {"--access-level", "--scope", "--duration"},
    ("schedule", "create"): {"--ref", "--cron", "--description", "--variable"},
    ("api",): {"--method", "--field", "--header", "--input"},
}


@pytest.mark.parametrize(
    "answers",
    [
        {"risk_tier": "limited"},
        {"risk_tier": "high", "snapshot_mode": "pro"},
        {"cloud": "gcp"},
        {"cloud": "azure", "risk_tier": "high"},
        {"governance_source": "git", "governance_location": "https://git.example.com/platform/governed.git"},
        {"governance_source": "index", "governance_location": "https://packages.example.com/simple"},
    ],
)
def test_the_commands_that_set_gitlab_up_are_ones_that_glab_takes(answers: dict[str, str]) -> None:
    project = render(ci="gitlab", **answers)
    page = (project / "docs/ci.md").read_text(encoding="utf-8")
    lines = [line for block in re.findall(r"```console\n(.*?)```", page, re.DOTALL) for line in block.splitlines()]
    for line in lines:
        tool, *words = shlex.split(line)
        if tool != "glab":
            continue  # test_consistency.py reads it
        known = next(options for command, options in GLAB.items() if tuple(words[: len(command)]) == command)
        assert {word for word in words if word.startswith("--")} <= known, line
    protected = [json.loads(shlex.split(line)[-1])["name"] for line in lines if "protected_environments" in line]
    waiting = [job for job in real_jobs(project).values() if "manual" in str(job["rules"])]
    assert protected == [job["environment"]["name"] for job in waiting]


def test_what_gitlab_lists_as_a_deployment_is_a_promotion() -> None:
    found = {
        name
        for name, job in real_jobs(render(**HIGH)).items()
        if "action" not in job.get("environment", {"action": ""})
    }
    assert found == {"promote-staging", "approve-production", "promote-production"}


def test_what_looks_at_history_gets_all_of_it() -> None:
    for name, job in real_jobs(render(**HIGH)).items():
        looks = any(
            words in command for command in commands(job) for words in ("--this-tree", "--branch", "snapshot run")
        )
        assert not looks or job["variables"]["GIT_DEPTH"] == "0", name


def test_the_cache_is_nothing_that_git_sees_and_the_image_is_one_release(tmp_path: Path) -> None:
    """A tree with files of its own is not released."""
    project = project_copy(tmp_path / "project", ci="gitlab")
    default = configuration(project / ".gitlab-ci.yml")["default"]
    for path in default["cache"]["paths"]:
        git(project, "check-ignore", "--quiet", f"{path}/file")
    assert re.fullmatch(r"python:3\.\d+\.\d+-[a-z]+", default["image"])


# ------------------------------------------------------------------------------------------------- jobs that really run


@pytest.fixture(scope="module")
def forge() -> Iterator[Forge]:
    """Return the stand-in of GitLab's API."""
    with Forge() as running:
        yield running


@pytest.fixture(scope="module")
def project(
    ci_project: CIProjects, zenml_server: ZenMLServer, forge: Forge, tmp_path_factory: pytest.TempPathFactory
) -> GitLab:
    """Return GitLab with the real project, the server's variables in their scopes, and the API's address."""
    home = tmp_path_factory.mktemp("gitlab")
    root = ci_project("gitlab", risk_tier="high", project_slug=SLUG).root
    server = zenml_server.env()
    settings = {variable.name for variable in documented_variables(root)}
    api = {name: value for name, value in forge.environment("gitlab").items() if name not in settings}
    # The machine's cache, where the file has one of the project's own, which GitLab fills.
    predefined = api | {"UV_CACHE_DIR": os.environ["UV_CACHE_DIR"]}
    found = gitlab(root, home, predefined, **{name: value for name, value in server.items() if name not in settings})
    found.set_variables(**server, TEMPLATE_UPDATE_TOKEN=TOKEN)
    return found


@dataclass(frozen=True)
class MergeRequest:
    """What the jobs of a merge request of ada's did, and the comments that were there afterwards."""

    jobs: dict[str, Ran]
    comments: list[str]


@pytest.fixture(scope="module")
def merge_request(project: GitLab, forge: Forge) -> MergeRequest:
    """Return the merge request that the others build on."""
    git(project.root, "switch", "--quiet", "--create", "change")
    edit(project.root / "configs/staging.yaml", "n_estimators: 100", "n_estimators: 30")
    for slow in ("test_monitoring.py", "test_training.py"):  # they are run elsewhere; here it matters that some are
        (project.root / "tests" / slow).unlink()
    commit_all(project.root, "Train with fewer trees")
    return MergeRequest(project.run(event=EVENTS["change-request"], by="ada"), forge.comments)


@pytest.fixture(scope="module")
def merged(project: GitLab, merge_request: MergeRequest) -> dict[str, Ran]:
    """Return what the jobs did that follow when it is merged."""
    assert merge_request.jobs["test"].code == merge_request.jobs["train"].code == 0, merge_request
    git(project.root, "switch", "--quiet", "main")
    git(project.root, "merge", "--quiet", "--ff-only", "change")
    git(project.root, "push", "--quiet", "origin", "main")
    return project.run("train-merged", "promote-staging", event=EVENTS["merge"], by="grace")


@pytest.fixture(scope="module")
def unapproved(project: GitLab, merged: dict[str, Ran]) -> tuple[dict[str, Ran], Ran]:
    """Return what a tag starts by itself, and what its first job did for nobody."""
    assert merged["promote-staging"].code == 0, merged
    by_itself = project.run(event=EVENTS["release"])
    refused = project.run("approve-production", event=EVENTS["release"], CI_JOB_MANUAL="")
    return by_itself, refused["approve-production"]


@pytest.fixture(scope="module")
def released(project: GitLab, forge: Forge, unapproved: tuple[dict[str, Ran], Ran]) -> dict[str, Ran]:
    """Return what the jobs of a tag did that grace and then hedy started."""
    assert unapproved[1].code, unapproved
    done = {}
    for forge.player, job in (("grace", "approve-production"), ("hedy", "promote-production")):
        done |= project.run(job, event=EVENTS["release"], by=forge.player)
    return done


def test_a_merge_request_trains_and_its_comment_shows_the_metrics_and_is_updated_in_place(
    project: GitLab, merge_request: MergeRequest, forge: Forge
) -> None:
    assert {job: ran.code for job, ran in merge_request.jobs.items()} == dict.fromkeys(
        ["test", "check", "train", "report"], 0
    )
    (comment,) = merge_request.comments
    assert all(f"| {metric} | " in comment for metric in ("accuracy", "precision", "recall"))
    assert f"| trained by | ada through ci (unverified) in {JOB} |" in comment
    forge.change_requests[0].comments = {number: text + "outdated" for number, text in enumerate(forge.comments, 1)}
    assert project.run("report", event=EVENTS["change-request"])["report"].code == 0
    assert forge.comments == [comment]


@pytest.mark.usefixtures("merge_request")
def test_a_failed_gate_fails_the_job_and_is_reported(project: GitLab, forge: Forge) -> None:
    git(project.root, "switch", "--quiet", "--create", "strict")
    edit(project.root / "governance.yaml", "max_missing_fraction: 0.05", "min_rows: 100000")
    commit_all(project.root, "Ask for more rows than there are")
    ran = project.run("train", "report-failed", event=EVENTS["change-request"])
    git(project.root, "switch", "--quiet", "-")
    assert ran["train"].code == 3
    assert "metric-min: rows = 569 must be at least 100000 (governance.yaml)" in ran["train"].log
    assert ran["report-failed"].code == 0
    assert "rows = 569 must be at least 100000" in forge.comments[0]


def test_a_merge_takes_the_version_of_its_tree_to_staging_and_trains_nothing_twice(merged: dict[str, Ran]) -> None:
    assert "version 1 was trained from these files; nothing was done" in merged["train-merged"].log
    assert "version 1 went to staging" in merged["promote-staging"].log


def test_nobody_goes_to_production_without_a_person_that_gitlab_names(
    unapproved: tuple[dict[str, Ran], Ran],
) -> None:
    by_itself, refused = unapproved
    assert by_itself == {}
    assert refused.code == 3
    assert "nobody-approved: the CI system names nobody" in refused.log


def test_a_tag_goes_to_production_when_two_people_started_it_and_the_ledger_says_so(
    released: dict[str, Ran], zenml_server: ZenMLServer
) -> None:
    assert "it has 1 of 2 approvals" in released["approve-production"].log
    assert "version 1 went to production" in released["promote-production"].log
    with zenml_server.connected():
        events = [event for event in chains.journal(SLUG).events() if event.kind == "approval"]
    assert [event.body["actor"]["id"] for event in events] == ["grace", "hedy"]
    assert {event.body["actor"]["ci_run"] for event in events} == {JOB}


@pytest.mark.usefixtures("released")
@pytest.mark.parametrize("job", SCHEDULED)
def test_a_schedule_does_what_its_variable_says(job: str, project: GitLab) -> None:
    ran = project.run(event=schedule(job))
    assert {name: done.code for name, done in ran.items()} == dict.fromkeys(SCHEDULED[job][:-1], 0)


def test_a_scheduled_job_that_fails_keeps_one_issue_open(project: GitLab, forge: Forge) -> None:
    for _ in range(2):
        ran = project.run(event=schedule("settle"), ZENML_STORE_URL="")
        assert (ran["settle"].code, ran["alert"].code) == (2, 0)
    assert [issue.title for issue in forge.open_issues if "settle" in issue.title] == [
        "The scheduled job settle failed"
    ]


@pytest.mark.usefixtures("released")
def test_the_reason_of_a_rollback_is_text_whatever_it_holds(
    project: GitLab, zenml_server: ZenMLServer, tmp_path: Path
) -> None:
    reason = f"alarms; $(touch {tmp_path}/run) `touch {tmp_path}/run` 'on' \"healthy\" * patients"
    ran = project.run(event=EVENTS["manual"] | {"REASON": reason}, by="hedy")["rollback"]
    assert ran.code == 3
    assert "nothing-before: the ledger knows no version that was in production before" in ran.log
    with zenml_server.connected():
        *_, refusal = chains.journal(SLUG).events()
    assert refusal.body["reason"] == reason
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("lack", "said"),
    [
        ({"ZENML_STORE_URL": ""}, "not set: ZENML_STORE_URL"),
        ({"ZENML_STORE_URL": "http://127.0.0.1:1"}, "no server answers, correct ZENML_STORE_URL"),
        ({"ZENML_STORE_API_KEY": "ZENKEY_wrong"}, "the ZenML server refuses ZENML_STORE_API_KEY"),
        ({"ZENML_STAGING_STACK": "stagign"}, "ZENML_STAGING_STACK: no stack 'stagign'"),
    ],
)
def test_a_job_says_first_what_it_lacks_and_shows_no_secret(
    lack: dict[str, str], said: str, project: GitLab, zenml_server: ZenMLServer
) -> None:
    ran = project.run("train", event=EVENTS["change-request"], **lack)["train"]
    assert ran.code == 2
    assert said in ran.log
    assert "make setup" not in ran.log
    assert not any(secret in ran.log for secret in (zenml_server.key, TOKEN, "ZENKEY_wrong"))
