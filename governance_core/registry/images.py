"""Container images of a project's lock, as the journal holds them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

from governance_core.registry.chains import journal

IMAGE = "image"  # the kind of event


@dataclass(frozen=True)
class Image:
    """One image that holds the packages of a lock, and from what it was built.

    ``image`` and ``base`` name repository and digest (``repo@sha256:...``), ``lock`` and ``dockerfile`` are the digests
    of uv.lock and of the Dockerfile, ``environment`` is the one whose stack has the registry, and ``apt_packages`` are
    those of Debian's beside the lock.
    """

    image: str
    environment: str
    base: str
    lock: str
    dockerfile: str | None
    apt_packages: list[str]
    commit: str
    tree: str
    actor: Mapping[str, Any]

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> Self:
        """Read an event, also one of another version of this package: what it lacks is None, what is new is left."""
        known: dict[str, Any] = {field.name: body.get(field.name) for field in fields(cls)}
        return cls(**known)

    @property
    def running(self) -> dict[str, Any]:
        """What a run records of the image that it runs in."""
        return {"image": self.image, "apt_packages": self.apt_packages}

    def as_dict(self) -> dict[str, Any]:
        """Return the image as an event records it."""
        return asdict(self)


def newest_image(project_slug: str, lock: str | None, environment: str, digest: str | None = None) -> Image | None:
    """Return the newest image of a lock that may run in an environment; None where there is none.

    Production runs only what was built for it: anybody who may open a change request may build for staging.

    Args:
        project_slug: whose journal is read.
        lock: the digest of uv.lock.
        environment: that it runs in.
        digest: the only one that will do, as the event names it; None where each does.
    """
    for event in journal(project_slug).newest():
        if event.kind != IMAGE or event.body.get("lock") != lock:
            continue
        image = Image.from_dict(event.body)
        if (environment != "production" or image.environment == environment) and digest in (None, image.image):
            return image
    return None


def record_image(project_slug: str, image: Image) -> None:
    """Write an image into the project's journal."""
    journal(project_slug).record(IMAGE, image.as_dict())
