"""A job that acts as an account of Google's by its federated identity."""

from __future__ import annotations

import json
from pathlib import Path

import pytest


def act_as_google_account(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, word: str, audience: str, token_url: str, account_url: str
) -> None:
    """Let Google's library find what the login of a CI job writes.

    Args:
        folder: where the job's word and the description of its identity are kept.
        monkeypatch: names that description to the library until the test ends.
        word: what the CI system signed.
        audience: whom it was signed for.
        token_url: of Google's token service.
        account_url: of the service account at Google's IAM.
    """
    (folder / "id-token").write_text(word)
    identity = {
        "type": "external_account",
        "audience": audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": token_url,
        "service_account_impersonation_url": f"{account_url}:generateAccessToken",
        "credential_source": {"file": str(folder / "id-token")},
    }
    (folder / "google.json").write_text(json.dumps(identity))
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(folder / "google.json"))
    monkeypatch.setenv("GOOGLE_CLOUD_PROJECT", "acme")
