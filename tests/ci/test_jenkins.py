"""The Jenkinsfile of a render: read as Jenkins reads it, and built against a real ZenML server."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import pytest
from ci.jenkins_jobs import EVENTS, OPERATIONS, commands, credentials, models, stages
from support.ci_project import CIProject, CIProjects, job_environment
from support.forge import Forge
from support.jenkins import Build, Event, Jenkins, Model, read, shell
from support.rendering import commit_all, edit, files, git, render
from support.zenml_server import ZenMLServer

from governance_core.ledger import Event as LedgerEvent
from governance_core.lifecycle.catalogue import newest_entries
from governance_core.lifecycle.history import latest_events

LIMITED, HIGH = ("limited", "high")
VERIFIED = ["build", "code", "setup", "verify", "test", "check"]
TRAINED = [*VERIFIED, "train", "report"]
MERGED = [*VERIFIED, "staging", "train-merged", "promote-staging"]
REPORTS = {"monitor": ["report-monitoring"]}  # which stages come with that of a job
PROPERTIES = {"ZENML_STORE_URL": "https://zenml.example.com"}
BUILD_URL = "https://jenkins.example.com/job/tumours/7/"
FOLDER_PROPERTIES = ("FORGE_API_URL", "ZENML_STORE_URL", "ZENML_STAGING_STACK", "ZENML_PRODUCTION_STACK")
SECRETS = {
    "zenml-staging": "key-of-staging",
    "zenml-production": "key-of-production",
    "zenml-production-review": "key-of-production",
    "zenml-operations": "key-of-operations",
    "forge-staging": "token-of-staging",
    "forge-operations": "token-of-operations",
    "forge-update": "token-of-updates",
}
NEEDS_TOKEN = "python3 scripts/preflight.py --no-zenml --needs TEMPLATE_UPDATE_TOKEN FORGE_API_URL"
ALERT = [NEEDS_TOKEN, "make setup", 'governance ci alert --job "$JOB"']


def jenkinsfile(risk_tier: str = LIMITED) -> Path:
    return render(ci="jenkins", risk_tier=risk_tier) / "Jenkinsfile"


@pytest.fixture(scope="module")
def read_models() -> dict[str, dict[str, Model]]:
    """Return what Jenkins makes of the file, by risk tier and event."""
    found = models(jenkinsfile(LIMITED), jenkinsfile(HIGH))
    return {tier: found[jenkinsfile(tier)] for tier in (LIMITED, HIGH)}


def rehearse(
    model: Model,
    event: Event,
    *approvers: str,
    failing: str = "nothing",
    late: str = "nothing",
    secrets: Mapping[str, str] = SECRETS,
) -> Build:
    """Build with a shell that runs nothing; scripts that hold ``failing`` fail, and with ``late`` run out of time."""

    def pretend(script: str, _: Mapping[str, str]) -> tuple[int, str]:
        if late in script:
            raise TimeoutError
        return (3, "refused") if failing in f"{script}\n" else (0, "")

    numbers = count()
    return Jenkins(lambda: Path(f"/{next(numbers)}"), {"PATH": "/usr/bin"}, PROPERTIES, secrets, pretend).build(
        model, event, approvers
    )


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
        ("change-request", TRAINED),
        ("fork", ["build", "code", "fork", *VERIFIED[2:]]),
        ("merge", MERGED),
        ("release", ["promote-production"]),
        *((job, ["scheduled", job, *REPORTS.get(job, [])]) for job in OPERATIONS if job != "rollback"),
        ("rollback", ["rollback"]),
    ],
)
def test_an_event_runs_its_stages_and_no_other(
    read_models: dict[str, dict[str, Model]], event: str, ran: list[str]
) -> None:
    build = rehearse(read_models[LIMITED][event], EVENTS[event], "grace")
    assert (build.result, build.ran) == ("SUCCESS", ran)
    assert not [script for script, _ in build.shells if " alert " in script]


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
    assert scheduled == set(OPERATIONS) - {"rollback"}
    assert {stage["name"] for stage in group["stages"]} == {*scheduled, "report-monitoring"}
    assert by_event["change-request"]["triggers"] == by_event["release"]["triggers"] == []


# ------------------------------------------------------------------------------------------------- rights and order


def test_a_secret_is_bound_only_where_it_is_needed(read_models: dict[str, dict[str, Model]]) -> None:
    bound = {stage["name"]: credentials(stage) for stage in stages(read_models[HIGH]["merge"]) if credentials(stage)}
    key = "ZENML_STORE_API_KEY"
    assert bound == {
        **{name: {key: "zenml-staging"} for name in ("train", "report", "staging")},
        "approve-production": {key: "zenml-production-review"},
        "promote-production": {key: "zenml-production"},
        **{name: {key: "zenml-operations"} for name in (*OPERATIONS, "report-monitoring") if name != "update-template"},
        "update-template": {"TEMPLATE_UPDATE_TOKEN": "forge-update"},
    }


def test_the_tests_and_the_training_of_a_change_request_leave_nothing_where_the_token_that_may_write_is_bound(
    read_models: dict[str, dict[str, Model]],
) -> None:
    secrets = set(SECRETS.values())
    change = rehearse(read_models[LIMITED]["change-request"], EVENTS["change-request"])
    given = {script: secrets & set(env.values()) for script, env in change.shells}
    assert given["make lint test"] == given["governance check"] == set()
    assert not [env for script, env in change.shells if "ZENML_STORE_URL" in env and not secrets & set(env.values())]
    assert given["governance snapshot create --pipeline training --environment staging --run"] == {"key-of-staging"}
    assert given["governance report training --comment"] == {"key-of-staging", "token-of-staging"}
    code, train, report = (
        [script for script, env in change.shells if env["WORKSPACE"] == workspace] for workspace in ("/0", "/1", "/2")
    )
    assert report == ["python3 scripts/preflight.py", "make setup", "governance report training --comment"]
    assert [*code, *train, *report] == [script for script, _ in change.shells]
    fork = rehearse(read_models[LIMITED]["fork"], EVENTS["fork"])
    assert not any(secrets & set(env.values()) for _, env in fork.shells)
    assert "gets no secrets" in fork.log


@pytest.mark.parametrize("event", EVENTS)
def test_no_verb_runs_in_a_workspace_that_is_not_set_up_whatever_failed_before(
    read_models: dict[str, dict[str, Model]], event: str
) -> None:
    model, people = read_models[HIGH][event], ["grace", "alan"]
    whole = {script for script, _ in rehearse(model, EVENTS[event], *people).shells}
    for build in [rehearse(model, EVENTS[event], *people, failing=f"{script}\n") for script in ("nothing", *whole)]:
        for number, (script, env) in enumerate(build.shells):
            before = [earlier for earlier, there in build.shells[:number] if there["WORKSPACE"] == env["WORKSPACE"]]
            if script.startswith(("governance", "python scripts", "make lint")):
                assert "make setup" in before, (script, before)
            assert env["UV_CACHE_DIR"] == f"{env['WORKSPACE']}@tmp/uv-cache", script


def test_what_uv_downloaded_is_there_in_the_next_build_although_the_checkout_is_clean(
    read_models: dict[str, dict[str, Model]], tmp_path: Path
) -> None:
    workspace = tmp_path / "tumours_main"
    git(tmp_path, "init", "--quiet", workspace.name)
    (workspace / ".gitignore").write_text("/build/\n", encoding="utf-8")
    commit_all(workspace, "Ignore what is built")

    def clean() -> Path:
        git(workspace, "clean", "-fdx")  # what "Clean before checkout" does
        return workspace

    def download(_: str, env: Mapping[str, str]) -> tuple[int, str]:
        wheel = Path(env["UV_CACHE_DIR"], "wheel")
        known = wheel.exists()
        wheel.parent.mkdir(parents=True, exist_ok=True)
        wheel.touch()
        return 0, "from the cache" if known else "downloaded"

    jenkins = Jenkins(clean, {"PATH": "/usr/bin"}, PROPERTIES, SECRETS, download)
    first, second = (jenkins.build(read_models[LIMITED]["settle"], EVENTS["settle"]).log for _ in range(2))
    assert ("downloaded" in first, "downloaded" in second) == (True, False)


def test_merges_train_and_promote_one_after_the_other(read_models: dict[str, dict[str, Model]]) -> None:
    (staging,) = (stage for stage in stages(read_models[LIMITED]["merge"]) if stage["name"] == "staging")
    assert [stage["name"] for stage in staging["stages"]] == ["train-merged", "promote-staging"]
    assert {"option": "lock", "resource": "tumour-diagnosis-staging"} in staging["options"]
    assert not [option for option in staging["options"] if option["option"] == "timeout"], "a queue is no failure"


@pytest.mark.parametrize("failing", ["make lint test", "governance check"])
def test_what_fails_the_checks_is_neither_trained_nor_reported(
    read_models: dict[str, dict[str, Model]], failing: str
) -> None:
    build = rehearse(read_models[LIMITED]["change-request"], EVENTS["change-request"], failing=failing)
    assert (build.result, build.stages["train"], build.stages["report"]) == ("FAILURE", "SKIPPED", "SKIPPED")
    assert not [script for script, _ in build.shells if script.startswith(("governance snapshot", "governance report"))]


@pytest.mark.parametrize(("how", "result"), [("failing", "FAILURE"), ("late", "ABORTED")])
def test_a_run_that_fails_or_is_late_is_reported_and_a_scheduled_one_opens_an_issue(
    read_models: dict[str, dict[str, Model]], how: str, result: str
) -> None:
    verbs = {
        "change-request": ("train", "governance snapshot create"),
        "batch-inference": ("batch-inference", "governance snapshot run"),
        "monitor": ("monitor", "governance snapshot run"),
        "settle": ("settle", "governance runs settle"),
        "retention": ("retention", "governance retention"),
        "update-template": ("update-template", "scripts/update_template.py"),
        "rollback": ("rollback", "governance rollback"),
    }
    alert = ALERT[-1:]
    expected = {
        "change-request": ["governance report training --comment"],
        "monitor": ["governance report monitoring --issue", *alert],
        "rollback": [],
    }
    for event, (stage, verb) in verbs.items():
        build = rehearse(read_models[LIMITED][event], EVENTS[event], **{how: verb})
        after = [script for script, _ in build.shells if " report " in script or " alert " in script]
        assert (build.result, build.stages[stage], after) == (result, result, expected.get(event, alert)), event


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
    assert set(model["parameters"]) == {"JOB", "REASON"}, "nobody types who approved"
    questions = [stage["input"] for stage in stages(model) if stage["input"]]
    assert {question["submitter"] for question in questions} == {"production-approvers"}


def test_a_credential_that_is_not_there_is_named_and_nothing_is_run_with_others(
    read_models: dict[str, dict[str, Model]],
) -> None:
    secrets = {name: secret for name, secret in SECRETS.items() if name != "zenml-operations"}
    build = rehearse(read_models[LIMITED]["settle"], EVENTS["settle"], secrets=secrets)
    assert build.result == "FAILURE"
    assert "'zenml-operations'" in build.log
    assert [script for script, _ in build.shells] == ALERT


@pytest.mark.parametrize("risk_tier", [LIMITED, HIGH])
def test_the_documents_name_the_credentials_that_the_stages_bind_and_no_others(
    read_models: dict[str, dict[str, Model]], risk_tier: str
) -> None:
    page = (jenkinsfile(risk_tier).parent / "docs/ci.md").read_text(encoding="utf-8")
    found = list(stages(read_models[risk_tier]["merge"]))
    steps = [step for stage in found for given in [stage["steps"], *stage["post"].values()] for step in given]
    bound = {name for stage in found for name in credentials(stage).values()}
    bound |= {it["credentialsId"] for step in steps if step["step"] == "withCredentials" for it in step["given"]}
    assert set(re.findall(r"^\| `((?:zenml|forge)-\S+)`", page, re.MULTILINE)) == bound
    assert all(f"`{name}`" in page for name in FOLDER_PROPERTIES)


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
    "an option of a step": ("catchError(stageResult:", "catchError(stage:", "does not know stage"),
    "a lock that is waited for in vain": ("beforeOptions true", "beforeAgent true", "beforeOptions is missing"),
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


# ------------------------------------------------------------------------------ builds against a real ZenML server


class Team:
    """A project on Jenkins with a real server and a stand-in forge: `build` builds what is checked out."""

    def __init__(self, project: CIProject, server: ZenMLServer, forge: Forge, made: dict[str, Model]) -> None:
        self.root, self.forge, self._server, self._made = project.root, forge, server, made
        given = server.env() | forge.environment("jenkins")
        key, token = given.pop("ZENML_STORE_API_KEY"), given.pop("TEMPLATE_UPDATE_TOKEN")
        self.secrets = {name: key if name.startswith("zenml-") else token for name in SECRETS}
        self.properties = {name: given.pop(name) for name in FOLDER_PROPERTIES}
        del given["BUILD_USER_ID"]
        self.machine = job_environment() | given
        self.workspace = self.root
        self._ran: set[tuple[Path, str]] = set()

    def build(self, event: str, *approvers: str, secrets: Mapping[str, str] | None = None, **changed: str) -> Build:
        """Build an event; ``changed`` are parameters, folder properties and variables of this build."""
        known, properties = EVENTS[event], self.properties | {k: v for k, v in changed.items() if k in self.properties}
        params = {name: value for name, value in changed.items() if name in ("JOB", "REASON")}
        env = {name: value for name, value in changed.items() if name not in properties | params}
        given = Event({**known.env, **env}, {**known.params, **params})
        jenkins = Jenkins(lambda: self.workspace, self.machine, properties, secrets or self.secrets, self._shell)
        return jenkins.build(self._made[event], given, approvers)

    def _shell(self, script: str, env: Mapping[str, str]) -> tuple[int, str]:
        """Run a script, and what is the same in every build once."""
        if (self.workspace, script) in self._ran:
            return 0, "as before"
        # Nothing is downloaded again for a test.
        cache = {name: value for name, value in self.machine.items() if name == "UV_CACHE_DIR"}
        code, output = shell(
            self.workspace, script, {name: env[name] for name in env if name != "UV_CACHE_DIR"} | cache
        )
        if script in ("make setup", "make lint test", "governance check") and code == 0:
            self._ran.add((self.workspace, script))
        return code, output

    @contextmanager
    def in_a_fresh_checkout(self, of: CIProject, folder: Path) -> Iterator[None]:
        """Build in a clone without an environment until the block ends."""
        self.workspace = of.clone(folder)
        try:
            yield
        finally:
            self.workspace = self.root

    def stages(self) -> dict[str, int]:
        """Return the number of the version in each stage."""
        with self._server.connected():
            entries = [entry.as_dict() for entry in newest_entries(self.root, None, 20)]
        return {entry["stage"]: entry["version"] for entry in entries if entry["stage"]}

    def events(self, kind: str) -> list[LedgerEvent]:
        """Return the ledger's events of a kind, the newest first."""
        with self._server.connected():
            return [event for event in latest_events(self.root, None, 50) if event.kind == kind]


