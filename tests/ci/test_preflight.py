"""What a job says in its first seconds where it was set up badly, on a real server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from support.ci_project import job_environment
from support.rendering import render
from support.servers import Answering, free_port
from support.zenml_server import ZenMLServer


def preflight(*arguments: str, **variables: str) -> tuple[int, str]:
    """Run the script as a job does, before the environment is made; return its exit code and what it printed."""
    script = render() / "scripts/preflight.py"
    command = [sys.executable, "-I", "-S", str(script), *arguments]
    environment = {"PATH": job_environment()["PATH"], **variables}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=30)
    return done.returncode, done.stdout + done.stderr


def test_a_job_that_is_set_up_passes_and_prints_nothing(zenml_server: ZenMLServer) -> None:
    variables = zenml_server.env() | {"ZENML_PROJECT": "default", "TOKEN": "t"}
    for environment in ("staging", "production"):
        assert preflight(environment, "--needs", "TOKEN", **variables) == (0, "")
    assert preflight(**{**variables, "ZENML_STAGING_STACK": "nobody asks"}) == (0, "")


def test_every_missing_variable_is_named_at_once() -> None:
    code, said = preflight("staging", "--needs", "TOKEN", "OTHER", TOKEN="  ", OTHER="set")
    assert code == 2
    assert "not set: ZENML_STORE_URL, ZENML_STORE_API_KEY, ZENML_STAGING_STACK, TOKEN;" in said
    assert "fork" not in said


def test_a_job_without_zenml_needs_only_what_is_named() -> None:
    arguments = ("--no-zenml", "--needs", "TOKEN", "OTHER")
    assert preflight(*arguments, TOKEN="t", OTHER="o", ZENML_STORE_URL="http://no.host.invalid") == (0, "")
    code, said = preflight(*arguments, TOKEN="t")
    assert (code, said) == (2, "error: not set: OTHER; docs/ci.md says where this CI system keeps them\n")
    code, said = preflight("staging", *arguments, TOKEN="t", OTHER="o")
    assert code == 2
    assert "leave it out, or --no-zenml" in said


def test_a_fork_is_told_that_it_gets_no_secrets(tmp_path: Path) -> None:
    event = tmp_path / "event.json"
    github = {"GITHUB_EVENT_PATH": str(event), "GITHUB_REPOSITORY": "team/project"}
    gitlab = {"CI_MERGE_REQUEST_PROJECT_ID": "1"}
    for repository, is_fork in (
        ({"full_name": "team/project"}, False),
        ({"full_name": "ada/project"}, True),
        (None, True),
    ):
        event.write_text(json.dumps({"pull_request": {"head": {"repo": repository}}}))
        assert ("fork" in preflight(**github)[1]) == is_fork
    event.write_text("{}")
    assert "fork" not in preflight(**github)[1]
    assert "fork" in preflight(**gitlab, CI_MERGE_REQUEST_SOURCE_PROJECT_ID="2")[1]
    assert "fork" not in preflight(**gitlab, CI_MERGE_REQUEST_SOURCE_PROJECT_ID="1")[1]
    assert "fork" in preflight(CHANGE_FORK="ada")[1]


def test_a_key_that_the_server_refuses_is_named_and_not_printed(zenml_server: ZenMLServer) -> None:
    wrong = zenml_server.key[:-4] + "0000"
    for key in (wrong, "not-even-a-key"):
        code, said = preflight(**zenml_server.env() | {"ZENML_STORE_API_KEY": key})
        assert (code, said.count("\n")) == (2, 1)
        assert "refuses ZENML_STORE_API_KEY" in said
        assert key not in said


def test_a_stack_and_a_project_that_are_not_there_are_named_with_those_that_are(zenml_server: ZenMLServer) -> None:
    variables = zenml_server.env() | {"ZENML_PRODUCTION_STACK": "prod", "ZENML_PROJECT": "nobodys"}
    code, said = preflight("production", **variables)
    assert code == 2
    assert "ZENML_PRODUCTION_STACK: no stack 'prod'; there is" in said
    assert "pro-production" in said
    assert "ZENML_PROJECT: no project 'nobodys'; there is default" in said


@pytest.mark.parametrize(("status", "body"), [(200, "{}"), (200, "<html>"), (200, "[]"), (404, ""), (500, "{}")])
def test_a_server_that_is_none_of_zenmls_is_told_apart(status: int, body: str) -> None:
    with Answering(status, body) as other:
        code, said = preflight(ZENML_STORE_URL=other.url, ZENML_STORE_API_KEY="k")
    assert code == 2
    assert f"what answers at {other.url} is no ZenML server" in said


@pytest.mark.parametrize("host", ["127.0.0.1", "no.host.invalid"])
def test_where_nobody_answers_the_variable_is_named(host: str) -> None:
    code, said = preflight(ZENML_STORE_URL=f"http://{host}:{free_port()}", ZENML_STORE_API_KEY="k")
    assert code == 2
    assert "no server answers, correct ZENML_STORE_URL" in said
    assert said.count("\n") == 1


@pytest.mark.parametrize("url", ["zenml.example.com", "http://", "http://127.0.0.1:x", "sqlite:///x"])
def test_what_is_no_url_is_one_line(url: str) -> None:
    code, said = preflight(ZENML_STORE_URL=url, ZENML_STORE_API_KEY="k")
    assert code == 2
    assert "ZENML_STORE_URL" in said
    assert said.count("\n") == 1


def test_nothing_secret_in_the_url_is_printed_and_a_stray_line_break_is_named() -> None:
    variables = {"ZENML_STORE_URL": "http://user:hidden@127.0.0.1:1", "ZENML_STORE_API_KEY": "key-itself\n"}
    code, said = preflight(**variables)
    assert code == 2
    assert "ZENML_STORE_URL holds a user or a password" in said
    assert "ZENML_STORE_API_KEY begins or ends with a blank or a line break" in said
    assert "hidden" not in said
    assert "key-itself" not in said


def test_a_server_whose_answer_has_no_end_is_given_up() -> None:
    began = time.monotonic()
    with Answering(hangs=True) as hanging:
        code, said = preflight(ZENML_STORE_URL=hanging.url, ZENML_STORE_API_KEY="k")
    assert (code, time.monotonic() - began < 15) == (2, True)
    assert "takes more than 9 s" in said
