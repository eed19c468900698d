"""The answers that Terraform code is rendered for: every cloud and orchestrator, with each pair of the others."""

from __future__ import annotations

import tempfile
from functools import cache
from pathlib import Path
from typing import Any

from allpairspy import AllPairs
from support.rendering import render

from governance_core.project import Project, load_project
from governance_core.project.rendering import render_governed

CLOUDS = {"gcp": "vertex", "aws": "sagemaker", "azure": "azureml"}  # with the orchestrator of each cloud's own
STACKS = [(cloud, orchestrator) for cloud, own in CLOUDS.items() for orchestrator in (own, "kubernetes")]
ALERTS = [("none", None), ("slack", "C0123ABCD"), ("discord", "112233445566778899")]
CODE = "governance/stacks/terraform/"
_codes = tempfile.TemporaryDirectory(prefix="terraform-")

Answers = tuple[tuple[str, Any], ...]


def _answers(stack: tuple[str, str], ci: str, alert: tuple[str, str | None], tracker: str) -> Answers:
    (cloud, orchestrator), (alerter, channel) = stack, alert
    answers = {
        "cloud": cloud,
        "orchestrator": orchestrator,
        "ci": ci,
        "alerter": alerter,
        "experiment_tracker": tracker,
    }
    return (*answers.items(), ("alert_channel", channel))


MATRIX = [_answers(*row) for row in AllPairs([STACKS, ["github", "gitlab", "jenkins"], ALERTS, ["none", "mlflow"]])]


def named(answers: Answers) -> str:
    """Return the answers as the name of a test case."""
    return "-".join(value for name, value in answers if name != "alert_channel")


def project(answers: Answers) -> Project:
    """Return the project of these answers; Copier gives the defaults of the others once a cloud."""
    return load_project(render(cloud=dict(answers)["cloud"])).model_copy(update=dict(answers))


@cache
def terraform_code(answers: Answers) -> Path:
    """Return a folder with the Terraform code of these answers, as `governance check` renders it; made once."""
    folder = Path(tempfile.mkdtemp(dir=_codes.name))
    for name, file in render_governed(project(answers)).items():
        if name.startswith(CODE):
            path = folder / name.removeprefix(CODE)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(file.content)
    return folder