@pytest.fixture(scope="module")
def team(ci_project: CIProjects, zenml_server: ZenMLServer, read_models: dict[str, dict[str, Model]]) -> Iterator[Team]:
    with Forge() as forge:
        yield Team(ci_project("jenkins", risk_tier=HIGH), zenml_server, forge, read_models[HIGH])


@pytest.fixture(scope="module")
def trained(team: Team) -> tuple[Build, list[str]]:
    """Return the build of ada's change request, and the comments after it."""
    git(team.root, "switch", "--quiet", "--create", "change")
    (team.root / "NOTES.md").write_text("A change\n", encoding="utf-8")
    commit_all(team.root, "Change something")
    return team.build("change-request"), list(team.forge.comments)


@pytest.fixture(scope="module")
def merged(team: Team, trained: tuple[Build, list[str]]) -> tuple[Build, dict[str, int]]:
    """Return the build of main after that change request was merged, and who was in which stage then."""
    assert trained[0].result == "SUCCESS", trained[0].log
    git(team.root, "switch", "--quiet", "main")
    git(team.root, "merge", "--quiet", "--ff-only", "change")
    git(team.root, "push", "--quiet", "origin", "main")
    return team.build("merge"), team.stages()


@pytest.fixture(scope="module")
def unapproved(team: Team, merged: tuple[Build, dict[str, int]]) -> tuple[Build, Build, dict[str, int]]:
    """Return the builds of a tag that nobody and that ada approved, and who was in which stage after them."""
    assert merged[0].result == "SUCCESS", merged[0].log
    return team.build("release"), team.build("release", "ada"), team.stages()


