"""The verb `image build`: the packages of uv.lock in a container image, pushed to a stack's registry and recorded."""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from zenml.client import Client
from zenml.container_registries import BaseContainerRegistry
from zenml.enums import StackComponentType
from zenml.stack import StackComponent

from governance_core.core import GovernanceError, Refused, UsageError, Violation, file_digest
from governance_core.docker.credentials import ambient_credentials
from governance_core.docker.settings import require_debian
from governance_core.lifecycle.running import enter
from governance_core.pipelines.inspection import importable, named_pipelines
from governance_core.project import Project, load_project, lock_digest, remote_url, repository_state
from governance_core.registry.actors import current_actor
from governance_core.registry.images import Image, newest_image, record_image

Say = Callable[[str], None]  # takes a line for people while something long goes on

DOCKERFILE = "governance/docker/Dockerfile"
BASE = re.compile(r"^ARG PYTHON_IMAGE=(\S+)$", re.MULTILINE)
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
PLATFORM = "linux/amd64"  # of the machines that a stack's steps run on, whatever builds the image
STDERR = 2  # what a builder prints is no answer of ours


@dataclass(frozen=True)
class Outcome:
    """The image of the lock, and what was done, in a line for people."""

    said: str
    image: Image

    def as_dict(self) -> dict[str, Any]:
        """Return the outcome as JSON."""
        return {"said": self.said, "image": self.image.as_dict()}


def build(root: Path, environment: str, say: Say, *, unless_built: bool = False) -> Outcome:
    """Build the image of what is checked out, push it to the registry of an environment's stack, and record it.

    Args:
        root: the project's folder.
        environment: local, staging or production.
        say: is told what was done, while more is to come.
        unless_built: do nothing where the newest image of this lock that may run in the environment was made of this
            Dockerfile and holds the Debian packages.

    Raises:
        UsageError: if the stack has no container registry that can be used here, no builder runs, or there is no lock
            or Dockerfile.
        Refused: if the working tree is not clean, or the lock does not fit the project's dependencies.
        GovernanceError: if the base cannot be pulled, or building or pushing failed; nothing is recorded then.
    """
    enter(environment, root)
    project, lock = load_project(root), lock_digest(root)
    if lock is None:
        raise UsageError(f"{root / 'uv.lock'} does not exist; run `make setup` and commit it")
    base, dockerfile, apt_packages = _base(root), file_digest(root / DOCKERFILE), _apt_packages(root)
    if unless_built:
        built = newest_image(project.project_slug, lock, environment)
        if built and built.dockerfile == dockerfile and not {*apt_packages} - {*built.apt_packages}:
            return Outcome(f"{built.image} holds this lock; nothing was done", built)
    _require_committed(root)  # what this folder lacks comes before what the stack does
    state, builder = repository_state(root), _builder()
    registry, actor = _registry(environment), current_actor(root)
    # At once: Azure takes what a CI system signs for a few minutes.
    with _logged_in(builder, registry, say):
        digest = builder.pull(base)
        say(f"{base} is {digest}")
        now = datetime.now(UTC)
        repository = f"{registry.config.uri}/{project.project_slug}"
        name = f"{repository}:{now:%Y%m%dT%H%M%SZ}-{state.commit}"
        values = {
            "PYTHON_DIGEST": digest,
            "CREATED": now.isoformat(timespec="seconds"),
            "APT_PACKAGES": " ".join(apt_packages),
            "LOCK": lock,
            "REVISION": state.commit or "",
            "SOURCE": remote_url(root) or "",
        }
        builder.build(root, name, values, [*_secrets(), *_contexts(project)])
        if repository_state(root) != state:
            message = "files changed while the image was built, and nothing was pushed; build it again"
            raise Refused("an image of what was checked out", [Violation("dirty-tree", message)])
        pushed = f"{repository}@{builder.push(name)}"
    say(f"{pushed} was pushed")
    image = Image(
        image=pushed,
        environment=environment,
        base=f"{base}@{digest}",
        lock=lock,
        dockerfile=dockerfile,
        apt_packages=apt_packages,
        commit=state.commit or "",
        tree=state.tree or "",
        actor=actor.as_dict(),
    )
    record_image(project.project_slug, image)
    return Outcome(f"{pushed} was built from commit {image.commit[:12]} and recorded", image)


def _registry(environment: str) -> BaseContainerRegistry:
    """Return the container registry of the active stack, of which nothing else is loaded."""
    stack = Client().active_stack_model
    where = f"stack {stack.name}, which {environment} runs on, has"
    found = stack.components.get(StackComponentType.CONTAINER_REGISTRY)
    if not found:
        raise UsageError(
            f"{where} no container registry; images are pushed to one: name a stack that has it, or add one"
        )
    named, flavor, connector = found[0].name, found[0].flavor_name, found[0].connector
    try:
        registry = cast(BaseContainerRegistry, StackComponent.from_model(found[0]))
        if connector:
            Client().get_service_connector_type(connector.type)
    except (ImportError, KeyError) as error:  # KeyError: no such connector
        raise UsageError(
            f"{where} the container registry {named}, whose library is not installed here; an environment with the "
            f"extra {flavor} of the platform's package has it"
        ) from error
    if "://" in registry.config.uri:
        raise UsageError(
            f"{where} the container registry {named}, whose uri begins with https:// or the like, and names of images "
            f"do not; correct it: `zenml container-registry update {named} --uri=registry.example.com/team`"
        )
    return registry


