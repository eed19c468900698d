"""Answer sets that cover every pair of unusual answers."""

from __future__ import annotations

from typing import Any

from allpairspy import AllPairs

LONG = "x" * 50
CHOICES: dict[str, list[Any]] = {
    "problem": ["classification", "regression"],
    "project_name": ["Tumour Diagnosis", "Überleben & 'Größe': 肿瘤 #1 {x} [= y =]", "N" * 80],
    "package_name": [None, LONG, "a"],
    "model_name": [None, LONG, "m-1_a"],
    "description": [None, "Ça marche: 100 % of {{ cases }} & 'more' #1", "d" * 200],
    "positive_label": [None, "ja, 'doch'", "1"],
    "owner": [("Data Science", "data-science@example.com"), ("Équipe 'Ω' & ß: #1", "a.b+c_d%e@sub.example.co.uk")],
    "risk_tier": ["minimal", "limited", "high"],
    "ci": ["github", "gitlab", "jenkins"],
    "snapshot_mode": ["oss", "pro"],
    "stacks": [
        ("local", None, None),
        ("gcp", None, "vertex"),
        ("gcp", "us-central1", "kubernetes"),
        ("aws", None, "sagemaker"),
        ("aws", "us-gov-west-1", "kubernetes"),
        ("azure", None, "azureml"),
        ("azure", "eastus2", "kubernetes"),
    ],
    "alerts": [("none", None), ("slack", "C0123ABCD"), ("discord", "112233445566778899")],
    "experiment_tracker": ["none", "mlflow"],
    "governance": [
        ("path", None),
        ("path", "/a b/ü"),
        ("git", "https://git.example.com/platform/governed.git"),
        ("index", "https://packages.example.com/simple"),
    ],
}


def _answers(row: dict[str, Any]) -> dict[str, Any]:
    (row["owner_team"], row["owner_email"]) = row.pop("owner")
    (row["cloud"], row["region"], row["orchestrator"]) = row.pop("stacks")
    (row["alerter"], row["alert_channel"]) = row.pop("alerts")
    (row["governance_source"], row["governance_location"]) = row.pop("governance")
    if row["problem"] == "regression":
        del row["positive_label"]
    return {name: answer for name, answer in row.items() if answer is not None}


PAIRWISE = [_answers(dict(zip(CHOICES, row, strict=True))) for row in AllPairs(list(CHOICES.values()))]
