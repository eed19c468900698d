"""The answers that code reads: ``governance/project.yaml``, a governed file."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from governance_core.core import UsageError, read_yaml

PROJECT_FILE = "governance/project.yaml"
ANSWERS_FILE = ".copier-answers.yml"

ORCHESTRATORS: dict[str, tuple[str | None, ...]] = {
    "local": (None,),
    "gcp": ("vertex", "kubernetes"),
    "aws": ("sagemaker", "kubernetes"),
    "azure": ("azureml", "kubernetes"),
}


class Project(BaseModel):
    """What the team answered when the repository was made; one field for each question of the template."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    project_name: str
    project_slug: str
    package_name: str
    description: str
    owner_team: str
    owner_email: str
    model_name: str
    problem: Literal["classification", "regression"]
    positive_label: str | None = None
    risk_tier: Literal["minimal", "limited", "high"]
    ci: Literal["github", "gitlab", "jenkins"] = "github"
    snapshot_mode: Literal["oss", "pro"] = "oss"
    cloud: Literal["local", "gcp", "aws", "azure"] = "local"
    region: str | None = None
    orchestrator: Literal["vertex", "sagemaker", "azureml", "kubernetes"] | None = None
    alerter: Literal["none", "slack", "discord"] = "none"
    alert_channel: str | None = None
    experiment_tracker: Literal["none", "mlflow"] = "none"
    governance_source: Literal["git", "path", "index"]
    governance_location: str

    @model_validator(mode="after")
    def _only_a_classifier_has_a_positive_label(self) -> Project:
        if (self.positive_label is None) == (self.problem == "classification"):
            raise ValueError("positive_label belongs to problem: classification, and is needed there")
        return self

    @model_validator(mode="after")
    def _only_an_alerter_has_a_channel(self) -> Project:
        if (self.alert_channel is None) != (self.alerter == "none"):
            raise ValueError("alert_channel belongs to an alerter, and is needed there")
        return self

    @model_validator(mode="after")
    def _a_cloud_has_a_region_and_an_orchestrator_of_its_own(self) -> Project:
        if (self.region is None) != (self.cloud == "local"):
            raise ValueError("region belongs to a cloud, and is needed there")
        if self.orchestrator not in ORCHESTRATORS[self.cloud]:
            services = " or ".join(name or "left out" for name in ORCHESTRATORS[self.cloud])
            raise ValueError(f"orchestrator is {services} with cloud: {self.cloud}")
        return self


def find_root(start: Path | None = None) -> Path:
    """Return the project's folder: the nearest one, from ``start`` upwards, that holds governance/project.yaml.

    A folder with a Copier answers file counts as well, so that a deleted governance/project.yaml is reported by name.

    Args:
        start: a file or folder inside the project; the working directory where it is None.

    Raises:
        UsageError: if there is none.
    """
    here = (start or Path.cwd()).resolve()
    for folder in (here, *here.parents):
        if (folder / PROJECT_FILE).is_file() or (folder / ANSWERS_FILE).is_file():
            return folder
    raise UsageError(f"{here} is not inside a governed project: no folder from there upwards holds {PROJECT_FILE}")


def load_project(root: Path) -> Project:
    """Read and validate ``governance/project.yaml``.

    Raises:
        UsageError: naming the file, the key and what is allowed.
    """
    path = root / PROJECT_FILE
    return parse_project(read_mapping(path), path)


def parse_project(data: dict[str, Any], path: Path) -> Project:
    """Validate answers that were read from ``path``.

    Raises:
        UsageError: naming the file, the key and what is allowed.
    """
    try:
        return Project.model_validate(data)
    except ValidationError as error:
        first = error.errors()[0]
        key = ".".join(str(part) for part in first["loc"])
        raise UsageError(f"{path}: {key + ': ' if key else ''}{first['msg']}") from error


def read_mapping(path: Path) -> dict[str, Any]:
    """Return the YAML mapping that a file holds.

    Raises:
        UsageError: if the file is missing, is not YAML or holds something else than a mapping.
    """
    data = read_yaml(path)
    if not isinstance(data, dict):
        raise UsageError(f"{path} must hold a mapping of names to values")
    return data