@contextmanager
def _logged_in(builder: _Builder, registry: BaseContainerRegistry, say: Say) -> Iterator[None]:
    """Log in to a registry for as long as the context lasts, where there is something to log in with."""
    host = registry.config.uri.partition("/")[0]
    logged_in = _log_in(host, builder, registry, say)
    try:
        yield
    finally:
        if logged_in:
            builder.log_out(host)


def _log_in(host: str, builder: _Builder, registry: BaseContainerRegistry, say: Say) -> bool:
    if credentials := registry.credentials:
        builder.log_in(host, *credentials)
        return True
    try:
        if credentials := ambient_credentials(host):
            builder.log_in(host, *credentials)
    except GovernanceError as error:  # whoever is logged in by hand needs none
        say(f"{error}; it is pushed as {builder.program} itself is logged in")
        return False
    return bool(credentials)


def _base(root: Path) -> str:
    dockerfile = root / DOCKERFILE
    found = BASE.search(dockerfile.read_text(encoding="utf-8")) if dockerfile.is_file() else None
    if found is None:
        raise UsageError(f"{dockerfile} does not exist, or names no PYTHON_IMAGE; `governance check --fix` writes it")
    return found[1]


def _apt_packages(root: Path) -> list[str]:
    """Return the Debian packages that the decorators of the project's pipelines ask for."""
    with importable(root / "src"):
        settings = [pipeline.configuration.docker_settings for pipeline in named_pipelines(root).values()]
    packages = sorted({package for chosen in settings for package in chosen.apt_packages})
    require_debian(packages)
    return packages


def _require_committed(root: Path) -> None:
    violations = []
    if not repository_state(root).clean:
        violations.append(
            Violation("dirty-tree", "the working tree has changes that no commit holds; commit them first")
        )
    uv = shutil.which("uv") or shutil.which("uv", path=str(root / "build/uv/bin"))
    if uv is None:
        raise UsageError("uv is not on PATH, and tells whether uv.lock fits; `make setup` fetches it")
    checked = subprocess.run([uv, "lock", "--check"], cwd=root, capture_output=True, text=True, check=False)
    if checked.returncode:
        reason = checked.stderr.strip().splitlines()[-1:] or [""]
        violations.append(
            Violation("lock-outdated", f"`uv lock --check` says: {reason[0]}; run `uv lock` and commit it")
        )
    if violations:
        raise Refused("building an image of what is checked out", violations)


def _secrets() -> Iterator[str]:
    """Yield the option that lends the build the user's netrc, where there is one: no layer keeps it."""
    path = Path.home() / ".netrc"
    if path.is_file():
        yield f"--secret=id=netrc,src={path}"


def _contexts(project: Project) -> Iterator[str]:
    """Yield the option that lends the build the folder of this machine that the package comes from, where it is one."""
    folder = project.governance_location.removeprefix("file://")
    if folder.startswith("/"):
        yield f"--build-context=platform={folder}"


class _Builder(ABC):
    """A program that builds images; those that are known build and log in alike."""

    program: str

    @abstractmethod
    def pull(self, image: str) -> str:
        """Pull an image and return its digest."""

    @abstractmethod
    def push(self, name: str) -> str:
        """Push an image and return its digest."""

    def build(self, root: Path, name: str, values: Mapping[str, str], options: Sequence[str]) -> None:
        """Build the project's Dockerfile."""
        _show(self.program, "build", *_arguments(root, name, values, options))

    def log_in(self, host: str, user: str, password: str) -> None:
        """Log in to a registry."""
        _run(self.program, "login", "--username", user, "--password-stdin", host, stdin=password)

    def log_out(self, host: str) -> None:
        """Forget the password of a registry."""
        _run(self.program, "logout", host)


class _Docker(_Builder):
    """Docker, of which only the daemon can build."""

    program = "docker"

    def pull(self, image: str) -> str:
        return _digest(_run("docker", "pull", "--platform", PLATFORM, image))

    def push(self, name: str) -> str:
        return _digest(_run("docker", "push", name))


class _Buildah(_Builder):
    """Buildah, which needs no daemon."""

    program = "buildah"

    def pull(self, image: str) -> str:
        _run("buildah", "pull", "--quiet", "--policy", "always", "--platform", PLATFORM, image)
        return _digest(_run("buildah", "inspect", "--type", "image", "--format", "{{.FromImageDigest}}", image))

    def push(self, name: str) -> str:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "digest")
            _run("buildah", "push", "--quiet", "--digestfile", str(file), name)
            return _digest(file.read_text(encoding="utf-8"))


def _builder() -> _Builder:
    if shutil.which("docker") and not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode:
        return _Docker()
    if shutil.which("buildah"):
        return _Buildah()
    raise UsageError("nothing here can build an image: start Docker, or install buildah")


def _arguments(root: Path, name: str, values: Mapping[str, str], options: Sequence[str]) -> list[str]:
    given = [f"--build-arg={argument}={value}" for argument, value in values.items()]
    file = str(root / DOCKERFILE)
    return ["--platform", PLATFORM, "--file", file, "--tag", name, *given, *options, str(root)]


def _digest(said: str) -> str:
    found = DIGEST.findall(said)
    if not found:
        raise GovernanceError(f"the builder named no digest, but said: {said.strip()[-300:]}")
    return str(found[-1])


def _run(*command: str, stdin: str | None = None) -> str:
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    if done.returncode:
        raise GovernanceError(f"`{' '.join(command[:2])}` failed, and nothing was recorded: {done.stderr.strip()}")
    return done.stdout


def _show(*command: str) -> None:
    done = subprocess.run(command, stdout=STDERR, check=False)
    if done.returncode:
        raise GovernanceError(f"`{' '.join(command[:2])}` failed, and nothing was recorded; what it says stands above")
