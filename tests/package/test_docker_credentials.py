"""The login to a cloud's registry by the identity of where `governance image build` runs."""

from __future__ import annotations

import json
import sys
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import parse_qs

import pytest
import requests
from support.google_account import act_as_google_account
from support.servers import Answering

from governance_core.core import GovernanceError
from governance_core.docker.credentials import ambient_credentials

GOOGLE, AWS, AZURE = "europe-west1-docker.pkg.dev", "123456789012.dkr.ecr.eu-west-1.amazonaws.com", "acme.azurecr.io"
HOSTS = {"gcp": GOOGLE, "aws": AWS, "azure": AZURE}
# What Google's token service and its IAM answer, in one: who reads it takes what it knows.
GIVEN = {
    "access_token": "federated",
    "issued_token_type": "urn:ietf:params:oauth:token-type:access_token",
    "token_type": "Bearer",
    "expires_in": 3600,
    "accessToken": "of-the-service-account",
    "expireTime": (datetime.now(UTC) + timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
}


@pytest.fixture
def federated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what makes this the job of a CI system that Google trusts, with its token service at a URL."""

    def federate(url: str) -> None:
        act_as_google_account(
            tmp_path,
            monkeypatch,
            word="signed-by-ci",
            audience="//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/ci/providers/ci",
            token_url=f"{url}/token",
            account_url=f"{url}/ci@acme.iam.gserviceaccount.com",
        )

    return federate


def stand_in(monkeypatch: pytest.MonkeyPatch, **modules: dict[str, Any]) -> None:
    """Let modules be found that are not installed here, with what they hold."""
    for name, held in modules.items():
        module = ModuleType(name.replace("__", "."))
        vars(module).update(held)
        monkeypatch.setitem(sys.modules, module.__name__, module)


def test_a_job_that_google_trusts_gets_the_token_of_its_service_account(federated: Callable[[str], None]) -> None:
    with Answering(200, json.dumps(GIVEN)) as google:
        federated(google.url)
        assert ambient_credentials(GOOGLE) == ("oauth2accesstoken", "of-the-service-account")
        exchanged, impersonated = google.requests
    assert exchanged[1] == "/token"
    assert parse_qs(exchanged[2])["subject_token"] == ["signed-by-ci"]
    assert impersonated[1] == "/ci@acme.iam.gserviceaccount.com:generateAccessToken"
    assert "https://www.googleapis.com/auth/cloud-platform" in impersonated[2]


def test_what_google_refuses_is_said_without_the_token(federated: Callable[[str], None]) -> None:
    with Answering(403, json.dumps({"error": "unauthorized_client"})) as google:
        federated(google.url)
        with pytest.raises(GovernanceError, match=f"{GOOGLE}, which takes Artifact Registry Writer: ") as no:
            ambient_credentials(GOOGLE)
    assert "unauthorized_client" in str(no.value)
    assert "signed-by-ci" not in str(no.value)


def test_without_an_identity_google_gives_no_login(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUDSDK_CONFIG", str(tmp_path))
    monkeypatch.setenv("NO_GCE_CHECK", "true")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    with pytest.raises(GovernanceError, match="DefaultCredentialsError: Your default credentials were not found"):
        ambient_credentials(GOOGLE)


class Refusing(Exception):  # noqa: N818 - stands for a class of a cloud's library
    """The error of a cloud's library."""


def aws(monkeypatch: pytest.MonkeyPatch, answer: Callable[[], dict[str, Any]]) -> list[tuple[str, str]]:
    """Let boto3 be found, with a client for ECR that gives an answer, and return what clients were asked for."""
    asked: list[tuple[str, str]] = []

    class Client:
        def get_authorization_token(self) -> dict[str, Any]:
            return answer()

    def client(service: str, *, region_name: str) -> Client:
        asked.append((service, region_name))
        return Client()

    errors = {"BotoCoreError": Refusing, "ClientError": Refusing}
    stand_in(monkeypatch, boto3={"client": client}, botocore={}, botocore__exceptions=errors)
    return asked


def test_a_stand_in_for_ecr_is_asked_in_the_region_of_the_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    token = b64encode(b"AWS:pass:word").decode()
    asked = aws(monkeypatch, lambda: {"authorizationData": [{"authorizationToken": token}]})
    assert ambient_credentials(AWS) == ("AWS", "pass:word")
    assert asked == [("ecr", "eu-west-1")]


def test_what_a_stand_in_for_ecr_refuses_names_the_right(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> dict[str, Any]:
        raise Refusing("Unable to locate credentials")

    aws(monkeypatch, refuse)
    with pytest.raises(GovernanceError, match="takes ecr:GetAuthorizationToken: Refusing: Unable to locate"):
        ambient_credentials(AWS)


def azure(monkeypatch: pytest.MonkeyPatch, registry: Answering, token: Callable[[], str]) -> list[str]:
    """Let azure.identity be found, and a server be the registry; return the scopes that tokens were asked for."""
    asked: list[str] = []

    class Token:
        def __init__(self) -> None:
            self.token = token()

    class DefaultAzureCredential:
        def get_token(self, scope: str) -> Token:
            asked.append(scope)
            return Token()

    stand_in(
        monkeypatch,
        azure={},
        azure__core={},
        azure__core__exceptions={"AzureError": Refusing},
        azure__identity={"DefaultAzureCredential": DefaultAzureCredential},
    )
    post = requests.post
    here = registry.url
    monkeypatch.setattr(requests, "post", lambda url, **how: post(url.replace(f"https://{AZURE}", here), **how))
    return asked


def test_a_stand_in_for_acr_exchanges_the_token_of_entra_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "netrc").write_text("default login somebody password netrc-secret\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    with Answering(200, '{"refresh_token": "for-the-registry"}') as registry:
        asked = azure(monkeypatch, registry, lambda: "of-entra-id")
        assert ambient_credentials(AZURE) == ("00000000-0000-0000-0000-000000000000", "for-the-registry")
        ((method, path, body),) = registry.requests
        assert "Authorization" not in registry.headers[0]
    assert asked == ["https://containerregistry.azure.net/.default"]
    assert (method, path) == ("POST", "/oauth2/exchange")
    assert parse_qs(body) == {"grant_type": ["access_token"], "service": [AZURE], "access_token": ["of-entra-id"]}


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (401, '{"errors": ["of-entra-id"]}', "was answered with 401"),
        (200, "{}", "got no answer that can be read"),
        (200, "<html>", "got no answer that can be read"),
    ],
)
def test_what_a_stand_in_for_acr_refuses_names_the_role_and_no_token(
    monkeypatch: pytest.MonkeyPatch, status: int, body: str, reason: str
) -> None:
    with Answering(status, body) as registry:
        azure(monkeypatch, registry, lambda: "of-entra-id")
        with pytest.raises(GovernanceError, match=f"takes AcrPush: .*{reason}") as no:
            ambient_credentials(AZURE)
    assert "of-entra-id" not in str(no.value)


