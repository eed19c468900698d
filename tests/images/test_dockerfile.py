"""The rendered Dockerfile as its linter reads it, wherever the platform's package comes from."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from support.rendering import render

HADOLINT = Path(sys.executable).parent / "hadolint"


@pytest.mark.parametrize(
    ("source", "location", "line"),
    [
        ("path", "/srv/platform of ours", '--mount=type=bind,from=platform,target="/srv/platform of ours"'),
        ("git", "file:///srv/platform", '--mount=type=bind,from=platform,target="/srv/platform"'),
        ("git", "https://git.test/platform.git", "apt-get install --yes --no-install-recommends git"),
        ("git", "ssh://git@git.test:2222/team/platform.git", 'GIT_CONFIG_KEY_0="url.https://git.test/.insteadOf"'),
        ("index", "https://packages.test/simple", "--mount=type=secret,id=netrc,target=/root/.netrc"),
    ],
)
def test_the_dockerfile_has_no_finding(source: str, location: str, line: str) -> None:
    dockerfile = render(governance_source=source, governance_location=location) / "governance/docker/Dockerfile"
    assert line in dockerfile.read_text(encoding="utf-8")
    linted = subprocess.run([HADOLINT, "--no-color", dockerfile], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout) == (0, "")


def test_the_base_is_named_by_an_exact_tag_and_a_digest_that_is_nowhere_invented() -> None:
    folder = render() / "governance/docker"
    text = (folder / "Dockerfile").read_text(encoding="utf-8")
    assert "ARG PYTHON_IMAGE=docker.io/library/python:3.11.14-slim-bookworm\n" in text
    assert "ARG PYTHON_DIGEST\n" in text
    assert [line for line in text.splitlines() if line.startswith("FROM ")] == [
        "FROM ${PYTHON_IMAGE}@${PYTHON_DIGEST} AS packages",
        "FROM ${PYTHON_IMAGE}@${PYTHON_DIGEST}",
    ]
    assert "sha256:" not in text
