"""The image that a compiled pipeline runs in."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name
from zenml.client import Client
from zenml.config import DockerSettings
from zenml.config.base_settings import BaseSettings
from zenml.config.constants import DOCKER_SETTINGS_KEY
from zenml.models import PipelineSnapshotBase

from governance_core.core import Refused, Violation
from governance_core.docker.settings import STANDARD, changed_variables, completed, parsed, violations_of
from governance_core.project import load_project


def with_docker_settings(
    snapshot: PipelineSnapshotBase, image: Mapping[str, Any] | None, root: Path
) -> PipelineSnapshotBase:
    """Return a compiled pipeline with the Docker settings that hold: the platform's, with what the team added.

    Where the active stack runs steps in containers they run in the recorded image of the project's lock, by digest:
    nothing is built at submission, and the code comes from the artifact store. A project without a cloud may have none;
    ZenML then builds what the settings say.

    Args:
        snapshot: as ZenML compiled it.
        image: what `Image.running` says of the recorded one; None where there is none.
        root: the project's folder.

    Raises:
        Refused: if somebody set what is the platform's to set, no image is recorded, or it lacks what was added.
        UsageError: if an addition is not written as one.
    """
    what = f"pipeline '{snapshot.pipeline_configuration.name}'"
    pipeline = _own(snapshot.pipeline_configuration.settings)
    steps = {name: _own(step.step_config_overrides.settings) for name, step in snapshot.step_configurations.items()}
    of_pipeline = completed(pipeline)
    of_steps = {name: completed(pipeline, own) for name, own in steps.items() if own}
    violations = [found for own in (pipeline, *steps.values()) if own for found in violations_of(own)]
    for name, step in snapshot.step_configurations.items():  # whose environment holds the pipeline's
        violations += changed_variables(of_steps.get(name, of_pipeline), step.config.environment)
    if violations := [*dict.fromkeys(violations)]:
        raise Refused(what, violations)
    settled = _changed(snapshot, of_pipeline, of_steps)
    if not Client().active_stack.get_docker_builds(snapshot=settled):
        return settled
    if image is None:
        if load_project(root).cloud == "local":
            return settled
        message = (
            "no image of this uv.lock is recorded that may run here; "
            "`governance image build --environment ENVIRONMENT` builds, pushes and records it"
        )
        raise Refused(what, [Violation("image-missing", message)])
    if violations := [*_lacks(image, [of_pipeline, *of_steps.values()], root)]:
        raise Refused(what, violations)
    return _in_image(settled, image["image"], of_pipeline, of_steps)


def _own(settings: Mapping[str, BaseSettings]) -> DockerSettings | None:
    found = settings.get(DOCKER_SETTINGS_KEY)
    return DockerSettings.model_validate(found.model_dump(exclude_unset=True)) if found else None


def _changed(
    snapshot: PipelineSnapshotBase, of_pipeline: DockerSettings, of_steps: Mapping[str, DockerSettings]
) -> PipelineSnapshotBase:
    configuration = snapshot.pipeline_configuration
    steps = {}
    for name, step in snapshot.step_configurations.items():
        own = {DOCKER_SETTINGS_KEY: of_steps[name]} if name in of_steps else {}
        others = {key: held for key, held in step.step_config_overrides.settings.items() if key != DOCKER_SETTINGS_KEY}
        steps[name] = step.model_copy(
            update={
                "config": step.config.model_copy(
                    update={"settings": step.config.settings | {DOCKER_SETTINGS_KEY: of_steps.get(name, of_pipeline)}}
                ),
                "step_config_overrides": step.step_config_overrides.model_copy(update={"settings": others | own}),
            }
        )
    settings = configuration.settings | {DOCKER_SETTINGS_KEY: of_pipeline}
    return snapshot.model_copy(
        update={
            "step_configurations": steps,
            "pipeline_configuration": configuration.model_copy(update={"settings": settings}),
        }
    )


def _in_image(
    snapshot: PipelineSnapshotBase, image: str, of_pipeline: DockerSettings, of_steps: Mapping[str, DockerSettings]
) -> PipelineSnapshotBase:
    """Let every step run in an image as it is; the variables of the settings, which a build would set, go with them."""
    running = DockerSettings(
        parent_image=image,
        skip_build=True,
        allow_including_files_in_images=False,
        allow_download_from_code_repository=False,
    )
    changed = _changed(snapshot, running, {})
    configuration = changed.pipeline_configuration
    variables = _variables(of_pipeline) | configuration.environment
    steps = {}
    for name, step in changed.step_configurations.items():
        own = _variables(of_steps[name]) if name in of_steps else {}
        overrides = step.step_config_overrides
        steps[name] = step.model_copy(
            update={
                "config": step.config.model_copy(update={"environment": variables | own | step.config.environment}),
                "step_config_overrides": overrides.model_copy(update={"environment": own | overrides.environment}),
            }
        )
    return changed.model_copy(
        update={
            "step_configurations": steps,
            "pipeline_configuration": configuration.model_copy(update={"environment": variables}),
        }
    )


def _variables(settings: DockerSettings) -> dict[str, str]:
    return {name.upper(): str(value) for name, value in (settings.environment | settings.runtime_environment).items()}


def _lacks(image: Mapping[str, Any], settings: Iterable[DockerSettings], root: Path) -> Iterator[Violation]:
    settings = [*settings]
    packages = {package for chosen in settings for package in chosen.apt_packages} - {*image["apt_packages"]}
    if packages:
        message = (
            f"{image['image']} has no {', '.join(sorted(packages))}; "
            "name it in the pipeline's decorator, for all of its steps, and `governance image build` again"
        )
        yield Violation("image-lacks", message)
    # What the platform's standard list names is in every lock, as the lock says.
    added = {requirement for chosen in settings for requirement in chosen.requirements or ()} - {*STANDARD}
    locked = _locked(root) if added else {}
    for requirement in sorted(added):
        wanted = parsed(requirement)
        there = locked.get(canonicalize_name(wanted.name), set())
        if not any(wanted.specifier.contains(version, prereleases=True) for version in there):
            has = f"has {', '.join(sorted(there))}" if there else "has no such dependency of the project"
            message = (
                f"{requirement} is asked for, and uv.lock {has}: `uv add '{requirement}'`, commit, build the image"
            )
            yield Violation("image-lacks", message)


def _locked(root: Path) -> dict[str, set[str]]:
    """Return the versions of each package that the image takes from uv.lock, which leaves dependency groups out.

    There are several where Python versions differ.
    """
    packages: dict[str, list[dict[str, Any]]] = {}
    for package in tomllib.loads((root / "uv.lock").read_text(encoding="utf-8"))["package"]:
        packages.setdefault(package["name"], []).append(package)
    found: dict[str, set[str]] = {}
    seen: set[tuple[str, str | None]] = set()
    waiting: list[tuple[str, str | None]] = [(load_project(root).project_slug, None)]
    while waiting:
        name, extra = waiting.pop()
        if (name, extra) in seen:
            continue
        seen.add((name, extra))
        for package in packages.get(name, ()):
            found.setdefault(name, set()).add(package.get("version", ""))
            needs = (
                package.get("optional-dependencies", {}).get(extra, ()) if extra else package.get("dependencies", ())
            )
            waiting += [(need["name"], part) for need in needs for part in (None, *need.get("extra", ()))]
    return found
