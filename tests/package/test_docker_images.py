"""The recorded image of a lock: what runs in it, what a release says of it, and what production refuses."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from support.command_line import Governance
from support.on_path.process_stack import FLAVORS
from support.scratch import Scratch, scratch_project
from support.trained import journal
from zenml.client import Client
from zenml.config import DockerSettings
from zenml.enums import StackComponentType as Kind
from zenml.models import PipelineSnapshotResponse

from governance_core.core import Refused
from governance_core.docker import get_docker_settings
from governance_core.lifecycle.running import configured_for
from governance_core.project import lock_digest
from governance_core.registry.images import Image, record_image

FIRST, SECOND, THIRD = (f"registry.test/team/scratch@sha256:{letter * 64}" for letter in "abc")
LOCK = """
[[package]]
name = "{slug}"
dependencies = [{{ name = "governed-ml-core", extra = ["gpu"] }}]
dev-dependencies = {{ dev = [{{ name = "ruff" }}] }}

[[package]]
name = "governed-ml-core"
optional-dependencies = {{ gpu = [{{ name = "torch" }}], mlflow = [{{ name = "mlflow" }}] }}

[[package]]
name = "torch"
version = "2.9.1"

[[package]]
name = "mlflow"
version = "3.0"

[[package]]
name = "ruff"
version = "0.8"
"""


@pytest.fixture(scope="session")
def containers(store: Path, tmp_path_factory: pytest.TempPathFactory) -> str:  # noqa: ARG001
    """Return the name of a stack whose steps run in containers, with a container registry."""
    client, name = Client(), f"containers-{uuid4().hex[:8]}"
    for flavor in FLAVORS:
        if not client.list_flavors(name=flavor().name):
            client.zen_store.create_flavor(flavor().to_model(is_custom=True))
    folder = tmp_path_factory.mktemp("artifacts")
    parts = {
        Kind.ORCHESTRATOR: client.create_stack_component(name, "process", Kind.ORCHESTRATOR, {}),
        Kind.ARTIFACT_STORE: client.create_stack_component(name, "shared", Kind.ARTIFACT_STORE, {"path": str(folder)}),
        Kind.IMAGE_BUILDER: client.create_stack_component(name, "none", Kind.IMAGE_BUILDER, {}),
        Kind.CONTAINER_REGISTRY: client.create_stack_component(
            name, "default", Kind.CONTAINER_REGISTRY, {"uri": "registry.test/team"}
        ),
    }
    client.create_stack(name, {kind: part.id for kind, part in parts.items()})
    return name


@pytest.fixture
def project(containers: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """Return a project in a cloud, with a lock, whose stack runs steps in containers."""
    monkeypatch.setenv("GOVERNANCE_ACTOR", "trainer@example.com")
    for variable in ("GOVERNANCE_ENVIRONMENT", "ZENML_ACTIVE_STACK_ID"):
        monkeypatch.setenv(variable, "")
    for environment in ("STAGING", "PRODUCTION"):
        monkeypatch.setenv(f"ZENML_{environment}_STACK", containers)
    answers = {"cloud": "gcp", "region": "europe-west1", "orchestrator": "vertex"}
    with scratch_project(tmp_path / "scratch", **answers) as scratch:
        monkeypatch.chdir(scratch.root)
        for environment in ("staging", "production"):
            scratch.write(f"configs/{environment}.yaml", "")
        scratch.write("uv.lock", LOCK.format(slug=scratch.project.project_slug))
        scratch.add("pipelines", "")
        yield scratch


def built(scratch: Scratch, image: str, environment: str = "production", **others: Any) -> None:
    """Record an image of the project's lock."""
    recorded = {
        "environment": environment,
        "base": "python@sha256:0",
        "lock": lock_digest(scratch.root),
        "dockerfile": None,
        "apt_packages": [],
        "commit": "0" * 40,
        "tree": "0" * 40,
        "actor": {"id": "builder@example.com"},
    }
    record_image(scratch.project.project_slug, Image(image=image, **(recorded | others)))


def submitted(scratch: Scratch, environment: str = "staging", **options: Any) -> PipelineSnapshotResponse:
    """Submit the project's pipeline but for its run, and return what ZenML stored."""
    pipeline = configured_for(scratch.module.training, environment, scratch.root).with_options(**options)
    return pipeline.create_snapshot(name=uuid4().hex)


