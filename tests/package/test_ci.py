"""The CI run, its approvers and what it tells on the forge, against a stand-in of GitHub's and GitLab's API."""

from __future__ import annotations

import pytest
from support.command_line import Governance
from support.forge import TOKEN, Enter, Forge

from governance_core import ci
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
def test_a_branch_has_one_change_request(forge: Forge, enter: Enter, system: str, on: str) -> None:
    enter(system, None, on)
    first = ci.forge().change_request("governance-update", "Update to 1.1.0", "changes")
    assert ci.forge().change_request("governance-update", "Update to 1.2.0", "more changes") == first
    assert [(item.branch, item.base, item.title, item.text) for item in forge.change_requests[1:]] == [
        ("governance-update", "main", "Update to 1.2.0", "more changes")
    ]


def test_the_verb_opens_one_issue_a_job(forge: Forge, enter: Enter, governance: Governance) -> None:
    enter("github")
    for _ in range(2):
        code, out, _ = governance("ci", "alert", "--job", "monitor")
        assert (code, out) == (0, f"the issue of monitor is {forge.url}/1\n")
    [issue] = forge.open_issues
    assert issue.title == "The scheduled job monitor failed"
    assert "https://github.example.com/acme/tumours/actions/runs/4711" in issue.text


def test_outside_of_ci_there_is_no_forge(monkeypatch: pytest.MonkeyPatch, governance: Governance) -> None:
    for name in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL"):
        monkeypatch.delenv(name, raising=False)
    code, _, err = governance("ci", "alert", "--job", "monitor")
    assert code == 2
    assert "needs a CI run" in err


def test_a_token_is_never_shown(forge: Forge, enter: Enter) -> None:
    enter("github")
    forge.refused = {"/issues": 403}
    with pytest.raises(UsageError, match=r"GITHUB_TOKEN .* `issues: write`") as refused:
        ci.forge().issue("monitoring", "Drift", "0.4")
    assert TOKEN not in str(refused.value)
