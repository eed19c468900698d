"""The platform's Docker settings, what a team may add, and what is refused wherever it is written."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from support.ci_project import run
from support.scratch import Scratch
from zenml.client import Client
from zenml.config import DockerSettings
from zenml.utils.pipeline_docker_image_builder import PipelineDockerImageBuilder

from governance_core.core import Refused, UsageError
from governance_core.docker import (
    GPU_DOCKER_SETTINGS,
    LIGHTWEIGHT_DOCKER_SETTINGS,
    STANDARD_DOCKER_SETTINGS,
    get_docker_settings,
)

ROOT = Path(__file__).parents[2]


def test_additions_stand_beside_what_the_platform_sets() -> None:
    made = get_docker_settings(
        requirements=["lightgbm>=4"], apt_packages=["libgomp1", "g++=4:12.2.0-3"], environment={"OMP_NUM_THREADS": "2"}
    )
    assert made.requirements == [*(STANDARD_DOCKER_SETTINGS.requirements or []), "lightgbm>=4"]
    assert made.apt_packages == ["libgomp1", "g++=4:12.2.0-3"]
    assert made.environment == STANDARD_DOCKER_SETTINGS.environment | {"OMP_NUM_THREADS": "2"}
    assert get_docker_settings() == STANDARD_DOCKER_SETTINGS
    assert get_docker_settings(requirements=None, apt_packages=None) == STANDARD_DOCKER_SETTINGS
    assert get_docker_settings("gpu") == GPU_DOCKER_SETTINGS
    assert get_docker_settings("lightweight") == LIGHTWEIGHT_DOCKER_SETTINGS


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"parent_image": "python:3"}, "parent_image cannot be set"),
        ({"dockerfile": "Dockerfile"}, "dockerfile cannot be set"),
        ({"parent_image": "python:3", "skip_build": True}, "skip_build cannot be set"),
        ({"user": "root"}, "user cannot be set"),
        ({"install_stack_requirements": False}, "install_stack_requirements cannot be set"),
        ({"python_package_installer_args": {"index-url": "x"}}, "python_package_installer_args cannot be set"),
        ({"requirements": ["pandas>=2"]}, "requirement pandas>=2 is pandas==2.3.3 on the platform; leave it out"),
        ({"requirements": ["Governed.ML-core"]}, "governed-ml-core comes from uv.lock, and never from the index"),
        ({"environment": {"PYTHONUNBUFFERED": "0"}}, "variable PYTHONUNBUFFERED is 1 on the platform, and cannot be 0"),
        ({"environment": {"pythonUnbuffered": "0"}}, "variable PYTHONUNBUFFERED is 1 on the platform, and cannot be 0"),
        ({"kind": "gpu", "runtime_environment": {"NVIDIA_VISIBLE_DEVICES": "0"}}, "cannot be 0"),
    ],
)
def test_what_is_the_platforms_to_set_is_refused_by_name(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(Refused, match=f"docker-settings: .*{re.escape(said)}"):
        get_docker_settings(**chosen)


def test_a_string_is_no_list_of_requirements() -> None:
    with pytest.raises(UsageError, match=re.escape("requirements is a list: ['lightgbm']")):
        get_docker_settings(requirements="lightgbm")


@pytest.mark.parametrize(
    ("chosen", "said"),
    [
        ({"kind": "large"}, "there is no kind 'large' of Docker settings; there are: standard, gpu, lightweight"),
        ({"requirments": ["x"]}, "Docker settings have no requirments"),
        ({"requirements": ["--index-url x"]}, "'--index-url x' is no requirement"),
        ({"apt_packages": ["git; curl x"]}, "'git; curl x' is no name of a Debian package"),
        ({"apt_packages": ["ca-certificates-"]}, "'ca-certificates-' is no name of a Debian package"),
        ({"apt_packages": ["curl=8.14-"]}, "'curl=8.14-' is no name of a Debian package"),
        ({"apt_packages": 1}, "apt_packages is a list, not 1"),
        ({"requirements": [None]}, "requirements: None is no text"),
        ({"environment": "abc"}, "environment is a mapping of names to values"),
        ({"runtime_environment": {1: "a"}}, "runtime_environment is a mapping of names to values"),
    ],
)
def test_what_is_no_setting_is_wrong_usage(chosen: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=re.escape(said)):
        get_docker_settings(**chosen)


def test_the_platforms_versions_are_those_of_its_own_lock() -> None:
    packages = tomllib.loads((ROOT / "uv.lock").read_text(encoding="utf-8"))["package"]
    locked = {(package["name"], package.get("version")) for package in packages}
    for settings in (STANDARD_DOCKER_SETTINGS, LIGHTWEIGHT_DOCKER_SETTINGS):
        for pin in map(Requirement, settings.requirements or []):
            assert (pin.name, str(pin.specifier).removeprefix("==")) in locked


def test_the_gpu_versions_exist_fit_each_other_and_name_one_cuda(tmp_path: Path) -> None:
    asked = tmp_path / "requirements.in"
    asked.write_text("\n".join(GPU_DOCKER_SETTINGS.requirements or []))
    for python in ("3.11", "3.12"):
        target = ("--python-version", python, "--python-platform", "x86_64-manylinux_2_28")
        resolved = run(tmp_path, "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate", *target, str(asked))
        cuda = {version for _, version in re.findall(r"^(nvidia-cuda-\w+)-cu\d+==(\d+\.\d+)", resolved, re.MULTILINE)}
        assert cuda == {"12.8"}, resolved
        assert "torch==2.9.1\n" in resolved


def compiled(pipeline: Any) -> Any:
    """Return the snapshot that a pipeline would submit."""
    pipeline.prepare()
    return pipeline._compile()[0]


def test_a_pipeline_has_the_standard_settings_unless_the_team_chose_others(scratch: Scratch) -> None:
    plain = compiled(scratch.module.training)
    assert plain.pipeline_configuration.docker_settings == STANDARD_DOCKER_SETTINGS
    assert all(step.config.docker_settings == STANDARD_DOCKER_SETTINGS for step in plain.step_configurations.values())
    module = scratch.add(
        "chosen",
        """
