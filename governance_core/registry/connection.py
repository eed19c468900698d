"""The connection to ZenML's server: which project it works in, and what is wrong with it in words that help."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

from zenml.client import Client
from zenml.config.global_config import GlobalConfiguration
from zenml.constants import ENV_ZENML_ACTIVE_PROJECT_ID
from zenml.exceptions import AuthorizationException

from governance_core.core import UsageError

PROJECT_VARIABLE = "ZENML_PROJECT"
# How ZenML begins what it says where the first call fails; it raises a plain RuntimeError.
UNREACHABLE = ("Error connecting to URL", "Cannot connect to the ZenML server")
UNDECIDED = "No project is currently set as active"


@contextmanager
def connection() -> Iterator[None]:
    """Connect, work in the project that ZENML_PROJECT names, and explain what is wrong with the connection.

    Raises:
        UsageError: if there is no server, or it refuses the key or knows no such project.
    """
    try:
        assert Client().zen_store
        use_named_project()
        yield
    except Exception as error:
        if explanation := explained(error):
            raise explanation from error
        raise


def use_named_project() -> None:
    """Let ZenML work in the project that ZENML_PROJECT names; ZenML's own variable takes ids alone.

    Raises:
        UsageError: if there is no such project.
    """
    name = os.environ.get(PROJECT_VARIABLE)
    if not name:
        return
    try:
        project = Client().get_project(name, allow_name_prefix_match=False)
    except KeyError as error:
        there = ", ".join(sorted(project.name for project in Client().list_projects()))
        raise UsageError(f"there is no project {name!r}, which {PROJECT_VARIABLE} names; projects: {there}") from error
    os.environ[ENV_ZENML_ACTIVE_PROJECT_ID] = str(project.id)


def explained(error: Exception) -> UsageError | None:
    """Return what is wrong with the connection, without key or password; None where that is not what failed."""
    server = "that ZENML_STORE_URL names" if os.environ.get("ZENML_STORE_URL") else "of the last `zenml login`"
    if isinstance(error, AuthorizationException):
        message = "refuses the key: correct ZENML_STORE_API_KEY, or create another key of the service account"
    elif isinstance(error, RuntimeError) and str(error).startswith(UNREACHABLE):
        message = "does not answer, or is none of ZenML's: correct the address, or start it"
    elif isinstance(error, RuntimeError) and str(error).startswith(UNDECIDED):
        message = f"has more projects than one: {PROJECT_VARIABLE} names the one to work in (`zenml project list`)"
    elif _is_of_the_server(error):
        message = "stopped answering; try again when it does: the next command finishes or undoes a stage change begun"
    else:
        return None
    return UsageError(f"the ZenML server {server} {message}")


def _is_of_the_server(error: Exception) -> bool:
    """Say whether a call to ZenML's server failed; forges, alerters and stores of artifacts are called alike."""
    asked = getattr(getattr(error, "request", None), "url", None)
    store = GlobalConfiguration().store_configuration.url.rstrip("/")
    return type(error).__module__ == "requests.exceptions" and (asked or "").startswith(f"{store}/")