@pytest.fixture(scope="module")
def released(team: Team, unapproved: tuple[Build, Build, dict[str, int]]) -> Build:
    """Return the build of that tag after grace and alan approved it."""
    assert unapproved[1].result == "FAILURE", unapproved[1].log
    return team.build("release", "grace", "alan")


def test_a_change_request_trains_and_one_comment_has_its_metrics(trained: tuple[Build, list[str]]) -> None:
    build, (comment,) = trained
    assert (build.result, build.ran) == ("SUCCESS", TRAINED), build.log
    assert re.search(r"\| evaluate_model \| accuracy \| 0\.\d+ \|", comment)
    assert f"ada through ci (unverified) in {BUILD_URL}" in comment


def test_a_fork_is_tested_and_told_why_nothing_is_trained(team: Team) -> None:
    comments = list(team.forge.comments)
    build = team.build("fork", secrets={})
    assert (build.result, build.ran) == ("SUCCESS", ["build", "code", "fork", *VERIFIED[2:]]), build.log
    assert "nothing is trained" in build.log
    assert team.forge.comments == comments


def test_main_promotes_to_staging_what_the_change_request_trained(merged: tuple[Build, dict[str, int]]) -> None:
    build, found = merged
    assert build.result == "SUCCESS", build.log
    assert "version 1 was trained from these files; nothing was done" in build.log
    assert found == {"staging": 1}


