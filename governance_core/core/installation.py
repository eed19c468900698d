"""Where this package came from, and whether it is the one that the platform released."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Literal

# The public index's "governance-core" is a stranger's package with our import name, so ours is called otherwise.
DISTRIBUTION = "governed-ml-core"
PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Installation:
    """How ``governance_core`` was installed.

    ``kind`` is ``wheel`` for an installed copy, ``editable`` for a working tree, ``foreign`` where the files are not
    those of our distribution; ``problems`` says why, one sentence each, and is empty for an intact wheel.
    """

    kind: Literal["wheel", "editable", "foreign"]
    version: str
    problems: tuple[str, ...] = ()


def template_root() -> Path:
    """Return the folder that holds copier.yml: inside the wheel, or the repository of an editable install."""
    packed = PACKAGE / "_template"
    return packed if packed.is_dir() else PACKAGE.parent


@cache
def version() -> str:
    """Return the release version that package and template share."""
    return (template_root() / "governance_core" / "VERSION").read_text(encoding="utf-8").strip()


@cache
def installation() -> Installation:
    """Compare the imported package with the record of our distribution (PEP 376), file by file."""
    try:
        distribution = metadata.distribution(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return Installation("foreign", version(), (f"{PACKAGE} does not belong to the distribution {DISTRIBUTION}",))
    if _is_editable(distribution):
        return Installation("editable", version(), (f"{PACKAGE} is an editable install, not a released wheel",))
    problems = tuple(_differences(distribution))
    return Installation("foreign" if problems else "wheel", version(), problems)


def _is_editable(distribution: metadata.Distribution) -> bool:
    direct_url = json.loads(distribution.read_text("direct_url.json") or "{}")
    return bool(direct_url.get("dir_info", {}).get("editable"))


def _differences(distribution: metadata.Distribution) -> list[str]:
    recorded = {
        Path(str(distribution.locate_file(file))).resolve(): file.hash
        for file in distribution.files or ()
        if file.parts[0] == PACKAGE.name
    }
    problems = []
    for path, hashed in sorted(recorded.items()):
        if not path.is_file():
            problems.append(f"{path} is missing")
        elif hashed and hashed.value != _record_hash(path, hashed.mode):
            problems.append(f"{path} is not the file that {DISTRIBUTION} installed")
    present = (path for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts)
    problems.extend(f"{path} does not belong to {DISTRIBUTION}" for path in sorted(set(present) - recorded.keys()))
    return problems


def _record_hash(path: Path, algorithm: str) -> str:
    raw = hashlib.new(algorithm, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()
