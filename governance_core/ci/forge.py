"""What jobs tell people on the forge: one comment on a change request, one issue a matter, one change request."""

from __future__ import annotations

import os
import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlsplit

from governance_core.ci.api import Api
from governance_core.ci.run import current_run
from governance_core.core import UsageError

LONGEST = 60_000  # characters of a text: GitHub takes 65,536 bytes


class Forge(ABC):
    """A repository on a forge; the change request is the one that this CI run is about."""

    # What each forge calls the same things.
    _repositories: str
    _change_requests: str
    _update: str  # the HTTP method that changes something
    _number_field: str
    _text_field: str
    _address_field: str
    _open: str  # the state
    _issue_right: str
    _change_request_right: str

    def __init__(self, api: Api, repository: str, change_request: str | None) -> None:
        self._api, self._number = api, change_request
        self._repository = repository
        self._home = f"/{self._repositories}/{repository}"

    def require_change_request(self) -> str:
        """Return the number of the change request that this run is about.

        Raises:
            UsageError: if it is about none.
        """
        if self._number is None:
            raise UsageError("this CI run is not about a change request, so there is nothing to comment on")
        return self._number

    def comment(self, key: str, markdown: str) -> str:
        """Write the one comment of a key on the change request, or update it, and return its address.

        Raises:
            UsageError: if this run is about no change request, or the forge cannot be reached or refuses.
        """
        return self._comment(self.require_change_request(), _marker(key), _marked(key, markdown))

    def issue(self, key: str, title: str, markdown: str) -> str:
        """Open the one issue of a key, or update it where it is still open, and return its address.

        Raises:
            UsageError: if the forge cannot be reached or refuses.
        """
        path, right = f"{self._home}/issues", self._issue_right
        listed = self._api.pages(path, right=right, state=self._open)
        found = self._first(listed, self._text_field, _marker(key))
        return self._kept(path, found, {"title": title, self._text_field: _marked(key, markdown)}, right)

    def change_request(self, branch: str, title: str, markdown: str) -> str:
        """Open a change request from a branch to main, or update the open one, and return its address.

        Raises:
            UsageError: if the forge cannot be reached or refuses.
        """
        path, right = f"{self._home}/{self._change_requests}", self._change_request_right
        found = self._api.get(path, right=right, state=self._open, **self._sought(branch))
        body = {"title": title, self._text_field: markdown[:LONGEST]}
        if found:
            return self._kept(path, found[0], body, right)
        return self._kept(path, None, body | self._branches(branch), right)

    def declined(self, branch: str) -> str | None:
        """Return the address of the change request from a branch to main that somebody closed, where none is open.

        Raises:
            UsageError: if the forge cannot be reached or refuses.
        """
        path, right = f"{self._home}/{self._change_requests}", self._change_request_right
        found = self._api.get(path, right=right, state="all", **self._sought(branch))
        if not found or any(item["state"] == self._open for item in found):
            return None
        return str(found[0][self._address_field])

    def _kept(self, path: str, found: dict[str, Any] | None, body: dict[str, Any], right: str) -> str:
        """Update what was found below a path, or make it, and return its address."""
        method = self._update if found else "POST"
        path = f"{path}/{found[self._number_field]}" if found else path
        return str(self._api.send(method, path, body, right=right)[self._address_field])

    def _first(self, items: Iterable[dict[str, Any]], field: str, marker: str) -> dict[str, Any] | None:
        """Return the first item that we wrote: anybody may write one that holds the marker, and catch all others."""
        return next((item for item in items if (item[field] or "").startswith(marker) and self._is_own(item)), None)

    @cached_property
    @abstractmethod
    def _login(self) -> str:
        """The login of the token's own user."""

    @abstractmethod
    def _is_own(self, item: dict[str, Any]) -> bool: ...

    @abstractmethod
    def _branches(self, branch: str) -> dict[str, str]:
        """Return what a change request from a branch to main is made with."""

    def _sought(self, branch: str) -> dict[str, str]:
        """Return what the change request from a branch to main is looked for with."""
        return self._branches(branch)

    @abstractmethod
    def _comment(self, number: str, marker: str, text: str) -> str: ...


class GitHub(Forge):
    """A repository on GitHub."""

    _repositories, _change_requests = "repos", "pulls"
    _update = "PATCH"
    _number_field, _text_field, _address_field, _open = "number", "body", "html_url", "open"
    _issue_right, _change_request_right = "the permission `issues: write`", "the permission `pull-requests: write`"

    @cached_property
    def _login(self) -> str:
        if self._api.variable == "GITHUB_TOKEN":  # may not ask whose it is
            return "github-actions[bot]"
        return str(self._api.get("/user", right="that it is a user's")["login"])

    def _is_own(self, item: dict[str, Any]) -> bool:
        author = (item["user"] or {}).get("login")  # None where the account was deleted
        # What GitHub lists as issues are its pull requests, too.
        return author == self._login and "pull_request" not in item

    def _branches(self, branch: str) -> dict[str, str]:
        return {"head": branch, "base": "main"}

    def _sought(self, branch: str) -> dict[str, str]:
        return self._branches(f"{self._repository.partition('/')[0]}:{branch}")

    def _comment(self, number: str, marker: str, text: str) -> str:
        right = self._change_request_right
        path = f"{self._home}/issues/{number}/comments"
        found = self._first(self._api.pages(path, right=right), "body", marker)
        if found:
            path = f"{self._home}/issues/comments/{found['id']}"
        return str(self._api.send("PATCH" if found else "POST", path, {"body": text}, right=right)["html_url"])