def refusal(scratch: Scratch, environment: str = "staging", **options: Any) -> str:
    """Submit the project's pipeline, which is refused, and return why."""
    with pytest.raises(Refused) as refused:
        submitted(scratch, environment, **options)
    return str(refused.value)


def test_steps_run_in_the_newest_image_of_the_lock_and_nothing_is_built(project: Scratch) -> None:
    assert "image-missing: no image of this uv.lock is recorded that may run here; `governance image build" in refusal(
        project
    )
    built(project, FIRST)
    built(project, SECOND, "staging")
    built(project, THIRD, lock="sha256:of another lock")
    snapshot = submitted(project)
    assert snapshot.build
    assert {item.image for item in snapshot.build.images.values()} == {SECOND}
    assert snapshot.build.requires_code_download
    assert snapshot.code_path
    assert snapshot.pipeline_configuration.docker_settings.skip_build
    assert snapshot.pipeline_configuration.environment == {"PYTHONUNBUFFERED": "1"}
    assert {step.config.docker_settings.parent_image for step in snapshot.step_configurations.values()} == {SECOND}
    submission = snapshot.step_configurations["record_evidence"].config.parameters["submission"]
    assert submission["image"] == {"image": SECOND, "apt_packages": []}


def release(governance: Governance) -> dict[str, Any]:
    """Release what is checked out to production, and return what was recorded."""
    code, out, err = governance("snapshot", "create", "--pipeline", "training", "--environment", "production", "--json")
    assert code == 0, err
    return dict(json.loads(out)["release"])


def test_production_runs_the_released_image_until_the_next_release(project: Scratch, governance: Governance) -> None:
    assert release(governance)["image"] is None
    built(project, FIRST)
    assert f"not-released: image is {FIRST}, and None was released" in refusal(project, "production")
    assert release(governance)["image"] == FIRST
    built(project, SECOND)
    built(project, THIRD, "staging")
    (item,) = submitted(project, "production").build.images.values()
    assert item.image == FIRST
    released = release(governance)
    assert released["image"] == SECOND, "what was built for staging does not run in production"
    assert dict(journal(project)[-1].body) == released
    (item,) = submitted(project, "production").build.images.values()
    assert item.image == SECOND


def test_what_the_image_lacks_is_named_before_the_run(project: Scratch) -> None:
    built(project, FIRST)
    chosen = get_docker_settings(
        "gpu",
        requirements=["lightgbm>=4", "mlflow", "ruff"],
        apt_packages=["libgomp1"],
        environment={"omp_num_threads": "2"},
    )
    said = refusal(project, settings={"docker": chosen})
    assert f"image-lacks: {FIRST} has no libgomp1; name it in the pipeline's decorator" in said
    assert "image-lacks: lightgbm>=4 is asked for, and uv.lock has no such dependency of the project: `uv add" in said
    assert "image-lacks: ruff is asked for, and uv.lock has no such dependency" in said, "no group is in the image"
    assert "image-lacks: mlflow is asked for, and uv.lock has no such dependency" in said, (
        "nor an extra that nobody asks for"
    )
    assert "torch" not in said, "the lock has it"

    built(project, SECOND, apt_packages=["libgomp1"])
    there = get_docker_settings("gpu", apt_packages=["libgomp1"], environment={"omp_num_threads": "2"})
    configuration = submitted(project, settings={"docker": there}).pipeline_configuration
    assert configuration.docker_settings.parent_image == SECOND
    assert configuration.environment["OMP_NUM_THREADS"] == "2"
    assert configuration.environment["NVIDIA_VISIBLE_DEVICES"] == "all"


def test_the_variables_of_a_step_are_its_own(project: Scratch) -> None:
    built(project, FIRST)
    own = {"train": {"settings": {"docker": DockerSettings(environment={"A": "1"})}}}
    steps = submitted(project, steps=own).step_configurations
    assert steps["train"].config.environment == {"A": "1", "PYTHONUNBUFFERED": "1"}
    assert steps["load"].config.environment == {"PYTHONUNBUFFERED": "1"}


def test_a_build_of_zenmls_cannot_be_chosen_in_place_of_the_image(project: Scratch) -> None:
    built(project, FIRST)
    said = refusal(project, build=submitted(project).build.id)
    assert "docker-settings: a build of ZenML's cannot be chosen" in said
