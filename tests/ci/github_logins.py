"""Stand-ins of the actions that give a GitHub job an identity in a cloud: none is asked, what they write opens none.

They hold each input against what the cloud calls so, refuse a key in its place, and write what the real ones write.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, MutableMapping
from pathlib import Path

# The inputs of each action with which it needs no key, and the form of what each takes.
LOGINS: dict[str, dict[str, str]] = {
    "google-github-actions/auth": {
        "workload_identity_provider": r"projects/\d+/locations/global/workloadIdentityPools/[\w-]+/providers/[\w-]+",
        "service_account": r"[\w-]+@[\w-]+\.iam\.gserviceaccount\.com",
    },
    "aws-actions/configure-aws-credentials": {
        "role-to-assume": r"arn:aws[\w-]*:iam::\d{12}:role/[\w/-]+",
        "aws-region": r"[a-z]{2}(-[a-z]+)+-\d",
        "role-duration-seconds": r"\d+",
    },
}


def log_in(action: str, options: Mapping[str, str], environment: MutableMapping[str, str], workspace: Path) -> None:
    """Do what a login action does to its job, into which GitHub must have put where its identity token is asked for."""
    asked = environment.get("ACTIONS_ID_TOKEN_REQUEST_URL")
    assert asked, f"{action} gets no identity token: the job lacks the permission id-token: write"
    assert options.keys() == LOGINS[action].keys(), f"{action} is given {sorted(options)}"
    for name, form in LOGINS[action].items():
        assert re.fullmatch(form, options[name]), f"{name} of {action} is {options[name]!r}"
    match action:
        case "google-github-actions/auth":
            _google(options, environment, asked, workspace)
        case "aws-actions/configure-aws-credentials":
            environment |= {"AWS_REGION": options["aws-region"], "AWS_DEFAULT_REGION": options["aws-region"]}
            session = f"session of {options['role-to-assume']}"
            environment |= {"AWS_ACCESS_KEY_ID": "ASIA", "AWS_SECRET_ACCESS_KEY": "s", "AWS_SESSION_TOKEN": session}


def _google(options: Mapping[str, str], environment: MutableMapping[str, str], asked: str, workspace: Path) -> None:
    accounts = "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts"
    credentials = {
        "type": "external_account",
        "audience": f"//iam.googleapis.com/{options['workload_identity_provider']}",
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": f"{accounts}/{options['service_account']}:generateAccessToken",
        "credential_source": {
            "url": asked,
            "headers": {"Authorization": f"Bearer {environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        },
    }
    file = workspace / "gha-creds-0123456789abcdef.json"  # in the checkout, where git must not see it
    file.write_text(json.dumps(credentials), encoding="utf-8")
    environment |= {"GOOGLE_APPLICATION_CREDENTIALS": str(file), "GOOGLE_GHA_CREDS_PATH": str(file)}
