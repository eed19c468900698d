"""A local stand-in of GitHub's and of GitLab's REST API: one repository, whose state tests set and look at.

GitHub's API is at its `url`, GitLab's below `/api/v4` there. It answers what `governance_core.ci` asks, in the form
that the two document; any other address is 404. Tests run it in their own process and hand `environment(...)` to what
runs the jobs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from support.servers import LocalServer

Enter = Callable[..., None]  # puts this process into a job, with the arguments of `Forge.environment` and variables
REPOSITORY = "acme/tumours"
RUN_ID, JOB_ID = "4711", "815"
TOKEN = "a-token-that-no-log-may-show"
GITHUB_TOKEN = "a-token-of-a-job-that-no-log-may-show"
CHANGE_REQUEST = 12


@dataclass
class Item:
    """An issue or a change request; ``comments`` are texts by their ids.

    ``author`` and ``authors``, by the ids of comments, are those who are not the token's own user.
    """

    number: int
    title: str
    text: str
    branch: str | None = None
    base: str | None = None
    open: bool = True
    comments: dict[int, str] = field(default_factory=dict)
    author: str | None = None
    authors: dict[int, str] = field(default_factory=dict)


class Forge(LocalServer):
    """The repository `acme/tumours`, with one open change request (12); use it as a context.

    Attributes:
        approvals: login, environment and state of each review of the run, or approval of GitLab's deployment.
        player: the user of GitLab's job.
        at: when the run was created, its approvals were given and its job was started; now where it is None.
        busy: how many of the next requests are answered with 503.
        refused: statuses by regular expressions of the paths that are answered with them.
        requests: method and path of everything that was asked.
    """

    def __init__(self) -> None:
        self.approvals: list[tuple[str, str, str]] = []
        self.player = "pusher"
        self.at: str | None = None
        self.issues: list[Item] = []
        self.change_requests = [Item(CHANGE_REQUEST, "A change", "", branch="change", base="main")]
        self.busy = 0
        self.refused: dict[str, int] = {}
        self.requests: list[tuple[str, str]] = []

    def approve(self, login: str, environment: str = "production", state: str = "approved") -> None:
        """Let a person review the run for an environment."""
        self.approvals.append((login, environment, state))

    @property
    def comments(self) -> list[str]:
        """The texts of the comments on the change request 12."""
        return list(self.change_requests[0].comments.values())

    @property
    def open_issues(self) -> list[Item]:
        """The issues that are open."""
        return [issue for issue in self.issues if issue.open]

    def environment(self, system: str, change_request: int | None = None, forge: str = "github") -> dict[str, str]:
        """Return the variables of a job in a CI system; ``forge`` is where a repository built by Jenkins lives."""
        if system == "github":
            return {
                "GITHUB_ACTIONS": "true",
                "GITHUB_ACTOR": "starter",
                "GITHUB_API_URL": self.url,
                "GITHUB_REF": f"refs/pull/{change_request}/merge" if change_request else "refs/heads/main",
                "GITHUB_REPOSITORY": REPOSITORY,
                "GITHUB_RUN_ID": RUN_ID,
                "GITHUB_SERVER_URL": "https://github.example.com",
                "GITHUB_TOKEN": GITHUB_TOKEN,
            }
        if system == "gitlab":
            return {
                "CI_API_V4_URL": f"{self.url}/api/v4",
                "CI_JOB_ID": JOB_ID,
                "CI_JOB_TOKEN": TOKEN,
                "CI_JOB_URL": f"https://gitlab.example.com/{REPOSITORY}/-/jobs/{JOB_ID}",
                "CI_PROJECT_ID": "42",
                "GITLAB_CI": "true",
                "GITLAB_USER_LOGIN": "starter",
                "TEMPLATE_UPDATE_TOKEN": TOKEN,
            } | ({"CI_MERGE_REQUEST_IID": str(change_request)} if change_request else {})
        return {
            "BUILD_URL": "https://jenkins.example.com/job/tumours/7/",
            "BUILD_USER_ID": "starter",
            "FORGE_API_URL": self.url if forge == "github" else f"{self.url}/api/v4",
            "GIT_URL": f"https://{forge}.example.com/{REPOSITORY}.git",
            "JENKINS_URL": "https://jenkins.example.com/",
            "TEMPLATE_UPDATE_TOKEN": TOKEN,
        } | ({"CHANGE_ID": str(change_request)} if change_request else {})

    def enter(self, monkeypatch: pytest.MonkeyPatch, system: str, *arguments: Any, **variables: str) -> None:
        """Put this process into a job of a CI system."""
        for name in ("GITHUB_ACTIONS", "GITLAB_CI", "JENKINS_URL"):
            monkeypatch.delenv(name, raising=False)
        for name, value in (self.environment(system, *arguments) | variables).items():
            monkeypatch.setenv(name, value)

    def respond(self, request: BaseHTTPRequestHandler, body: str) -> None:
        """Answer as the API that was asked."""
        status, found = self._answer(request.command, request.path, dict(request.headers), json.loads(body or "{}"))
        request.send_response(status)
        request.send_header("Content-Type", "application/json")
        if 300 <= status < 400:
            request.send_header("Location", f"{self.url}/elsewhere")
        request.end_headers()
        request.wfile.write(json.dumps(found).encode())

    def _answer(self, method: str, address: str, headers: dict[str, str], body: Any) -> tuple[int, Any]:
        url = urlsplit(address)
        asked = dict(parse_qsl(url.query))
        self.requests.append((method, url.path))
        if self.busy:
            self.busy -= 1
            return 503, {"message": "busy"}
        for pattern, status in self.refused.items():
            if re.search(pattern, url.path):
                return status, {"message": "refused"}
        api = _GitLab(self, asked, body) if url.path.startswith("/api/v4/") else _GitHub(self, asked, body)
        path = url.path.removeprefix("/api/v4")
        if path == "/user" and headers.get("Authorization") == f"Bearer {GITHUB_TOKEN}":
            return 403, {"message": "Resource not accessible by integration"}
        if not api.authenticated(path, headers):
            return 401, {"message": "401 Unauthorized"}
        for asks, form, answer in api.routes():
            if asks == method and (found := re.fullmatch(form, path)):
                given = answer(*map(int, found.groups()))
                if isinstance(given, list):
                    size, page = int(asked.get("per_page", 30)), int(asked.get("page", 1))
                    given = given[(page - 1) * size : page * size]
                return (201 if method == "POST" else 200), given
        return 404, {"message": "404 Not Found"}


class _Api:
    """What the two APIs have in common; each has its own words for it."""

    number, text, address, opened = "number", "body", "html_url", "open"
    head, base = "head", "base"
    user, login, own = "user", "login", "release-bot"

    def __init__(self, forge: Forge, asked: dict[str, str], body: Any) -> None:
        self.forge, self.asked, self.body = forge, asked, body

    def now(self) -> str:
        return self.forge.at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.999Z")

    def by(self, author: str | None) -> dict[str, Any]:
        return {self.user: {self.login: author or self.own}}

    def shown(self, item: Item) -> dict[str, Any]:
        return self.by(item.author) | {
            self.number: item.number,
            self.text: item.text,
            self.address: f"{self.forge.url}/{item.number}",
            "state": self.opened if item.open else "closed",
            "title": item.title,
        }

    def issues(self) -> list[Any]:
        assert self.asked["state"] == self.opened
        return [self.shown(issue) for issue in self.forge.open_issues]

    def open_issue(self) -> Any:
        issue = Item(len(self.forge.issues) + 1, self.body["title"], self.body[self.text])
        self.forge.issues.append(issue)
        return self.shown(issue)

    def change_issue(self, number: int) -> Any:
        return self.change(self.forge.issues, number)

    def change_requests(self) -> list[Any]:
        assert self.asked["state"] in (self.opened, "all")
        wanted = (self.asked[self.head].rpartition(":")[2], self.asked[self.base])
        found = [item for item in self.forge.change_requests if (item.branch, item.base) == wanted]
        return [self.shown(item) for item in found if item.open or self.asked["state"] == "all"]

    def open_change_request(self) -> Any:
        number = CHANGE_REQUEST + len(self.forge.change_requests)
        item = Item(number, self.body["title"], self.body[self.text], self.body[self.head], self.body[self.base])
        self.forge.change_requests.append(item)
        return self.shown(item)

    def change_change_request(self, number: int) -> Any:
        return self.change(self.forge.change_requests, number)

    def change(self, items: list[Item], number: int) -> Any:
        item = _numbered(items, number)
        item.title, item.text = self.body["title"], self.body[self.text]
        return self.shown(item)

    def comments(self, number: int) -> list[Any]:
        found = _numbered(self.forge.change_requests, number)
        return [self.by(found.authors.get(key)) | self.comment(key, text) for key, text in found.comments.items()]

    def write_comment(self, number: int) -> Any:
        found = _numbered(self.forge.change_requests, number).comments
        found[len(found) + 1] = self.body["body"]
        return self.comment(len(found), self.body["body"])

    def change_comment(self, key: int) -> Any:
        found = next(item.comments for item in self.forge.change_requests if key in item.comments)
        found[key] = self.body["body"]
        return self.comment(key, self.body["body"])

    def comment(self, key: int, text: str) -> dict[str, Any]:
        return {"id": key, "body": text}


class _GitHub(_Api):
    def authenticated(self, path: str, headers: dict[str, str]) -> bool:
        del path
        token = headers.get("Authorization", "").removeprefix("Bearer ")
        if token == GITHUB_TOKEN:
            self.own = "github-actions[bot]"
        return token in (TOKEN, GITHUB_TOKEN)

    def issues(self) -> list[Any]:
        return [self.shown(item) | {"pull_request": {}} for item in self.forge.change_requests] + super().issues()

    def routes(self) -> list[tuple[str, str, Any]]:
        repository = f"/repos/{REPOSITORY}"
        return [
            ("GET", "/user", lambda: self.by(None)["user"]),
            ("GET", f"{repository}/actions/runs/{RUN_ID}", lambda: {"created_at": self.now()}),
            ("GET", f"{repository}/actions/runs/{RUN_ID}/approvals", self.approvals),
            ("GET", rf"{repository}/issues/(\d+)/comments", self.comments),
            ("POST", rf"{repository}/issues/(\d+)/comments", self.write_comment),
            ("PATCH", rf"{repository}/issues/comments/(\d+)", self.change_comment),
            ("GET", f"{repository}/issues", self.issues),
            ("POST", f"{repository}/issues", self.open_issue),
            ("PATCH", rf"{repository}/issues/(\d+)", self.change_issue),
            ("GET", f"{repository}/pulls", self.change_requests),
            ("POST", f"{repository}/pulls", self.open_change_request),
            ("PATCH", rf"{repository}/pulls/(\d+)", self.change_change_request),
        ]

    def approvals(self) -> list[Any]:
        return [
            {"state": state, "user": {"login": login}, "environments": [{"name": name}], "comment": ""}
            for login, name, state in self.forge.approvals
        ]

    def comment(self, key: int, text: str) -> dict[str, Any]:
        return {"id": key, "body": text, "html_url": f"{self.forge.url}/comments/{key}"}


class _GitLab(_Api):
    number, text, address, opened = "iid", "description", "web_url", "opened"
    head, base = "source_branch", "target_branch"
    user, login = "author", "username"

    def authenticated(self, path: str, headers: dict[str, str]) -> bool:
        # A job's own token reads deployments and its job; it may neither comment nor open anything.
        own = path == "/job" or "/deployments" in path
        return headers.get("JOB-TOKEN" if own else "PRIVATE-TOKEN") == TOKEN

    def routes(self) -> list[tuple[str, str, Any]]:
        project = "/projects/(?:42|acme%2Ftumours)"
        return [
            ("GET", "/user", lambda: self.by(None)["author"]),
            ("GET", "/job", self.job),
            ("GET", f"{project}/deployments", self.deployments),
            ("GET", rf"{project}/deployments/2", self.deployment),
            ("GET", rf"{project}/merge_requests/(\d+)", lambda number: self.shown(self.merge_request(number))),
            ("GET", rf"{project}/merge_requests/(\d+)/notes", self.comments),
            ("POST", rf"{project}/merge_requests/(\d+)/notes", self.write_comment),
            ("PUT", rf"{project}/merge_requests/\d+/notes/(\d+)", self.change_comment),
            ("GET", f"{project}/issues", self.issues),
            ("POST", f"{project}/issues", self.open_issue),
            ("PUT", rf"{project}/issues/(\d+)", self.change_issue),
            ("GET", f"{project}/merge_requests", self.change_requests),
            ("POST", f"{project}/merge_requests", self.open_change_request),
            ("PUT", rf"{project}/merge_requests/(\d+)", self.change_change_request),
        ]

    def job(self) -> dict[str, Any]:
        return {"id": int(JOB_ID), "user": {"username": self.forge.player}, "started_at": self.now()}

    def merge_request(self, number: int) -> Item:
        return _numbered(self.forge.change_requests, number)

    def deployments(self) -> list[Any]:
        assert self.asked["environment"]
        return [{"id": 3, "deployable": {"id": 999}}, {"id": 2, "deployable": {"id": int(JOB_ID)}}]

    def deployment(self) -> dict[str, Any]:
        approvals = [
            {"status": state, "user": {"username": login}, "created_at": self.now()}
            for login, _, state in self.forge.approvals
        ]
        return {"id": 2, "approvals": approvals}


def _numbered(items: list[Item], number: int) -> Item:
    return next(item for item in items if item.number == number)
