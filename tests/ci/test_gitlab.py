"""GitLab's file: read, listed and run by gitlab-ci-local, with the real project against a real ZenML server."""

from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from ci.gitlab_jobs import EVENTS, commands, configuration, holds, jobs, real_jobs, schedule
from support.ci_project import job_environment
from support.jobs import listed_jobs
from support.node import module, node
from support.rendering import ROOT, edit, git, project_copy, render
from support.servers import program

BIN = Path(sys.executable).parent
STATE = "build/gitlab-ci-local"  # which git ignores
HIGH = {"ci": "gitlab", "risk_tier": "high"}
SCHEDULED = {
    "batch-inference": ["batch-inference", "alert"],
    "monitor": ["monitor", "report-monitoring", "alert"],
    "settle": ["settle", "alert"],
    "retention": ["retention", "alert"],
    "update-template": ["update-template", "alert"],
}
EXPECTED = {
    "change-request": ["test", "check", "train", "report", "report-failed"],
    "fork": ["test", "check", "fork"],
    "merge": ["test", "check", "train-merged", "promote-staging"],
    "release": ["approve-production", "promote-production"],
    "manual": ["rollback"],
}


@dataclass
class GitLab:
    """GitLab with one project and a runner: gitlab-ci-local, whose jobs run in the work tree ``root``.

    ``variables`` are the project's: by name and scope, as the settings of GitLab hold them.
    """

    root: Path
    home: Path
    variables: dict[str, dict[str, str]] = field(default_factory=dict)

    def listed(self, event: dict[str, str]) -> list[str]:
        """Return the names of the jobs of a pipeline."""
        done = self._call("--list-json", event=event)
        assert done.returncode == 0, done.stderr
        return [job["name"] for job in json.loads(done.stdout) if job["when"] != "never"]

    def refused(self) -> str:
        """Return why the file is none of GitLab's; nothing where it is one."""
        done = self._call("--list-json", event=EVENTS["change-request"])
        return done.stderr if done.returncode else ""

    def _call(self, *arguments: str, event: dict[str, str]) -> subprocess.CompletedProcess[str]:
        program("rsync")
        kept = {"CI_COMMIT_BRANCH"} & event.keys()
        given = [f"--variable={name}={value}" for name, value in event.items()]
        unset = [] if kept else ["--unset-variable=CI_COMMIT_BRANCH"]
        command = [node(), module("gitlab-ci-local/dist/index.js"), f"--home={self.home}", f"--state-dir={STATE}"]
        command += ["--force-shell-executor", "--ignore-predefined-vars", ",".join(event), *given, *unset, *arguments]
        return subprocess.run(
            command, cwd=self.root, env=job_environment(), capture_output=True, text=True, check=False
        )


def gitlab(root: Path, home: Path) -> GitLab:
    """Return GitLab with a project that stands in a folder."""
    git(root, "remote", "add", "gcl-origin", "https://gitlab.example.com/acme/tumour-diagnosis.git")
    return GitLab(root, home)


@pytest.fixture
def copied(tmp_path: Path) -> GitLab:
    """Return GitLab with a render that a test may edit."""
    return gitlab(project_copy(tmp_path / "project", **HIGH), tmp_path)


def test_a_pipeline_holds_the_jobs_of_its_event_and_no_others(copied: GitLab) -> None:
    assert {event: copied.listed(set_) for event, set_ in EVENTS.items()} == EXPECTED
    assert {job: copied.listed(schedule(job)) for job in SCHEDULED} == SCHEDULED


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


def differences(project: Path) -> list[str]:
    """Return the jobs of a render that are not as `jobs.yaml` lists them, apart from how they call their verb."""
    listed = {job.name: replace(job, runs=()) for job in listed_jobs("high")}
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