def test_a_tag_that_nobody_else_approved_leaves_production_alone(
    unapproved: tuple[Build, Build, dict[str, int]],
) -> None:
    by_nobody, by_ada, found = unapproved
    assert by_nobody.result == "ABORTED"
    assert (by_ada.result, by_ada.ran) == ("FAILURE", ["approve-production"])
    assert "own-approval: ada trained it" in by_ada.log
    assert found == {"staging": 1}


def test_a_tag_is_released_and_the_ledger_names_who_through_which_build(team: Team, released: Build) -> None:
    assert released.result == "SUCCESS", released.log
    assert team.stages() == {"production": 1}
    second, first = approvals = team.events("approval")
    who = [(event.body["actor"]["id"], event.body["actor"]["via"]) for event in (first, second)]
    assert who == [("grace", "jenkins input"), ("alan", "jenkins input")]
    assert {event.body["actor"]["service_account"] for event in approvals} == {"ci"}
    to_production, to_staging = team.events("intent")
    assert {event.body["actor"]["ci_run"] for event in (*approvals, to_production, to_staging)} == {BUILD_URL}
    assert (to_production.body["reason"], to_staging.body["reason"]) == ("release v1.2.0", "merge to main")
    (manifest,) = [event.body for event in team.events("release") if event.body["environment"] == "production"]
    assert manifest["commit"] == git(team.root, "rev-parse", "HEAD")