class GitLab(Forge):
    """A project on GitLab."""

    _repositories, _change_requests = "projects", "merge_requests"
    _update = "PUT"
    _number_field, _text_field, _address_field, _open = "iid", "description", "web_url", "opened"
    _issue_right = "the role Reporter and the scope `api`"
    _change_request_right = "the role Developer and the scope `api`"

    @cached_property
    def _login(self) -> str:
        return str(self._api.get("/user", right="the scope `api`")["username"])

    def _is_own(self, item: dict[str, Any]) -> bool:
        return bool(item["author"]["username"] == self._login)

    def _branches(self, branch: str) -> dict[str, str]:
        return {"source_branch": branch, "target_branch": "main"}

    def _comment(self, number: str, marker: str, text: str) -> str:
        right = self._issue_right
        merge_request = f"{self._home}/merge_requests/{number}"
        notes = self._api.pages(f"{merge_request}/notes", right=right, sort="asc")
        found = self._first(notes, "body", marker)
        path = f"{merge_request}/notes/{found['id']}" if found else f"{merge_request}/notes"
        note = self._api.send("PUT" if found else "POST", path, {"body": text}, right=right)
        address = self._api.get(merge_request, right=right)["web_url"]
        return f"{address}#note_{note['id']}"


def forge() -> Forge:
    """Return the forge that this CI run's repository lives on, from the variables that docs/reference/ci.md lists.

    Raises:
        UsageError: naming the variable that is missing.
    """
    run = current_run()
    if run is None:
        raise UsageError("this needs a CI run: neither GITHUB_ACTIONS nor GITLAB_CI nor JENKINS_URL is set")
    if run.system == "github":
        # Change requests that the system's own token opens start no workflow, and it may not change workflow files.
        token = "TEMPLATE_UPDATE_TOKEN" if os.environ.get("TEMPLATE_UPDATE_TOKEN") else "GITHUB_TOKEN"
        api = github_api(variable("GITHUB_API_URL"), token)
        pull = re.fullmatch(r"refs/pull/(\d+)/merge", os.environ.get("GITHUB_REF", ""))
        return GitHub(api, variable("GITHUB_REPOSITORY"), pull and pull[1])
    if run.system == "gitlab":
        api = gitlab_api(variable("CI_API_V4_URL"), "TEMPLATE_UPDATE_TOKEN")
        return GitLab(api, variable("CI_PROJECT_ID"), os.environ.get("CI_MERGE_REQUEST_IID") or None)
    address, repository = variable("FORGE_API_URL"), repository_of(variable("GIT_URL"))
    number = os.environ.get("CHANGE_ID") or None
    if urlsplit(address).path.rstrip("/").endswith("/api/v4"):
        return GitLab(gitlab_api(address, "TEMPLATE_UPDATE_TOKEN"), quote(repository, safe=""), number)
    return GitHub(github_api(address, "TEMPLATE_UPDATE_TOKEN"), repository, number)


def github_api(address: str, token: str) -> Api:
    """Return GitHub's API with the token of a variable.

    Raises:
        UsageError: naming the variable where it is missing.
    """
    return Api(address, "Authorization", f"Bearer {variable(token)}", token)


def gitlab_api(address: str, token: str) -> Api:
    """Return GitLab's API with the token of a variable; a job's own token goes in a header of its own.

    Raises:
        UsageError: naming the variable where it is missing.
    """
    return Api(address, "JOB-TOKEN" if token == "CI_JOB_TOKEN" else "PRIVATE-TOKEN", variable(token), token)


def variable(name: str) -> str:
    """Return an environment variable.

    Raises:
        UsageError: naming it where it is missing or empty.
    """
    if value := os.environ.get(name, "").strip():
        return value
    raise UsageError(f"the environment variable {name} is missing or empty; docs/ci.md says where to set it")


def repository_of(git_url: str) -> str:
    """Return the path of a repository on its server: `acme/churn` of `git@github.com:acme/churn.git`.

    Raises:
        UsageError: if the URL has none.
    """
    path = urlsplit(git_url).path if "://" in git_url else git_url.partition(":")[2]
    if found := path.strip("/").removesuffix(".git"):
        return found
    raise UsageError("GIT_URL names no repository")


def _marker(key: str) -> str:
    return f"<!-- governance: {key} -->"


def _marked(key: str, markdown: str) -> str:
    cut = "" if len(markdown) <= LONGEST else "\n\n(shortened: the job's log has it all)"
    return f"{_marker(key)}\n{markdown[:LONGEST]}{cut}"
