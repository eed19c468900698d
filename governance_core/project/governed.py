"""Governed files against their render, and which template a project was made from."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from governance_core.core import UsageError, digest, version
from governance_core.project.answers import (
    ANSWERS_FILE,
    PROJECT_FILE,
    Project,
    load_project,
    parse_project,
    read_mapping,
)
from governance_core.project.files import APPLIED
from governance_core.project.rendering import RenderedFile, governed_paths, is_executable, render_governed
from governance_core.project.repository import files_below

RESTORE = "bring it back with `git checkout` of the commit that had it, or with `copier update`"


@dataclass(frozen=True)
class Finding:
    """One broken rule: its name, the file it concerns, and one line that says what to do."""

    rule: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.path}: {self.message}"

    def as_dict(self) -> dict[str, str]:
        """Return the finding as JSON holds it."""
        return asdict(self)


@dataclass(frozen=True)
class TemplateState:
    """Which template made the project.

    ``version`` is that of the installed package and its template; ``recorded`` is what Copier noted (a tag, or what
    `git describe` says of an untagged commit; None for a plain folder); ``released`` tells whether both name the same
    release; ``source`` is where the package comes from: git, path or index.
    """

    version: str
    recorded: str | None
    released: bool
    source: str


def template_state(root: Path) -> TemplateState:
    """Compare the release that Copier recorded with the installed one.

    Raises:
        UsageError: if governance/project.yaml cannot be read.
    """
    answers = _recorded_answers(root) or {}
    recorded = answers.get("_commit")
    return TemplateState(version(), recorded, recorded == f"v{version()}", load_project(root).governance_source)


def governed_findings(root: Path) -> list[Finding]:
    """Return what is wrong with the governed files: edited, deleted, mode lost, extra, answers that disagree.

    Raises:
        UsageError: if neither governance/project.yaml nor the answers file can be read.
    """
    recorded = _recorded_answers(root)
    project = _project(root, recorded)
    expected = render_governed(project)
    return [*_answer_findings(project, recorded), *_file_findings(root, expected), *_extra_findings(root, expected)]


def governed_digest(root: Path) -> str:
    """Return one digest of the governed files as they are: path, content with ``\\n`` line ends, executable bit.

    Raises:
        UsageError: if governance/project.yaml cannot be read.
    """
    return digest({path: _fingerprint(root / path) for path in governed_paths(load_project(root))})


def _recorded_answers(root: Path) -> dict[str, Any] | None:
    path = root / ANSWERS_FILE
    return read_mapping(path) if path.exists() else None


def _project(root: Path, recorded: dict[str, Any] | None) -> Project:
    try:
        return load_project(root)
    except UsageError:
        # Deleted or broken: the recorded answers tell what it should hold, so that every other file is compared too.
        if recorded is None:
            raise
        return parse_project(_answers(recorded), root / ANSWERS_FILE)


def _answers(recorded: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in recorded.items() if not name.startswith("_")}


def _answer_findings(project: Project, recorded: dict[str, Any] | None) -> Iterator[Finding]:
    if recorded is None:
        yield Finding("answers-missing", ANSWERS_FILE, f"without it no update is possible; {RESTORE}")
        return
    answers = _answers(recorded)
    used = {name: value for name, value in project.model_dump().items() if value is not None}
    for name in sorted(answers.keys() | used.keys()):
        if answers.get(name) != used.get(name):
            yield Finding(
                "answers-disagree",
                PROJECT_FILE,
                f"{name} is {used.get(name)!r} here and {answers.get(name)!r} in {ANSWERS_FILE}; an answer is changed "
                f"in both by `copier update --vcs-ref=:current: --data {name}=VALUE`",
            )


def _file_findings(root: Path, expected: dict[str, RenderedFile]) -> Iterator[Finding]:
    for path, render in expected.items():
        found = root / path
        if not found.is_file():
            yield Finding("governed-deleted", path, f"a governed file is missing; {RESTORE}")
        elif _unix(found.read_bytes()) != render.content:
            yield Finding("governed-edited", path, f"differs from its render by {version()}; {RESTORE}")
        elif render.executable and not is_executable(found):
            yield Finding("governed-mode", path, "is no longer executable; run `git add --chmod=+x` on it")


def _extra_findings(root: Path, expected: dict[str, RenderedFile]) -> Iterator[Finding]:
    for path in files_below(root, "governance"):
        if path not in expected and not APPLIED.fullmatch(path):
            yield Finding("governed-extra", path, "only the template writes into governance/; move or delete it")


def _fingerprint(path: Path) -> dict[str, Any] | None:
    if not path.is_file():
        return None
    return {"sha256": hashlib.sha256(_unix(path.read_bytes())).hexdigest(), "executable": is_executable(path)}


def _unix(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n")