@pytest.mark.parametrize("job", ["batch-inference", "monitor", "settle", "retention", "update-template"])
def test_a_scheduled_job_of_main_runs(team: Team, released: Build, job: str) -> None:
    assert released.result == "SUCCESS", released.log
    issues = [issue.title for issue in team.forge.open_issues]
    build = team.build(job)
    assert (build.result, build.ran) == ("SUCCESS", ["scheduled", job, *REPORTS.get(job, [])]), build.log
    assert [issue.title for issue in team.forge.open_issues] == issues


def test_a_rollback_gets_its_reason_as_it_was_typed(team: Team, released: Build) -> None:
    assert released.result == "SUCCESS", released.log
    reason = """it's "wrong": $(touch pwned) `touch pwned`; ${HOME}"""
    build = team.build("rollback", REASON=reason, BUILD_USER_ID="grace")
    assert (build.result, build.ran) == ("FAILURE", ["rollback"])
    assert "nothing-before" in build.log
    refusal = team.events("refusal")[0].body
    assert (refusal["reason"], refusal["actor"]["id"]) == (reason, "grace")
    assert not (team.root / "pwned").exists()


def test_a_scheduled_job_that_fails_keeps_one_issue_open_and_shows_no_secret(team: Team, released: Build) -> None:
    assert released.result == "SUCCESS", released.log
    for _ in range(2):
        build = team.build("batch-inference", ZENML_PRODUCTION_STACK="gone")
        assert (build.result, build.ran) == ("FAILURE", ["scheduled", "batch-inference"])
        assert "ZENML_PRODUCTION_STACK: no stack 'gone'" in build.log
        assert [script for script, _ in build.shells] == ["python3 scripts/preflight.py production", *ALERT]
    (issue,) = (it for it in team.forge.open_issues if it.title == "The scheduled job batch-inference failed")
    assert BUILD_URL in issue.text


