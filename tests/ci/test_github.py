"""GitHub's jobs, run by the small runner: the real project, a real ZenML server, and a stand-in for GitHub's API."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from ci.github_runner import JobRun, Runner, Settings
from ci.github_syntax import Event, Expressions
from support.ci_project import CIProject, CIProjects, job_environment
from support.forge import GITHUB_TOKEN, REPOSITORY, Forge
from support.rendering import commit_all, edit, git
from support.zenml_server import QUIET, ZenMLServer

from governance_core.ledger import Event as LedgerEvent
from governance_core.ledger import Holder
from governance_core.registry import chains, versions

# The server that the tests of all systems share tells projects apart by name.
MODEL, SLUG = "tumours_on_github", "tumours-on-github"
RUN_URL = f"https://github.example.com/{REPOSITORY}/actions/runs/4711"
REASON = """it's "wrong" $(touch rolled-back) `id` \\ ${HOME}"""
DONE = {"test", "check"}


@dataclass
class GitHub:
    """A repository on GitHub whose jobs use a ZenML server; ``clone`` is somebody's work tree."""

    runner: Runner
    project: CIProject
    server: ZenMLServer
    forge: Forge
    clone: Path

    def commit(self, number: int) -> str:
        """Change a parameter of the training, commit it and return the commit."""
        edit(self.clone / "configs/staging.yaml", "max_depth: 5", f"max_depth: 5\n      # {number}")
        return commit_all(self.clone, "Change the training")

    @contextmanager
    def at(self, commit: str) -> Iterator[None]:
        """Let the clone stand on another commit, on no branch, until the block ends."""
        git(self.clone, "switch", "--quiet", "--detach", commit)
        try:
            yield
        finally:
            git(self.clone, "switch", "--quiet", "main")

    def push(self, *references: str) -> str:
        """Push the clone's commit to references of the repository and return it."""
        git(self.clone, "push", "--quiet", "--force", "origin", *(f"HEAD:{reference}" for reference in references))
        return git(self.clone, "rev-parse", "HEAD")

    def pull_request(self, done: set[str] | None = None, repository: str = REPOSITORY) -> dict[str, JobRun]:
        """Propose the clone's commit for main."""
        head = {"repo": {"full_name": repository}}
        request = {"number": 12, "head": head, "base": {"ref": "main", "repo": {"full_name": REPOSITORY}}}
        commit = self.push("refs/pull/12/merge")
        event = Event("pull_request", "refs/pull/12/merge", commit, {"pull_request": request}, actor="trainer")
        return self.runner.run("train-staging.yml", event, done or set())

    def merge(self) -> dict[str, JobRun]:
        """Push the clone's commit to main, which was tested before."""
        event = Event("push", "refs/heads/main", self.push("refs/heads/main"), actor="merger")
        return self.runner.run("train-staging.yml", event, DONE)

    def release(self, tag: str, done: set[str] | None = None, prerelease: bool = False) -> dict[str, JobRun]:
        """Publish a release of the clone's commit."""
        payload = {"action": "published", "release": {"prerelease": prerelease}}
        event = Event("release", f"refs/tags/{tag}", self.push(f"refs/tags/{tag}"), payload, "releaser")
        return self.runner.run("promote-production.yml", event, done or set())

    def run(self, workflow: str, **inputs: str) -> dict[str, JobRun]:
        """Run a workflow on main: on its schedule, or by hand with these inputs."""
        event = self.scheduled()
        if inputs:
            event = replace(event, name="workflow_dispatch", payload={"inputs": inputs}, actor="watch")
        return self.runner.run(workflow, event)

    def scheduled(self) -> Event:
        """Return what a schedule starts a workflow with: the newest commit of main."""
        return Event("schedule", "refs/heads/main", git(self.project.remote, "rev-parse", "main"))

    def journal(self, kind: str) -> list[LedgerEvent]:
        """Return the events of a kind in the project's journal."""
        with self.server.connected():
            return [event for event in chains.journal(SLUG).events() if event.kind == kind]

    def holders(self) -> dict[str, list[Holder]]:
        """Return who holds each stage, as the registry says it."""
        with self.server.connected():
            held = versions.stage_holders(versions.find_model(MODEL))
        return {stage: [version.holder for version in holding] for stage, holding in held.items()}