from governance_core.docker import get_docker_settings
from zenml.config import DockerSettings

@step(settings={"docker": get_docker_settings("gpu")})
def fit(data: pd.DataFrame) -> None: ...

@governed_pipeline(settings={"docker": DockerSettings(environment={"A": "1"})})
def chosen():
    data = load()
    fit(data)
""",
    )
    found = compiled(module.chosen)
    with_variable = STANDARD_DOCKER_SETTINGS.environment | {"A": "1"}
    assert found.pipeline_configuration.docker_settings == STANDARD_DOCKER_SETTINGS.model_copy(
        update={"environment": with_variable}
    )
    of_step = found.step_configurations["fit"].config.docker_settings
    assert of_step.requirements == GPU_DOCKER_SETTINGS.requirements
    assert of_step.environment == GPU_DOCKER_SETTINGS.environment | {"A": "1"}


@pytest.mark.parametrize("kind", ["standard", "gpu", "lightweight"])
def test_zenml_can_build_what_the_settings_say(kind: Any, scratch: Scratch) -> None:
    """As far as that goes without Docker: which packages ZenML gathers for the stack, and the Dockerfile it writes."""
    configured = scratch.module.training.with_options(
        settings={"docker": get_docker_settings(kind, apt_packages=["libgomp1"])}
    )
    settings = compiled(configured).pipeline_configuration.docker_settings
    builder, stack = PipelineDockerImageBuilder(), Client().active_stack
    files = builder.gather_requirements_files(settings, stack, log=False)
    assert files[-1][1].splitlines() == settings.requirements
    dockerfile = builder._generate_zenml_pipeline_dockerfile("zenml:1", settings, files, settings.apt_packages)
    assert "uv pip install --no-cache-dir -r .zenml_user_requirements" in dockerfile
    assert "--no-install-recommends 'libgomp1'" in dockerfile
    assert ("NVIDIA_VISIBLE_DEVICES='all'" in dockerfile) == (kind == "gpu")


def refusal(pipeline: Any) -> str:
    """Submit a pipeline, which is refused, and return why."""
    before = Client().list_pipelines().total
    with pytest.raises(Refused) as refused:
        pipeline()
    assert Client().list_pipelines().total == before, "nothing was registered"
    return str(refused.value)


def test_plain_settings_that_replace_the_platforms_are_refused_wherever_they_are_written(scratch: Scratch) -> None:
    replaced = "docker-settings: requirements replaces the platform's list and leaves out pandas==2.3.3, pyarrow=="
    options = scratch.module.training.with_options
    assert replaced in refusal(options(settings={"docker": DockerSettings(requirements=["lightgbm"])}))
    assert "docker-settings: user cannot be set" in refusal(
        options(steps={"train": {"settings": {"docker": DockerSettings(user="root")}}})
    )
    file = scratch.write("run.yaml", "settings: {docker: {parent_image: 'python:3', requirements: [lightgbm]}}")
    said = refusal(options(config_path=str(file)))
    assert "docker-settings: parent_image cannot be set" in said
    assert replaced in said
    module = scratch.add(
        "decorated",
        """
from zenml.config import DockerSettings

@step(settings={"docker": DockerSettings(dockerfile="Dockerfile")})
def other() -> None: ...

@governed_pipeline(settings={"docker": DockerSettings(requirements="requirements.txt")})
def decorated():
    other()
""",
    )
    said = refusal(module.decorated)
    assert "docker-settings: dockerfile cannot be set" in said
    assert "docker-settings: requirements is the file requirements.txt" in said


def test_a_variable_of_the_platforms_keeps_its_value_wherever_another_is_written(scratch: Scratch) -> None:
    options, gpu = scratch.module.training.with_options, {"docker": get_docker_settings("gpu")}
    unbuffered = "docker-settings: variable PYTHONUNBUFFERED is 1 on the platform, and cannot be 0"
    devices = "docker-settings: variable NVIDIA_VISIBLE_DEVICES is all on the platform, and cannot be none"
    no_device = DockerSettings(environment={"nvidia_visible_devices": "none"})
    assert unbuffered in refusal(options(environment={"PYTHONUNBUFFERED": 0}))
    assert unbuffered in refusal(options(steps={"train": {"environment": {"PYTHONUNBUFFERED": "0"}}}))
    assert devices in refusal(options(settings=gpu, steps={"train": {"settings": {"docker": no_device}}}))
    assert devices in refusal(
        options(environment={"NVIDIA_VISIBLE_DEVICES": "none"}, steps={"train": {"settings": gpu}})
    ), "the step has the pipeline's variables too"
    compiled(options(environment={"NVIDIA_VISIBLE_DEVICES": "none", "PYTHONUNBUFFERED": 1, "A": "1"}))
