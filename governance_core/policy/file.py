"""governance.yaml: what a project asks beyond the baseline."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from governance_core.core import UsageError, impossibility, read_yaml
from governance_core.core.rules import STRICT, ColumnRules, DriftMethod, Share

GOVERNANCE_FILE = "governance.yaml"
Contents = TypeVar("Contents", bound=BaseModel)


def _possible(limits: Any) -> Any:
    known = limits if isinstance(limits, dict) else {}
    problems = [f"{name} = {limit} {why}" for name, limit in known.items() if (why := impossibility(name, limit))]
    if problems:
        raise ValueError("; ".join(problems))
    return limits


def _each_once(keys: list[str]) -> list[str]:
    if len({*keys}) < len(keys):
        raise ValueError("a key is listed twice")
    return keys


Limits = Annotated[dict[str, float], BeforeValidator(_possible)]
# ZenML's component types, which this package does not import.
ComponentType = Literal[
    "alerter",
    "annotator",
    "artifact_store",
    "container_registry",
    "data_validator",
    "deployer",
    "experiment_tracker",
    "feature_store",
    "image_builder",
    "log_store",
    "model_deployer",
    "model_registry",
    "orchestrator",
    "sandbox",
    "step_operator",
]


def _is_free(name: str) -> str:
    if name == "name":
        raise ValueError("ZenML keeps `name` for itself")
    return name


# A reference of ZenML's is {{name.key}}, a key is an identifier, and both must be told apart in names of variables.
SECRET_NAME = r"^[A-Za-z][A-Za-z0-9_-]{0,99}$"
SecretName = Annotated[str, Field(pattern=SECRET_NAME), AfterValidator(_is_free)]
SecretKey = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{0,99}$"), AfterValidator(_is_free)]
Line = Annotated[str, Field(pattern=r"^\S.*$", max_length=200)]
ImportPath = Annotated[str, Field(pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$")]


class _Strict(BaseModel):
    model_config = STRICT


HIDDEN = "(not shown)"
UNSHOWN = STRICT | ConfigDict(hide_input_in_errors=True)  # of files in which somebody may have written a secret's value


class DataSection(_Strict):
    """Rules of the data gate; None leaves a value as it is."""

    min_rows: int | None = Field(default=None, ge=0)
    max_missing_fraction: Share | None = None
    max_duplicates: int | None = Field(default=None, ge=0)
    extra_columns: Literal["allow", "forbid"] | None = None
    columns: dict[str, ColumnRules] = {}


class DriftSection(_Strict):
    """Rules of the drift gate; None leaves a value as it is."""

    share: Share | None = None
    method: DriftMethod | None = None
    threshold: float | None = Field(default=None, gt=0, allow_inf_nan=False)
    on_drift: Literal["alert", "fail"] | None = None


class MetricsSection(_Strict):
    """Bounds of the model gate, by metric."""

    min: Limits = {}
    max: Limits = {}


class Section(_Strict):
    """What one environment, or every one, asks; None leaves a value as it is."""

    data: DataSection = DataSection()
    drift: DriftSection = DriftSection()
    metrics: MetricsSection = MetricsSection()
    approvals: int | None = Field(default=None, ge=0)
    evaluators: list[ImportPath] = []
    stack: list[ComponentType] = []
    lease_seconds: int | None = Field(default=None, ge=1)
    lost_after_minutes: int | None = Field(default=None, ge=1)
    secret_max_age_days: int | None = Field(default=None, ge=1)


class PolicySections(_Strict):
    """``every`` holds in all environments, the others in theirs."""

    every: Section = Section()
    local: Section = Section()
    staging: Section = Section()
    production: Section = Section()


class SecretSection(_Strict):
    """The keys of a ZenML secret, and what uses it; a value stands in no file."""

    keys: Annotated[list[SecretKey], Field(min_length=1), AfterValidator(_each_once)]
    used_by: list[Line] = Field(min_length=1)


class SecretsFile(_Strict):
    """The contents of governance/secrets.yaml: what the platform's components use."""

    model_config = UNSHOWN

    secrets: dict[SecretName, SecretSection] = {}


class GovernanceFile(_Strict):
    """The contents of governance.yaml; where ``personal_data`` is true, nothing shows values of data frames."""

    model_config = UNSHOWN

    personal_data: bool = True
    policy: PolicySections = PolicySections()
    secrets: dict[SecretName, SecretSection] = {}


def load_governance_file(path: Path) -> GovernanceFile:
    """Read and validate a governance.yaml.

    Raises:
        UsageError: if it cannot be read or holds what it may not; names the file, each key and what is allowed.
    """
    return _loaded(GovernanceFile, path)


def load_secrets_file(path: Path) -> dict[str, SecretSection]:
    """Read and validate a governance/secrets.yaml.

    Raises:
        UsageError: as above.
    """
    return _loaded(SecretsFile, path).secrets


def _loaded(model: type[Contents], path: Path) -> Contents:
    try:
        return model.model_validate(read_yaml(path) or {})
    except ValidationError as error:
        problems = "".join(f"\n  - {_explained(model, problem)}" for problem in error.errors())
    raise UsageError(f"{path} is not valid:{problems}")  # not from the error, which names keys that may be values


def _explained(model: type[BaseModel], problem: ErrorDetails) -> str:
    keys = [str(key) for key in problem["loc"]]
    unknown = problem["type"] == "extra_forbidden"
    where = ".".join(_without_values(keys, unknown) if keys[:1] == ["secrets"] else keys) or "the file"
    if unknown:
        return f"{where}: unknown key; allowed here: {', '.join(_allowed(model, keys[:-1]))}"
    if problem["type"] == "value_error":
        return f"{where}: {problem['msg'].removeprefix('Value error, ')}"
    if keys[:1] == ["secrets"]:  # somebody may have written a value there
        return f"{where}: {problem['msg']}; what stands there is not shown"
    return f"{where}: {problem['msg']}, not {problem['input']!r}"


def _without_values(keys: list[str], unknown: bool) -> list[str]:
    """Return where something is wrong below ``secrets``, without what is no name of a secret or no known key."""
    named = [key if place != 1 or re.fullmatch(SECRET_NAME, key) else HIDDEN for place, key in enumerate(keys)]
    return [*named[:-1], HIDDEN] if unknown else named


def _allowed(model: Any, keys: list[str]) -> list[str]:
    for key in keys:  # a column's name leads from the mapping to the rules of a column
        model = model.model_fields[key].annotation if hasattr(model, "model_fields") else get_args(model)[1]
    return list(model.model_fields)
