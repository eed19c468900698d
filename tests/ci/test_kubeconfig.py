"""How a job reaches the cluster: the client that ZenML uses reads the kubeconfig, and asks the clouds' own libraries.

The cluster and what gives out tokens are stand-ins, which keep what they are asked.
"""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
from kubernetes.client import CoreV1Api
from kubernetes.config import new_client_from_config
from support.google_account import act_as_google_account
from support.rendering import project_copy
from support.servers import LocalServer

CONTEXTS = {
    "gcp": "gke_acme-ml_europe-west1_ml",
    "aws": "arn:aws:eks:eu-west-1:111111111111:cluster/ml",
    "azure": "ml",
}
SCOPES = {f"https://www.googleapis.com/auth/{name}" for name in ("cloud-platform", "userinfo.email")}
GOOGLE = "//iam.googleapis.com/projects/4711/locations/global/workloadIdentityPools/ci/providers/gitlab"


class Cluster(LocalServer):
    """A cluster without pods, and Google's two services that make a job's token one of its account."""

    def __init__(self) -> None:
        self.tokens: list[str] = []
        self.asked: list[str] = []
        self.expiry = datetime.now(UTC) + timedelta(hours=1)

    def respond(self, request: BaseHTTPRequestHandler, body: str) -> None:
        """Answer as the service at this path."""
        match request.path:
            case "/sts":
                self.asked.append(body)
                answer = {"access_token": "federated", "token_type": "Bearer", "expires_in": 3600}
            case "/ci@tumours:generateAccessToken":
                self.asked.append(request.headers["Authorization"])
                known = set(json.loads(body)["scope"]) >= SCOPES
                value = "google-token" if known else "token-of-a-number"
                answer = {"accessToken": value, "expireTime": f"{self.expiry:%Y-%m-%dT%H:%M:%SZ}"}
            case _:
                self.tokens.append(request.headers["Authorization"])
                answer = {"kind": "PodList", "apiVersion": "v1", "items": []}
        request.send_response(200)
        request.send_header("Content-Type", "application/json")
        request.end_headers()
        request.wfile.write(json.dumps(answer).encode())


@pytest.fixture
def cluster() -> Iterator[Cluster]:
    """Return a running one."""
    with Cluster() as running:
        yield running


def listed(cloud: str, cluster: Cluster, folder: Path, monkeypatch: pytest.MonkeyPatch, times: int = 1) -> str:
    """Let the script of a project write the kubeconfig, list pods with it, and return the cluster's last token."""
    project = folder / "project"
    project_copy(project, cloud=cloud, orchestrator="kubernetes")
    python = project / ".venv/bin/python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("KUBECONFIG", str(folder / "build/kubeconfig"))
    for name, value in (("SERVER", cluster.url), ("CA", ""), ("CONTEXT", CONTEXTS[cloud])):
        monkeypatch.setenv(f"KUBERNETES_{name}", value)
    subprocess.run([sys.executable, "-I", project / "scripts/kubeconfig.py"], check=True)
    for name in ("SERVER", "CA", "CONTEXT"):  # a later step of GitHub's has none of them
        monkeypatch.delenv(f"KUBERNETES_{name}")
    monkeypatch.chdir(folder)
    api = CoreV1Api(new_client_from_config(os.environ["KUBECONFIG"], CONTEXTS[cloud]))
    for _ in range(times):
        assert api.list_namespaced_pod("tumours").items == []
    kind, _, token = cluster.tokens[-1].partition(" ")
    assert kind == "Bearer"
    return token


def as_google_account(cluster: Cluster, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Be a job that has the file of its identity, as the login writes it."""
    act_as_google_account(
        folder,
        monkeypatch,
        word="word-of-the-ci-system",
        audience=GOOGLE,
        token_url=f"{cluster.url}/sts",
        account_url=f"{cluster.url}/ci@tumours",
    )


def test_gke_is_given_an_access_token_by_which_it_knows_the_jobs_account_by_its_e_mail(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_google_account(cluster, tmp_path, monkeypatch)
    assert listed("gcp", cluster, tmp_path, monkeypatch, times=2) == "google-token"
    exchange, impersonation = cluster.asked
    assert parse_qs(exchange)["subject_token"] == ["word-of-the-ci-system"]
    assert parse_qs(exchange)["audience"] == [GOOGLE]
    assert impersonation == "Bearer federated"


def test_a_token_that_has_expired_is_asked_for_anew(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    as_google_account(cluster, tmp_path, monkeypatch)
    cluster.expiry = datetime.now(UTC) - timedelta(minutes=1)
    listed("gcp", cluster, tmp_path, monkeypatch)
    assert len([word for word in cluster.asked if word == "Bearer federated"]) == 2, "once to load, once to list"


def test_eks_is_given_a_question_to_sts_that_is_signed_for_this_cluster_alone(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.setenv(name, name.lower())
    prefix, _, text = listed("aws", cluster, tmp_path, monkeypatch).rpartition(".")
    url = urlsplit(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode())
    query = parse_qs(url.query)
    assert (prefix, url.scheme, url.netloc) == ("k8s-aws-v1", "https", "sts.eu-west-1.amazonaws.com")
    assert (query["Action"], query["X-Amz-SignedHeaders"]) == (["GetCallerIdentity"], ["host;x-k8s-aws-id"])
    assert query["X-Amz-Expires"] == ["60"]
    assert query["X-Amz-Security-Token"] == ["aws_session_token"]


def test_aks_is_given_a_token_for_aks(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = {"accessToken": "entra-token", "expires_on": 4102444800, "tokenType": "Bearer"}
    tool = tmp_path / "bin/az"
    tool.parent.mkdir()
    tool.write_text(f"#!/bin/sh\nprintf '%s ' \"$@\" > {tmp_path}/asked\necho '{json.dumps(answer)}'\n")
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tool.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "AzureCliCredential")
    assert listed("azure", cluster, tmp_path, monkeypatch) == "entra-token"
    assert "6dae42f8-4368-4678-94ff-3960e28e3630" in (tmp_path / "asked").read_text()


@pytest.mark.parametrize("cloud", CONTEXTS)
def test_the_kubeconfig_holds_nothing_that_opens_the_cluster(cloud: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project_copy(project, cloud=cloud, orchestrator="kubernetes")
    file = tmp_path / "kubeconfig"
    given = {"SERVER": "https://ml.example.com", "CA": "", "CONTEXT": CONTEXTS[cloud]}
    environment = {f"KUBERNETES_{name}": value for name, value in given.items()} | {"KUBECONFIG": str(file)}
    subprocess.run([sys.executable, "-I", project / "scripts/kubeconfig.py"], env=environment, check=True)
    (user,) = json.loads(file.read_text())["users"]
    assert user["user"].keys() == {"exec"}
    assert user["user"]["exec"]["args"] == [str(project / "scripts/kubeconfig.py"), "token"]
