"""The CI run, its approvers and what it tells on the forge, against a stand-in of GitHub's and GitLab's API."""

from __future__ import annotations

from pathlib import Path

import pytest
from support.command_line import Governance
from support.forge import CHANGE_REQUEST, GITHUB_TOKEN, REPOSITORY, TOKEN, Enter, Forge, Item
from support.servers import free_port

from governance_core import ci
from governance_core.ci.api import Api
from governance_core.ci.forge import repository_of
from governance_core.core import UsageError

# GitHub's and GitLab's own CI, and Jenkins with a repository on either.
PLACES = [("github", "github"), ("gitlab", "gitlab"), ("jenkins", "github"), ("jenkins", "gitlab")]


@pytest.mark.parametrize(("system", "on"), PLACES)
def test_a_comment_is_updated_in_place_among_those_of_others(forge: Forge, enter: Enter, system: str, on: str) -> None:
    forge.change_requests[0].comments = {number: f"comment {number}" for number in range(1, 151)}
    enter(system, 12, on)
    first = ci.forge().comment("report", "was 0.8")
    assert ci.forge().comment("report", "is 0.9") == first
    ci.forge().comment("other", "not that one")
    report, other = forge.comments[150:]
    assert "is 0.9" in report
    assert "not that one" in other
    assert first.startswith(forge.url)


@pytest.mark.parametrize(("system", "on"), PLACES)
def test_one_matter_has_one_open_issue(forge: Forge, enter: Enter, system: str, on: str) -> None:
    enter(system, None, on)
    first = ci.forge().issue("monitoring", "Drift", "0.4")
    assert ci.forge().issue("monitoring", "Drift again", "0.5") == first
    ci.forge().issue("job.monitor", "Failed", "see the log")
    assert [issue.title for issue in forge.open_issues] == ["Drift again", "Failed"]
    assert "0.5" in forge.issues[0].text
    forge.issues[0].open = False
    ci.forge().issue("monitoring", "Drift", "0.6")
    assert [issue.number for issue in forge.open_issues] == [2, 3]


@pytest.mark.parametrize(("system", "on"), PLACES)
def test_nobody_catches_our_issue_or_comment_with_its_hidden_line(
    forge: Forge, enter: Enter, system: str, on: str
) -> None:
    marker = "<!-- governance: monitoring -->"
    quoted = f"look at this:\n{marker}"
    forge.issues = [Item(1, "Caught", marker, author="mallory"), Item(2, "Quoted", quoted)]
    request = forge.change_requests[0]
    request.text = marker
    request.comments, request.authors = {1: marker, 2: quoted}, {1: "mallory"}
    enter(system, CHANGE_REQUEST, on)
    for text in ("0.4", "0.5"):
        ci.forge().issue("monitoring", "Drift", text)
        ci.forge().comment("monitoring", text)
    assert [issue.title for issue in forge.open_issues] == ["Caught", "Quoted", "Drift"]
    assert forge.comments == [marker, quoted, f"{marker}\n0.5"]
    assert (request.title, request.text) == ("A change", marker)


@pytest.mark.parametrize(("system", "on"), PLACES)
def test_a_branch_has_one_change_request(forge: Forge, enter: Enter, system: str, on: str) -> None:
    enter(system, None, on)
    first = ci.forge().change_request("governance-update", "Update to 1.1.0", "changes")
    assert ci.forge().change_request("governance-update", "Update to 1.2.0", "more changes") == first
    assert [(item.branch, item.base, item.title, item.text) for item in forge.change_requests[1:]] == [
        ("governance-update", "main", "Update to 1.2.0", "more changes")
    ]


@pytest.mark.parametrize(("system", "on"), PLACES)
def test_a_change_request_is_declined_where_it_was_closed_and_no_other_is_open(
    forge: Forge, enter: Enter, system: str, on: str
) -> None:
    enter(system, None, on)
    assert ci.forge().declined("governance-update") is None
    address = ci.forge().change_request("governance-update", "Update to 1.1.0", "changes")
    assert ci.forge().declined("governance-update") is None
    forge.change_requests[-1].open = False
    assert ci.forge().declined("governance-update") == address
    ci.forge().change_request("governance-update", "Once more", "after all")
    assert ci.forge().declined("governance-update") is None


def test_who_approved_a_deployment_and_started_its_job_counts_once_by_the_latter(forge: Forge, enter: Enter) -> None:
    forge.approve("Ada")
    forge.approve("grace")
    forge.player = "ada"
    enter("gitlab", CI_ENVIRONMENT_NAME="production", CI_JOB_MANUAL="true")
    assert [(one.login, one.via) for one in ci.approvers()] == [
        ("ada", "gitlab manual job"),
        ("grace", "gitlab approval"),
    ]


def test_the_verb_opens_one_issue_a_job(forge: Forge, enter: Enter, governance: Governance) -> None:
    enter("github")
    for _ in range(2):
        code, out, _ = governance("ci", "alert", "--job", "monitor")
        assert (code, out) == (0, f"the issue of monitor is {forge.url}/1\n")
    [issue] = forge.open_issues
    assert issue.title == "The scheduled job monitor failed"
    assert "https://github.example.com/acme/tumours/actions/runs/4711" in issue.text


