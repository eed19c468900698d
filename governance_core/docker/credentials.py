"""The login to a cloud's own container registry that its library gives whoever runs here: a job of CI, or a person.

Each function asks for what the cloud's own command line asks for, and returns user and password, which lasts for hours.
"""

from __future__ import annotations

import re
from base64 import b64decode
from collections.abc import Callable
from typing import Any

from governance_core.core import GovernanceError
from governance_core.core.errors import one_line

TIMEOUT = 30  # seconds


def ambient_credentials(host: str) -> tuple[str, str] | None:
    """Return user and password for a registry by the identity of where this runs.

    None where the host is no registry of Google Cloud, AWS or Azure: no other is sent a token of theirs.

    Raises:
        GovernanceError: if the cloud's library is not installed, finds no identity, or that one is refused.
    """
    for pattern, ask in REGISTRIES.items():
        if found := re.fullmatch(pattern, host):
            try:
                return ask(found)
            except ModuleNotFoundError as error:
                raise GovernanceError(
                    f"{error.name} is not installed, which logs in to {host}; the extra of governed-ml-core that is "
                    "called as the cloud brings it"
                ) from None
    return None


def _google(host: re.Match[str]) -> tuple[str, str]:
    """Return the access token itself. Source: https://cloud.google.com/artifact-registry/docs/docker/authentication."""
    import google.auth
    from google.auth.exceptions import GoogleAuthError
    from google.auth.transport.requests import Request

    credentials: Any
    try:
        credentials, _ = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
        credentials.refresh(Request())
    except GoogleAuthError as error:
        raise _no_login(host[0], one_line(error), "Artifact Registry Writer") from None
    return "oauth2accesstoken", credentials.token


def _aws(host: re.Match[str]) -> tuple[str, str]:
    """Return what ECR exchanges a signed request for.

    Source: https://docs.aws.amazon.com/AmazonECR/latest/APIReference/API_GetAuthorizationToken.html.
    """
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = boto3.client("ecr", region_name=host["region"]).get_authorization_token()
    except (BotoCoreError, ClientError) as error:
        raise _no_login(host[0], one_line(error), "ecr:GetAuthorizationToken") from None
    user, _, password = b64decode(answer["authorizationData"][0]["authorizationToken"]).decode().partition(":")
    return user, password


def _azure(host: re.Match[str]) -> tuple[str, str]:
    """Return the registry's refresh token for a token of Entra ID.

    Source: https://github.com/Azure/acr/blob/main/docs/AAD-OAuth.md.
    """
    import requests
    from azure.core.exceptions import AzureError
    from azure.identity import DefaultAzureCredential

    try:
        token = DefaultAzureCredential().get_token("https://containerregistry.azure.net/.default").token
        answer = requests.post(
            f"https://{host[0]}/oauth2/exchange",
            data={"grant_type": "access_token", "service": host[0], "access_token": token},
            auth=lambda request: request,  # else a password in ~/.netrc is sent along
            allow_redirects=False,  # the token would be sent to wherever that is
            timeout=TIMEOUT,
        )
        if answer.status_code == 200:
            return "00000000-0000-0000-0000-000000000000", answer.json()["refresh_token"]
        reason = f"the exchange of the token was answered with {answer.status_code}"
    except AzureError as error:
        reason = one_line(error)
    except (requests.RequestException, KeyError) as error:
        reason = f"the exchange of the token got no answer that can be read ({type(error).__name__})"
    raise _no_login(host[0], reason, "AcrPush")


def _no_login(host: str, reason: str, right: str) -> GovernanceError:
    return GovernanceError(f"the identity of where this runs gave no login to {host}, which takes {right}: {reason}")


REGISTRIES: dict[str, Callable[[re.Match[str]], tuple[str, str]]] = {
    r"(?:[a-z0-9-]+\.)+pkg\.dev|(?:[a-z]+\.)?gcr\.io": _google,
    r"\d{12}\.dkr\.ecr(?:-fips)?\.(?P<region>[a-z0-9-]+)\.amazonaws\.com(?:\.cn)?": _aws,
    r"[a-z0-9-]+\.azurecr\.io": _azure,
}
