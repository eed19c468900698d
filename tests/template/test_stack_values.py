"""The files of values that a render starts with, and the table that says what they must hold."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from support.rendering import render

from governance_core.core import UsageError
from governance_core.project import load_project
from governance_core.project.answers import ORCHESTRATORS
from governance_core.stacks.wanted import wanted_stack

STACKS = [(cloud, service) for cloud, services in ORCHESTRATORS.items() for service in services if service]


@pytest.mark.parametrize("environment", ["staging", "production"])
@pytest.mark.parametrize(("cloud", "orchestrator"), STACKS)
def test_a_render_names_each_value_that_is_to_be_filled(cloud: str, orchestrator: str, environment: str) -> None:
    root = render(cloud=cloud, orchestrator=orchestrator, experiment_tracker="mlflow")
    path = root / "configs/stacks" / f"{environment}.yaml"
    assert f"governance stack register --environment {environment}" in path.read_text(encoding="utf-8")
    held: dict[str, dict[str, Any]] = yaml.safe_load(path.read_text(encoding="utf-8"))
    project = load_project(root)
    empty = [f"{kind}.{key}" for kind, values in held.items() for key, value in values.items() if value is None]
    with pytest.raises(UsageError) as refusal:
        wanted_stack(project, environment, environment, root)
    said = str(refusal.value).splitlines()[1:]
    assert sorted(said) == sorted(f"  - {key} is missing" for key in empty)


@pytest.mark.parametrize(("cloud", "orchestrator"), STACKS)
def test_a_render_asks_for_nothing_that_may_be_left_out(
    cloud: str, orchestrator: str, tmp_path: Any
) -> None:
    root = render(cloud=cloud, orchestrator=orchestrator, experiment_tracker="mlflow")
    held = yaml.safe_load((root / "configs/stacks/staging.yaml").read_text(encoding="utf-8"))
    project = load_project(root)
    (tmp_path / "configs/stacks").mkdir(parents=True)
    for kind, values in held.items():
        for key in values:
            filled = {k: {x: y or "filled" for x, y in v.items() if (k, x) != (kind, key)} for k, v in held.items()}
            (tmp_path / "configs/stacks/staging.yaml").write_text(yaml.safe_dump(filled), encoding="utf-8")
            with pytest.raises(UsageError, match=f"{kind}.{key} is missing"):
                wanted_stack(project, "staging", "staging", tmp_path)


def test_a_local_project_has_no_such_files() -> None:
    assert not (render() / "configs/stacks").exists()