@pytest.fixture(scope="module")
def github(
    zenml_server: ZenMLServer, ci_project: CIProjects, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[GitHub]:
    """Return the repository of a project of tier high, which has every job there is."""
    project = ci_project("github", risk_tier="high", project_slug=SLUG, model_name=MODEL)
    stacks = {"ZENML_STAGING_STACK": "staging", "ZENML_PRODUCTION_STACK": "production"}
    key = Settings(secrets={"ZENML_STORE_API_KEY": zenml_server.key})
    settings = dict.fromkeys(("staging", "production-review", "production", "operations"), key)
    shared = {None: Settings({"ZENML_STORE_URL": zenml_server.url, **stacks})}
    clone = project.clone(tmp_path_factory.mktemp("github") / "clone")
    with Forge() as forge, Expressions() as expressions:
        runner = Runner(project, forge, expressions, {**shared, **settings}, job_environment() | QUIET)
        with runner:
            yield GitHub(runner, project, zenml_server, forge, clone)


def results(runs: dict[str, JobRun]) -> dict[str, str]:
    """Return the result of each job that was not skipped."""
    return {name: run.result for name, run in runs.items() if run.result != "skipped"}


def logs(runs: dict[str, JobRun]) -> str:
    """Return everything that jobs printed."""
    return "".join(run.log for run in runs.values())


@dataclass(frozen=True)
class Proposed:
    """A commit that was proposed, the jobs of its pull request, and the comments that there were after them."""

    commit: str
    jobs: dict[str, JobRun]
    comments: list[str]


@pytest.fixture(scope="module")
def proposed(github: GitHub) -> Proposed:
    """Return the first pull request, which lets the least drift in production be found."""
    policy = github.clone / "governance.yaml"
    edit(policy, "  production:\n", "  production:\n    drift: {method: distance, threshold: 0.001}\n")
    return Proposed(github.commit(1), github.pull_request(), github.forge.comments)


@pytest.fixture(scope="module")
def merged(github: GitHub, proposed: Proposed) -> dict[str, JobRun]:
    """Return the jobs of its merge, whose tree is the proposed one."""
    assert proposed.jobs["train"].result == "success", proposed.jobs["train"].log
    return github.merge()


@pytest.fixture(scope="module")
def in_staging(github: GitHub, merged: dict[str, JobRun]) -> GitHub:
    """Return the repository with a version in staging."""
    assert merged["promote-staging"].result == "success", logs(merged)
    return github


@pytest.fixture(scope="module")
def unapproved(in_staging: GitHub) -> tuple[JobRun, dict[str, list[Holder]]]:
    """Return the last job of a release that nobody approved, and who held each stage after it."""
    runs = in_staging.release("v0.9.0", done={"approve-production"})
    return runs["promote-production"], in_staging.holders()


@pytest.fixture(scope="module")
def released(in_staging: GitHub, unapproved: tuple[JobRun, dict[str, list[Holder]]]) -> dict[str, JobRun]:
    """Return the jobs of a release that two people approved, neither of whom trained the version."""
    assert unapproved[0].result == "failure", unapproved[0].log
    in_staging.forge.approve("trainer", "production-review")
    in_staging.forge.approve("ada", "production-review")
    runs = in_staging.release("v1.0.0", done={"promote-production"})
    in_staging.forge.approve("grace", "production")
    return runs | {
        "promote-production": in_staging.release("v1.0.0", done={"approve-production"})["promote-production"]
    }


@pytest.fixture(scope="module")
def in_production(in_staging: GitHub, released: dict[str, JobRun]) -> GitHub:
    """Return the repository with a version in production."""
    assert released["promote-production"].result == "success", logs(released)
    return in_staging


def test_a_pull_request_is_tested_checked_and_trained_and_the_report_has_its_metrics(
    github: GitHub, proposed: Proposed
) -> None:
    ran = ("test", "check", "train", "report")
    assert results(proposed.jobs) == dict.fromkeys(ran, "success"), logs(proposed.jobs)
    evidence = github.journal("evidence")[0]
    actor = evidence.body["actor"]
    assert (actor["id"], actor["via"], actor["verified"]) == ("trainer", "github", False)
    assert (actor["service_account"], actor["ci_run"]) == ("ci", RUN_URL)
    (comment,) = proposed.comments
    for name, value in evidence.body["models"][0]["metrics"][0]["values"].items():
        assert f"{name} = {float(value)} " in comment, name


def test_a_second_report_updates_the_comment_of_the_first(github: GitHub, proposed: Proposed) -> None:
    with github.at(proposed.commit):
        again = github.pull_request(done={*DONE, "train"})
    assert again["report"].result == proposed.jobs["report"].result == "success"
    assert len(github.forge.comments) == 1


def test_a_fork_gets_no_secrets_and_is_told_that_nothing_is_trained(github: GitHub) -> None:
    runs = github.pull_request(done=DONE, repository="somebody/tumours")
    assert results(runs) == {"test": "success", "check": "success", "fork": "success"}
    assert "::notice title=Not trained::This pull request comes from a fork" in runs["fork"].log
    assert "tested and checked, but not trained" in runs["fork"].summary


def test_a_merge_promotes_what_was_trained_from_its_tree_and_trains_nothing(merged: dict[str, JobRun]) -> None:
    ran = ("test", "check", "train-merged", "promote-staging")
    assert results(merged) == dict.fromkeys(ran, "success")
    assert "version 1 was trained from these files; nothing was done" in merged["train-merged"].log
    assert "version 1 went to staging" in merged["promote-staging"].log


def test_a_release_that_nobody_approved_stops_and_production_stays_as_it_was(
    unapproved: tuple[JobRun, dict[str, list[Holder]]],
) -> None:
    job, holders = unapproved
    assert job.result == "failure"
    assert job.log.endswith("exit code 3\n")
    assert "nobody-approved" in job.log
    assert "promote --from-stage" not in "".join(job.ran)
    assert not holders["production"]


def test_a_pre_release_is_passed_by(in_staging: GitHub) -> None:
    assert results(in_staging.release("v1.0.0-rc.1", prerelease=True)) == {}


def test_a_release_whose_tag_is_not_on_main_stops_before_anything_is_approved(in_staging: GitHub) -> None:
    with in_staging.at("main"):
        in_staging.commit(2)
        runs = in_staging.release("v9.0.0")
    assert results(runs) == {"approve-production": "failure"}
    assert "not-on-branch" in runs["approve-production"].log
    assert "governance approve" not in "".join(runs["approve-production"].ran)


def test_a_release_that_two_people_approved_is_promoted_and_the_ledger_says_who_did_what_through_which_run(
    in_production: GitHub, released: dict[str, JobRun]
) -> None:
    assert results(released) == {"approve-production": "success", "promote-production": "success"}
    assert "passed over: own-approval: trainer" in released["approve-production"].log
    approvals = [event.body["actor"] for event in in_production.journal("approval")][:2]
    assert [(actor["id"], actor["via"]) for actor in approvals] == [
        ("ada", "github review"),
        ("grace", "github review"),
    ]
    assert {actor["ci_run"] for actor in approvals} == {RUN_URL}
    (holder,) = in_production.holders()["production"]
    assert holder["number"] == 1
    with in_production.server.connected():
        intents = [event for event in chains.stages(MODEL).events() if event.kind == "intent"][:2]
    assert [(event.body["to"], event.body["actor"]["id"]) for event in intents] == [
        ("staging", "merger"),
        ("production", "releaser"),
    ]
    assert {event.body["actor"]["ci_run"] for event in intents} == {RUN_URL}
    assert intents[-1].body["reason"] == "release v1.0.0"
    releases = [event.body for event in in_production.journal("release") if event.body["environment"] == "production"]
    assert set(releases[0]["pipelines"]) == {"batch_inference", "monitoring"}


def test_the_released_batch_inference_runs_on_its_schedule(in_production: GitHub) -> None:
    runs = in_production.run("batch-inference.yml")
    assert results(runs) == {"batch-inference": "success"}, logs(runs)


def test_drift_keeps_one_issue_open_and_not_one_a_day(in_production: GitHub) -> None:
    runs = in_production.run("monitor.yml")
    assert results(runs) == {"monitor": "success", "report-monitoring": "success"}, logs(runs)
    again = in_production.runner.run("monitor.yml", in_production.scheduled(), done={"monitor"})
    assert again["report-monitoring"].result == "success"
    assert len([issue for issue in in_production.forge.open_issues if "drift" in issue.text]) == 1


@pytest.mark.parametrize("job", ["settle", "retention"])
def test_runs_are_settled_and_old_ones_deleted(in_production: GitHub, job: str) -> None:
    runs = in_production.run(f"{job}.yml")
    assert results(runs) == {job: "success"}, logs(runs)


def test_a_scheduled_job_that_fails_keeps_one_issue_open(
    in_production: GitHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(in_production.runner.settings, "operations", Settings())
    for _ in range(2):
        runs = in_production.run("settle.yml")
        assert results(runs) == {"settle": "failure", "alert/alert": "success", "alert": "success"}, logs(runs)
        (issue,) = [issue for issue in in_production.forge.open_issues if "settle" in issue.title]
        assert RUN_URL in issue.text


def test_the_update_says_which_token_it_lacks(in_production: GitHub) -> None:
    runs = in_production.run("update-template.yml")
    assert runs["update-template"].result == "failure"
    assert "not set: TEMPLATE_UPDATE_TOKEN" in runs["update-template"].log
    assert runs["update-template"].ran == ["python3 scripts/preflight.py --no-zenml --needs TEMPLATE_UPDATE_TOKEN"]
    assert runs["alert"].result == "success"


@pytest.mark.parametrize(
    ("changed", "secrets", "said"),
    [
        ({}, {}, "not set: ZENML_STORE_API_KEY"),
        ({}, {"ZENML_STORE_API_KEY": "ZENKEY_wrong"}, "refuses ZENML_STORE_API_KEY"),
        ({"ZENML_STORE_URL": "http://127.0.0.1:9"}, None, "no server answers, correct ZENML_STORE_URL"),
        ({"ZENML_PRODUCTION_STACK": "prodction"}, None, "ZENML_PRODUCTION_STACK: no stack 'prodction'"),
    ],
)
def test_a_job_that_lacks_something_says_what_before_it_sets_anything_up(
    github: GitHub,
    monkeypatch: pytest.MonkeyPatch,
    changed: dict[str, str],
    secrets: dict[str, str] | None,
    said: str,
) -> None:
    given = github.runner.settings["operations"]
    settings = Settings(changed, given.secrets if secrets is None else secrets)
    monkeypatch.setitem(github.runner.settings, "operations", settings)
    job = github.runner.run("batch-inference.yml", github.scheduled(), {"alert"})["batch-inference"]
    assert job.result == "failure"
    assert job.ran == ["python3 scripts/preflight.py production"]
    assert said in job.log
    assert "ZENKEY_" not in job.log


def test_no_log_shows_a_secret(
    github: GitHub, proposed: Proposed, merged: dict[str, JobRun], released: dict[str, JobRun]
) -> None:
    for runs in (proposed.jobs, merged, released):
        assert github.server.key not in logs(runs)
        assert GITHUB_TOKEN not in logs(runs)


def test_a_failed_gate_fails_the_job_and_is_reported(in_production: GitHub) -> None:
    wanted = "policy:\n  staging:\n    metrics: {min: {accuracy: 0.999}}\n"
    with in_production.at("main"):
        edit(in_production.clone / "governance.yaml", "policy:\n", wanted)
        commit_all(in_production.clone, "Ask for more")
        runs = in_production.pull_request(done=DONE)
    assert results(runs) == {"test": "success", "check": "success", "train": "failure", "report": "success"}
    assert runs["train"].log.endswith("exit code 3\n")
    (comment,) = in_production.forge.comments
    assert "accuracy" in comment
    assert "0.999" in comment


@pytest.fixture(scope="module")
def squashed(in_production: GitHub) -> dict[str, JobRun]:
    """Return the jobs of a merge whose tree nobody trained."""
    in_production.commit(3)
    return in_production.merge()


def test_a_merge_whose_tree_nobody_trained_is_trained_first(in_production: GitHub, squashed: dict[str, JobRun]) -> None:
    ran = ("test", "check", "train-merged", "promote-staging")
    assert results(squashed) == dict.fromkeys(ran, "success"), logs(squashed)
    trainers = [event.body["actor"]["id"] for event in in_production.journal("evidence")]
    assert trainers.count("merger") == 1


def test_a_rollback_takes_production_back_and_its_reason_arrives_as_it_was_typed(
    in_production: GitHub, squashed: dict[str, JobRun]
) -> None:
    assert squashed["promote-staging"].result == "success"
    before = in_production.holders()["production"]
    released = in_production.release("v1.1.0", done={"approve-production"})
    assert released["promote-production"].result == "success", logs(released)
    assert in_production.holders()["production"] != before
    runs = in_production.run("rollback.yml", reason=REASON)
    assert results(runs) == {"rollback": "success"}, logs(runs)
    assert in_production.holders()["production"] == before
    with in_production.server.connected():
        intent = [event for event in chains.stages(MODEL).events() if event.kind == "intent"][-1]
    assert (intent.body["action"], intent.body["reason"], intent.body["actor"]["id"]) == ("rollback", REASON, "watch")