@pytest.mark.parametrize(
    ("variables", "person"),
    [
        ({"BUILD_USER_ID": "grace"}, "grace"),
        ({"BUILD_USER_ID": "grace", "CHANGE_AUTHOR": "ada"}, "ada"),  # grace built ada's change request again
        ({"BUILD_USER_ID": "branchIndexing", "CHANGE_AUTHOR": "ada"}, "ada"),
        ({"BUILD_USER_ID": "timer"}, None),
        ({"BUILD_USER_ID": ""}, None),
    ],
)
def test_jenkins_names_the_author_of_a_change_request_and_nobody_for_a_timer(
    enter: Enter, variables: dict[str, str], person: str | None
) -> None:
    enter("jenkins", **variables)
    run = ci.current_run()
    assert run
    assert run.person == person


@pytest.mark.parametrize(
    ("system", "trigger", "other"),
    [("github", "GITHUB_EVENT_NAME", "workflow_dispatch"), ("gitlab", "CI_PIPELINE_SOURCE", "web")],
)
def test_a_schedule_is_nobodys_act_whoever_the_system_names(
    enter: Enter, system: str, trigger: str, other: str
) -> None:
    for started_by, person in (("schedule", None), (other, "starter")):
        enter(system, **{trigger: started_by, "GITHUB_TRIGGERING_ACTOR": "again"})
        run = ci.current_run()
        assert run
        assert run.person == person
        assert run.url
        assert bool(run.aliases) == (person is not None and system == "github")


def test_outside_of_ci_there_is_no_forge(monkeypatch: pytest.MonkeyPatch, governance: Governance) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = governance("ci", "alert", "--job", "monitor")
    assert code == 2
    assert "needs a CI run" in err


@pytest.mark.parametrize(
    ("address", "repository"),
    [
        ("https://github.com/acme/tumours.git", "acme/tumours"),
        ("https://ci:secret@gitlab.example.com:8443/group/part/tumours", "group/part/tumours"),
        ("git@github.com:acme/tumours.git", "acme/tumours"),
        ("ssh://git@gitlab.example.com:2222/group/part/tumours.git/", "group/part/tumours"),
    ],
)
def test_jenkins_knows_the_repository_by_the_address_it_was_cloned_from(address: str, repository: str) -> None:
    assert repository_of(address) == repository


@pytest.mark.parametrize(
    ("system", "missing"),
    [
        ("github", "GITHUB_TOKEN"),
        ("github", "GITHUB_REPOSITORY"),
        ("gitlab", "TEMPLATE_UPDATE_TOKEN"),
        ("gitlab", "CI_PROJECT_ID"),
        ("jenkins", "TEMPLATE_UPDATE_TOKEN"),
        ("jenkins", "FORGE_API_URL"),
        ("jenkins", "GIT_URL"),
    ],
)
def test_a_missing_variable_is_named(enter: Enter, monkeypatch: pytest.MonkeyPatch, system: str, missing: str) -> None:
    enter(system)
    monkeypatch.setenv(missing, " ")
    with pytest.raises(UsageError, match=f"the environment variable {missing} is missing or empty"):
        ci.forge()


@pytest.mark.parametrize("status", [302, 401, 403, 404, 422])
def test_a_token_is_shown_to_nobody_whatever_the_answer(forge: Forge, enter: Enter, status: int) -> None:
    enter("github")
    forge.refused = {"/issues": status}
    with pytest.raises(UsageError) as refused:
        ci.forge().issue("monitoring", "Drift", "0.4")
    assert str(status) in str(refused.value)
    assert ("GITHUB_TOKEN" in str(refused.value)) == (status in (401, 403, 404))
    assert "`issues: write`" in str(refused.value) or status in (302, 422)
    assert GITHUB_TOKEN not in f"{refused.value!r} {ci.forge()._api!r}"


def test_the_token_wins_against_a_password_in_netrc(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login somebody password else")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    enter("github")
    assert ci.forge().issue("monitoring", "Drift", "0.4")


def test_what_only_reads_is_tried_again_and_what_writes_is_not(forge: Forge, enter: Enter) -> None:
    enter("github")
    forge.busy = 2
    assert ci.forge().issue("monitoring", "Drift", "0.4")
    writes = Api(forge.url, "Authorization", f"Bearer {TOKEN}", "GITHUB_TOKEN")
    forge.requests, forge.busy = [], 1
    with pytest.raises(UsageError, match=r"was answered with 503: .*busy"):
        writes.send("POST", f"/repos/{REPOSITORY}/issues", {"title": "x", "body": "x"}, right="none")
    assert len(forge.requests) == 1


def test_a_server_that_nobody_reaches_is_named(enter: Enter) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    enter("github", GITHUB_API_URL=address)
    with pytest.raises(UsageError, match=f"GET {address}/repos/acme/tumours/issues got no answer"):
        ci.forge().issue("monitoring", "Drift", "0.4")


def test_a_text_that_the_forge_would_not_take_is_shortened(forge: Forge, enter: Enter) -> None:
    enter("github", 12)
    ci.forge().comment("report", "x" * 100_000)
    [comment] = forge.comments
    assert len(comment) < 65_536
    assert comment.endswith("(shortened: the job's log has it all)")
