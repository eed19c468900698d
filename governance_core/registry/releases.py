"""Releases: what of a project runs in an environment, as the journal holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from governance_core.core import Conflict, Violation
from governance_core.project import files_below
from governance_core.registry.chains import journal
from governance_core.registry.images import Image, newest_image

RELEASE = "release"  # the kind of event
_RELEASING = ContextVar("_RELEASING", default=False)


@dataclass(frozen=True)
class Release:
    """One commit of a project with everything that decides what a run of it does in an environment.

    ``lock`` and ``config`` are the digests of uv.lock and of the environment's configuration, ``governance`` is the
    version of the package, ``image`` what the steps run in, by digest, or None where the stack has no container
    registry, and ``pipelines`` names the ZenML snapshot of each pipeline, or None where it has none.
    """

    environment: str
    mode: str
    commit: str
    tree: str
    lock: str | None
    config: str | None
    governance: str
    image: str | None
    pipelines: Mapping[str, str | None]
    actor: Mapping[str, Any]

    @classmethod
    def of(cls, submission: Mapping[str, Any], pipelines: Mapping[str, str | None]) -> Self:
        """Return what a release of all that a submission sees would be."""
        repository = submission["repository"]
        return cls(
            environment=submission["environment"],
            mode=submission["project"]["snapshot_mode"],
            commit=repository["commit"],
            tree=repository["tree"],
            lock=submission["lock"],
            config=submission["config"],
            governance=submission["package"]["version"],
            image=(submission["image"] or {}).get("image"),
            pipelines=pipelines,
            actor=submission["actor"],
        )

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Self:
        """Read an event, also one of another version of this package: what it lacks is None, what is new is left."""
        known: dict[str, Any] = {field.name: body.get(field.name) for field in fields(cls)}
        return cls(**known)

    def as_dict(self) -> dict[str, Any]:
        """Return the release as an event records it."""
        return asdict(self)

    def joined(self, former: Release | None) -> Release:
        """Return the release with the pipelines that were released before from the same commit and settings."""
        if former is None or replace(former, pipelines={}, actor={}) != replace(self, pipelines={}, actor={}):
            return self
        return replace(self, pipelines={**former.pipelines, **self.pipelines})

    def differences(self, submission: Mapping[str, Any]) -> Iterator[str]:
        """Yield everything in which a submission is not what was released."""
        seen = Release.of(submission, {})
        for name in ("commit", "lock", "config", "governance", "image"):
            released, submitted = getattr(self, name), getattr(seen, name)
            if released != submitted:
                yield f"{name} is {submitted}, and {released} was released"
        if not submission["repository"]["clean"]:
            yield "the working tree has changes that no commit holds"
        if submission["package"]["kind"] != "wheel":
            yield f"the package {submission['package']['name']} is {submission['package']['kind']}, and no intact wheel"


def newest_release(project_slug: str, environment: str) -> Release | None:
    """Return the newest release of a project to an environment; None where there is none."""
    for event in journal(project_slug).newest():
        if event.kind == RELEASE and event.body["environment"] == environment:
            return Release.from_dict(event.body)
    return None


def image_to_run(project_slug: str, lock: str | None, environment: str) -> Image | None:
    """Return the image that a run of a lock has: in production the released one, else the newest that may run there.

    An image that was built since the release, such as the monthly one, reaches production with the next release.
    """
    release = newest_release(project_slug, environment) if environment == "production" else None
    released = release.image if release and release.lock == lock and not _RELEASING.get() else None
    return newest_image(project_slug, lock, environment, released)


def record_release(project_slug: str, release: Release) -> Release:
    """Write a release into the project's journal, joined with what was released before, and return it."""
    chain = journal(project_slug)
    while True:  # another writer's event, perhaps a release to be joined with, is what sends us round
        head = chain.head()
        joined = release.joined(newest_release(project_slug, release.environment))
        try:
            chain.append(RELEASE, joined.as_dict(), after=head)
        except Conflict:
            continue
        return joined


@contextmanager
def releasing() -> Iterator[None]:
    """Let what is submitted within be no run of a release, but a part of the next one."""
    token = _RELEASING.set(True)
    try:
        yield
    finally:
        _RELEASING.reset(token)


def require_released(submission: Mapping[str, Any], pipeline: str, file: Path, root: Path) -> Iterator[Violation]:
    """Yield why a submission for production is none of what was released.

    Args:
        submission: what the submitter sees.
        pipeline: its name.
        file: that holds its function.
        root: the project's folder.
    """
    environment = submission["environment"]
    if environment != "production" or _RELEASING.get():
        return
    release = newest_release(submission["project"]["slug"], environment)
    if release is None:
        yield not_released("nothing was released to production yet", environment)
        return
    found = [*release.differences(submission)]
    if pipeline not in release.pipelines:
        found.append(f"pipeline {pipeline} is not in the release, which has {', '.join(sorted(release.pipelines))}")
    if file.resolve() not in {(root / name).resolve() for name in files_below(root, "src")}:
        found.append(f"{file} is not among the files below {root / 'src'} that git knows")
    for difference in found:
        yield not_released(difference, environment)


def not_released(difference: str, environment: str) -> Violation:
    """Return a difference between a submission and what was released as a violation."""
    message = (
        f"{difference}; `governance snapshot create --environment {environment} --pipeline NAME` releases what is "
        "checked out, and `governance snapshot run` runs what was released"
    )
    return Violation("not-released", message)