def test_a_wrong_key_is_named_and_told_from_a_workspace_where_nothing_was_set_up_and_never_shown(
    team: Team, ci_project: CIProjects, tmp_path: Path
) -> None:
    secrets = team.secrets | {"zenml-operations": "ZENKEY_" + "wrong" * 8}
    with team.in_a_fresh_checkout(ci_project("jenkins", risk_tier=HIGH), tmp_path / "workspace"):
        build = team.build("settle", secrets=secrets)
    assert build.result == "FAILURE"
    assert "the ZenML server refuses ZENML_STORE_API_KEY" in build.log
    assert not [secret for secret in secrets.values() if secret in build.unmasked]
    assert [script for script, _ in build.shells] == ["python3 scripts/preflight.py", *ALERT]
    assert "The scheduled job settle failed" in {issue.title for issue in team.forge.open_issues}, build.log


def test_a_gate_that_fails_fails_the_build_and_the_comment_says_which(
    team: Team, merged: tuple[Build, dict[str, int]]
) -> None:
    assert merged[0].result == "SUCCESS", merged[0].log
    git(team.root, "switch", "--quiet", "--create", "worse")
    edit(
        team.root / "governance.yaml",
        "policy:",
        "policy:\n  staging:\n    metrics:\n      min:\n        accuracy: 0.9999",
    )
    commit_all(team.root, "Ask for too much")
    build = team.build("change-request")
    git(team.root, "switch", "--quiet", "main")
    assert (build.result, build.stages["train"]) == ("FAILURE", "FAILURE")
    (comment,) = team.forge.comments
    assert "metric-min: accuracy" in comment
    assert "evaluate_model | accuracy" not in comment, "the report of the former commit was replaced"
