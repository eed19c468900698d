"""Releases: what of a project runs in an environment, as the journal holds it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

from governance_core.core import Violation
from governance_core.registry.chains import journal

RELEASE = "release"  # the kind of event


@dataclass(frozen=True)
class Release:
    """One commit of a project with everything that decides what a run of it does in an environment.

    ``lock`` and ``config`` are the digests of uv.lock and of the environment's configuration, ``governance`` is the
    version of the package, and ``pipelines`` names the ZenML snapshot of each pipeline, or None where it has none.
    """

    environment: str
    mode: str
    commit: str
    tree: str
    lock: str | None
    config: str | None
    governance: str
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
            pipelines=pipelines,
            actor=submission["actor"],
        )

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
        for name in ("commit", "lock", "config", "governance"):
            released, submitted = getattr(self, name), getattr(seen, name)
            if released != submitted:
                yield f"{name} is {submitted}, and {released} was released"
        if not submission["repository"]["clean"]:
            yield "the working tree has changes that no commit holds"


def newest_release(project_slug: str, environment: str) -> Release | None:
    """Return the newest release of a project to an environment; None where there is none."""
    for event in journal(project_slug).newest():
        if event.kind == RELEASE and event.body["environment"] == environment:
            return Release(**event.body)
    return None


def record_release(project_slug: str, release: Release) -> None:
    """Write a release into the project's journal."""
    journal(project_slug).record(RELEASE, release.as_dict())


def require_released(submission: Mapping[str, Any]) -> Iterator[Violation]:
    """Yield why a production run of a project without ZenML's own snapshots is none of what was released."""
    project, environment = submission["project"], submission["environment"]
    if environment != "production" or project["snapshot_mode"] != "oss":
        return
    release = newest_release(project["slug"], environment)
    found = release.differences(submission) if release else ["nothing was released to production yet"]
    for difference in found:
        message = (
            f"{difference}; `governance snapshot create --environment {environment} --pipeline NAME` releases what is "
            "checked out, and `governance snapshot run` runs what was released"
        )
        yield Violation("not-released", message)