class Redirecting(Answering):
    """Sends whoever asks on to another server, with what they said."""

    def __init__(self, target: str) -> None:
        super().__init__()
        self.target = target

    def respond(self, request: BaseHTTPRequestHandler, body: str) -> None:  # noqa: ARG002
        """Answer with the other address."""
        request.send_response(307)
        request.send_header("Location", self.target)
        request.end_headers()


def test_a_token_follows_no_redirection_of_a_stand_in_for_acr(monkeypatch: pytest.MonkeyPatch) -> None:
    with Answering(200, '{"refresh_token": "stolen"}') as thief, Redirecting(thief.url) as registry:
        azure(monkeypatch, registry, lambda: "of-entra-id")
        with pytest.raises(GovernanceError, match="was answered with 307"):
            ambient_credentials(AZURE)
        assert not thief.requests


def test_without_an_identity_a_stand_in_for_entra_id_gives_no_login(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> str:
        raise Refusing("DefaultAzureCredential failed to retrieve a token\nAttempted credentials: ...")

    with Answering() as registry:
        azure(monkeypatch, registry, refuse)
        with pytest.raises(GovernanceError, match=r"Refusing: DefaultAzureCredential failed to retrieve a token$"):
            ambient_credentials(AZURE)
        assert not registry.requests


@pytest.mark.parametrize(("cloud", "module"), [("gcp", "google.auth"), ("aws", "boto3"), ("azure", "azure.identity")])
def test_a_library_that_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch, cloud: str, module: str) -> None:
    for name in (module, "azure.core.exceptions"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(GovernanceError, match=f"is not installed, which logs in to {HOSTS[cloud]}; the extra"):
        ambient_credentials(HOSTS[cloud])


@pytest.mark.parametrize(
    "host",
    ["registry.test", "ghcr.io", "pkg.dev.example.com", "evil-pkg.dev", "acme.azurecr.io.example.com", f"{AWS}:5000"],
)
def test_a_token_is_sent_to_no_other_registry_than_the_clouds_own(host: str) -> None:
    assert ambient_credentials(host) is None
