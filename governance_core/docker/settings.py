"""ZenML's Docker settings as the platform keeps them, what a team may add, and what it may not."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Literal

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from zenml.config import DockerSettings

from governance_core.core import DISTRIBUTION, Refused, UsageError, Violation

# The versions of the platform's own uv.lock, which fit each other; docs/decisions/0008 says why these.
LIGHTWEIGHT = ["pandas==2.3.3", "pyarrow==25.0.1", "zenml==0.98.0"]
STANDARD = [*LIGHTWEIGHT, "duckdb==2.0.0", "polars==2.1.0", "scikit-learn==1.9.1"]
# Its wheel brings CUDA 12.8 (nvidia-cuda-runtime-cu12 12.8.90): the machine needs NVIDIA's driver and nothing else.
GPU = [*STANDARD, "torch==2.9.1"]
ENVIRONMENT = {"PYTHONUNBUFFERED": "1"}
GPU_ENVIRONMENT = ENVIRONMENT | {"NVIDIA_DRIVER_CAPABILITIES": "compute,utility", "NVIDIA_VISIBLE_DEVICES": "all"}

LIGHTWEIGHT_DOCKER_SETTINGS = DockerSettings(requirements=LIGHTWEIGHT, environment=ENVIRONMENT)
STANDARD_DOCKER_SETTINGS = DockerSettings(requirements=STANDARD, environment=ENVIRONMENT)
GPU_DOCKER_SETTINGS = DockerSettings(requirements=GPU, environment=GPU_ENVIRONMENT)

Kind = Literal["standard", "gpu", "lightweight"]
KINDS: dict[str, DockerSettings] = {
    "standard": STANDARD_DOCKER_SETTINGS,
    "gpu": GPU_DOCKER_SETTINGS,
    "lightweight": LIGHTWEIGHT_DOCKER_SETTINGS,
}
RULE = "docker-settings"
A_TEAM_S = frozenset({"requirements", "apt_packages", "environment", "runtime_environment"})
# To apt-get a hyphen at the end means: remove it.
DEBIAN_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]*[a-z0-9+](=[A-Za-z0-9.+:~-]*[A-Za-z0-9.+~])?")


def get_docker_settings(
    kind: Kind = "standard",
    *,
    requirements: Iterable[str] | None = (),
    apt_packages: Iterable[str] | None = (),
    environment: Mapping[str, str] | None = None,
    runtime_environment: Mapping[str, str] | None = None,
    **others: Any,
) -> DockerSettings:
    """Return the platform's Docker settings with a team's additions: ZenML itself would replace the lists.

    Args:
        kind: ``standard``, ``gpu`` (PyTorch with CUDA) or ``lightweight`` (no machine learning libraries).
        requirements: Python packages beside the platform's, as pip writes them. Where the stack has a container
            registry they must be in uv.lock too.
        apt_packages: Debian packages that `governance image build` installs.
        environment: variables beside the platform's.
        runtime_environment: variables that are set after the packages are installed.
        others: any other setting of ZenML's; each is refused by name.

    Raises:
        UsageError: if there is no such kind or setting, an addition is no list or mapping, or a requirement or a Debian
            package is not written as one.
        Refused: if a setting is the platform's to make, or an addition changes what the platform set.
    """
    if kind not in KINDS:
        raise UsageError(f"there is no kind {kind!r} of Docker settings; there are: {', '.join(KINDS)}")
    if unknown := sorted(others.keys() - DockerSettings.model_fields.keys()):
        raise UsageError(f"Docker settings have no {', '.join(unknown)}")
    platform = KINDS[kind]
    settings = DockerSettings(
        requirements=_joined(platform.requirements, _texts("requirements", requirements)),
        apt_packages=_joined(platform.apt_packages, _texts("apt_packages", apt_packages)),
        environment=platform.environment | _named("environment", environment),
        runtime_environment=_named("runtime_environment", runtime_environment),
    ).model_copy(update=others)
    if violations := [*violations_of(settings), *changed_variables(settings)]:
        raise Refused("making Docker settings", violations)
    return settings


def completed(*chosen: DockerSettings | None) -> DockerSettings:
    """Return the platform's standard settings with what was chosen in their place; the last one wins.

    Variables are joined. A list that was chosen holds the platform's already, or `violations_of` says so.
    """
    fields: dict[str, Any] = {}
    for settings in (STANDARD_DOCKER_SETTINGS, *filter(None, chosen)):
        given = {name: getattr(settings, name) for name in A_TEAM_S & settings.model_fields_set}
        for name in ("environment", "runtime_environment"):
            given[name] = fields.get(name, {}) | given.get(name, {})
        fields |= given
    return DockerSettings(**fields)


def violations_of(settings: DockerSettings) -> Iterator[Violation]:
    """Yield what settings change that is the platform's, wherever they were written; `changed_variables` besides.

    Args:
        settings: with nothing set but what somebody chose.

    Raises:
        UsageError: if a requirement or a Debian package is not written as one.
    """
    set_now, defaults = settings.model_fields_set, DockerSettings.model_fields
    for name in sorted(set_now - A_TEAM_S):
        if getattr(settings, name) != defaults[name].default:
            yield _refused(
                f"{name} cannot be set: steps run as the plain user of the image that `governance image build` makes "
                f"of uv.lock; get_docker_settings adds {', '.join(sorted(A_TEAM_S))}"
            )
    if settings.requirements is not None:
        yield from _of_requirements(settings.requirements)
    require_debian(settings.apt_packages)


def changed_variables(settings: DockerSettings, environment: Mapping[str, Any] | None = None) -> Iterator[Violation]:
    """Yield the variables of the platform's that have another value; ZenML writes their names in capitals.

    Args:
        settings: complete, so that their requirements say which of the kinds they are.
        environment: what a pipeline or a step sets by its own option, which wins when it runs.
    """
    chosen = {*(settings.requirements or ())}
    platform: dict[str, str] = {}
    for kind in KINDS.values():
        platform |= kind.environment if chosen.issuperset(kind.requirements or ()) else {}
    for variables in (settings.environment, settings.runtime_environment, environment or {}):
        for name, given in variables.items():
            value = platform.get(name.upper(), str(given))
            if str(given) != value:
                yield _refused(f"variable {name.upper()} is {value} on the platform, and cannot be {given}")


def _of_requirements(requirements: str | list[str]) -> Iterator[Violation]:
    if isinstance(requirements, str):
        yield _refused(f"requirements is the file {requirements}; name the packages to get_docker_settings")
        return
    if missing := [pin for pin in LIGHTWEIGHT if pin not in requirements]:
        yield _refused(
            f"requirements replaces the platform's list and leaves out {', '.join(missing)}; "
            "get_docker_settings(requirements=[...]) adds to it"
        )
    pinned = {canonicalize_name(parsed(pin).name): pin for pin in GPU}
    for requirement in requirements:
        name = canonicalize_name(parsed(requirement).name)
        if name == DISTRIBUTION:
            yield _refused(f"{DISTRIBUTION} comes from uv.lock, and never from the index that requirements name")
        elif pinned.get(name, requirement) != requirement:
            yield _refused(f"requirement {requirement} is {pinned[name]} on the platform; leave it out")


def require_debian(packages: Iterable[str]) -> None:
    """Raise UsageError for what is no name of a Debian package."""
    for package in packages:
        if not DEBIAN_PACKAGE.fullmatch(package):
            raise UsageError(f"apt_packages: {package!r} is no name of a Debian package, such as libgomp1")


def parsed(requirement: str) -> Requirement:
    """Return a requirement as packaging reads it.

    Raises:
        UsageError: if it is none.
    """
    try:
        return Requirement(requirement)
    except InvalidRequirement as error:
        raise UsageError(f"requirements: {requirement!r} is no requirement: {error}") from error


def _texts(name: str, given: Iterable[str] | None) -> list[str]:
    if isinstance(given, str):  # which is a list of letters, too
        raise UsageError(f"{name} is a list: [{given!r}]")
    if given is not None and not isinstance(given, Iterable):
        raise UsageError(f"{name} is a list, not {given!r}")
    texts = [*(given or ())]
    if odd := [text for text in texts if not isinstance(text, str)]:
        raise UsageError(f"{name}: {odd[0]!r} is no text")
    return texts


def _named(name: str, given: Mapping[str, str] | None) -> dict[str, str]:
    if given is not None and not (isinstance(given, Mapping) and all(isinstance(key, str) for key in given)):
        raise UsageError(f"{name} is a mapping of names to values")
    return {**(given or {})}


def _joined(platform: Any, team: Iterable[str]) -> list[str]:
    return [*dict.fromkeys([*platform, *team])]


def _refused(message: str) -> Violation:
    return Violation(RULE, message)
