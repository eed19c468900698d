"""Stands in for `governance` in a job: prints what the libraries of the clouds find of who it is there."""

from __future__ import annotations

import json
import os
from pathlib import Path


def google() -> dict[str, str | None]:
    """Return whom Google's own library would ask for, and for which token where it is in a file."""
    import google.auth
    from google.auth.identity_pool import Credentials

    credentials, _ = google.auth.load_credentials_from_file(os.environ["GOOGLE_APPLICATION_CREDENTIALS"])
    assert isinstance(credentials, Credentials)
    known = credentials.info
    token = credentials.retrieve_subject_token(None) if "file" in known["credential_source"] else None
    return {"audience": known["audience"], "account": credentials.service_account_email, "token": token}


def cluster() -> str:
    """Return the address behind the name that the orchestrator has for its cluster."""
    from kubernetes.config.kube_config import list_kube_config_contexts, new_client_from_config

    _, current = list_kube_config_contexts()
    return f"{current['name']} at {new_client_from_config().configuration.host}"


def from_environment(file: str, *names: str) -> dict[str, str | None]:
    """Return variables that an SDK reads, and the token in the file that one of them names."""
    path = os.environ.get(file)
    return {name: os.environ.get(name) for name in names} | {"token": Path(path).read_text() if path else None}


if __name__ == "__main__":
    if "GOOGLE_APPLICATION_CREDENTIALS" in os.environ:
        found = google()
    elif "AWS_DEFAULT_REGION" in os.environ:
        found = from_environment(
            "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ROLE_ARN", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION"
        )
    else:
        found = from_environment(
            "AZURE_FEDERATED_TOKEN_FILE",
            "AZURE_CLIENT_ID",
            "AZURE_TENANT_ID",
            "AZURE_STORAGE_ACCOUNT_NAME",
            "ZENML_ENABLE_IMPLICIT_AUTH_METHODS",
        )
    if "KUBECONFIG" in os.environ:
        found["cluster"] = cluster()
    print("acts as", json.dumps(found))
