#!/usr/bin/env python3
"""Say in a job's first seconds what it lacks; needs nothing but Python: preflight.py staging.

With --no-zenml only the variables that --needs names are looked at: for jobs that use no ZenML.
"""

import argparse
import json
import os
import sys
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException
from pathlib import Path
from typing import Any

URL, KEY, PROJECT = "ZENML_STORE_URL", "ZENML_STORE_API_KEY", "ZENML_PROJECT"
SECONDS = 9  # to wait for one answer, and for all of them


class LackError(Exception):
    """What is missing, and what to do."""


def main() -> None:
    """Check what the arguments ask for; exit code 2, and a line for each thing that is missing."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("environment", nargs="?", choices=["staging", "production"])
    parser.add_argument("--needs", nargs="+", default=[], metavar="NAME", help="other variables")
    parser.add_argument("--no-zenml", action="store_true", help="look at nothing else")
    arguments = parser.parse_args()
    environment = arguments.environment
    if environment and arguments.no_zenml:
        parser.error("an environment is looked at by asking ZenML: leave it out, or --no-zenml")
    stack = f"ZENML_{environment.upper()}_STACK" if environment else None
    zenml = [] if arguments.no_zenml else [URL, KEY, *([stack] if stack else [])]
    lacks = [*variable_lacks([*zenml, *arguments.needs])]
    if zenml and not lacks:
        lacks = within(SECONDS, stack)
    for lack in lacks:
        print(f"error: {lack}", file=sys.stderr)
    sys.exit(2 if lacks else 0)


def variable_lacks(names: list[str]) -> Iterator[str]:
    """Yield what is wrong with the variables themselves."""
    values = {name: os.environ.get(name, "") for name in names}
    if unset := [name for name, value in values.items() if not value.strip()]:
        yield f"not set: {', '.join(unset)}; docs/ci.md says where this CI system keeps them"
        if from_fork():
            yield "this change comes from a fork, and a fork gets no secrets"
    for name, value in values.items():
        if value.strip() and value.strip() != value:
            yield f"{name} begins or ends with a blank or a line break; set it without"
    if "@" in urllib.parse.urlsplit(values.get(URL, "")).netloc:
        yield f"{URL} holds a user or a password; the key stands in {KEY} alone"


def from_fork() -> bool:
    """Tell whether this is a change request from another repository, as each CI system says it."""
    source = os.environ.get("CI_MERGE_REQUEST_SOURCE_PROJECT_ID")  # GitLab
    if os.environ.get("CHANGE_FORK") or source != os.environ.get("CI_MERGE_REQUEST_PROJECT_ID"):
        return True
    event = Path(os.environ.get("GITHUB_EVENT_PATH", ""))
    request = json.loads(event.read_text()).get("pull_request") if event.is_file() else None
    if request is None:
        return False
    head = request["head"]["repo"] or {}  # None where the fork was deleted
    return bool(head.get("full_name") != os.environ.get("GITHUB_REPOSITORY"))


def within(seconds: int, stack: str | None) -> list[str]:
    """Return what the server lacks; an answer may come a byte at a time, without an end."""
    lacks = [f"the ZenML server that {URL} names takes more than {seconds} s to answer"]

    def look() -> None:
        try:
            lacks[:] = server_lacks(os.environ[URL].rstrip("/"), stack)
        except LackError as lack:
            lacks[:] = [str(lack)]

    looking = threading.Thread(target=look, daemon=True)
    looking.start()
    looking.join(seconds)
    return lacks


def server_lacks(url: str, stack: str | None) -> list[str]:
    """Return the names in variables that the server does not know; raise for a server or key."""
    ask(f"{url}/api/v1/info", "version", f"what answers at {url} is no ZenML server; correct {URL}")
    login = {"grant_type": "zenml-api-key", "password": os.environ[KEY]}
    refused = f"the ZenML server refuses {KEY}; create another key of the service account"
    token = ask(f"{url}/api/v1/login", "access_token", refused, form=login)
    lacks = []
    for kind, variable in (("stack", stack), ("project", PROJECT)):
        name = os.environ.get(variable) if variable else None
        if name:
            unreadable = f"the ZenML server does not let {KEY} list {kind}s"
            found = ask(f"{url}/api/v1/{kind}s?size=1000", "items", unreadable, token=token)
            names = [item["name"] for item in found]
            if name not in names:
                lacks.append(f"{variable}: no {kind} {name!r}; there is {', '.join(names)}")
    return lacks


def ask(
    url: str, key: str, otherwise: str, token: str = "", form: dict[str, str] | None = None
) -> Any:
    """Return a value of what the server answers; raise ``otherwise`` where it answers another."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = urllib.parse.urlencode(form).encode() if form else None
    try:
        request = urllib.request.Request(url, data, headers)
        with urllib.request.urlopen(request, timeout=SECONDS) as answer:
            return json.load(answer)[key]
    except urllib.error.HTTPError as error:
        raise LackError(f"{otherwise} (HTTP {error.code})") from error
    except OSError as error:
        reason = getattr(error, "reason", error)
        raise LackError(f"no server answers, correct {URL} or start it: {reason}") from error
    except (HTTPException, ValueError, LookupError, TypeError) as error:
        raise LackError(otherwise) from error


if __name__ == "__main__":
    main()
