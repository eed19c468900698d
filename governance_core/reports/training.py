"""The training report: what a run checked, measured and recorded, for a pull request and for a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape


@dataclass(frozen=True)
class Failure:
    """A failed step and what it said."""

    step: str
    message: str


@dataclass(frozen=True)
class TrainingFacts:
    """What is known of a training run.

    ``evidence`` is the body of the run's evidence event in the journal; None where the run recorded none.
    """

    run: str
    pipeline: str
    status: str
    failures: tuple[Failure, ...] = ()
    evidence: Mapping[str, Any] | None = None

    @property
    def submission(self) -> Mapping[str, Any]:
        """What the submitter recorded, empty without evidence."""
        submission: Mapping[str, Any] = (self.evidence or {}).get("submission", {})
        return submission

    @property
    def model(self) -> str | None:
        """The model's name."""
        return (self.evidence or {}).get("model")

    @property
    def number(self) -> int | None:
        """The model version's number, for people; the UUID is what counts."""
        return (self.evidence or {}).get("number")

    @property
    def passed(self) -> bool:
        """Whether the run completed and every recorded check passed."""
        return self.evidence is not None and self.status == "completed" and all(c["passed"] for c in self.checks)

    @property
    def verdict(self) -> str:
        """One sentence that says how the run ended."""
        if self.evidence is None:
            return f"The run is {self.status} and recorded no evidence: what it made can not be promoted."
        environment = self.evidence["environment"]
        if not self.passed:
            return f"The run in {environment} is {self.status}; not every gate passed."
        if environment == "local":
            return "Every gate passed, in the local environment: such a version is never promoted."
        return f"Every gate passed, in {environment}."

    @property
    def checks(self) -> list[dict[str, Any]]:
        """Every check of every gate, with the gate's name in it."""
        gates = (self.evidence or {}).get("gates", {})
        return [{"gate": gate, **check} for gate, verdict in gates.items() for check in verdict["checks"]]

    @property
    def metrics(self) -> Mapping[str, float]:
        """The metrics that the platform's evaluation computed."""
        metrics: Mapping[str, float] = ((self.evidence or {}).get("metrics") or {}).get("values", {})
        return metrics

    @property
    def notes(self) -> list[str]:
        """What a reader must know before relying on the run."""
        return list(_notes(self.submission)) if self.evidence else []

    @property
    def provenance(self) -> list[tuple[str, str]]:
        """Where the version came from, as pairs of a title and a value."""
        return list(_provenance(self.run, self.evidence)) if self.evidence else []


def render_markdown(facts: TrainingFacts) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    return _pages().get_template("training.md.jinja").render(facts=facts).strip() + "\n"


def render_html(facts: TrainingFacts) -> str:
    """Return the report as one HTML page without outside references."""
    return _pages().get_template("training.html.jinja").render(facts=facts)


def _notes(submission: Mapping[str, Any]) -> Iterator[str]:
    if not submission["repository"]["clean"]:
        yield "The working tree was not clean: the version can not be promoted."
    if not submission["template"]["released"]:
        yield f"The template is unreleased ({submission['template']['recorded'] or 'no recorded version'})."
    yield from submission["package"]["problems"]


def _provenance(run: str, evidence: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    submission, actor = evidence["submission"], evidence["actor"]
    yield "run", run
    yield "model version", f"{evidence['number']} ({evidence['version']})"
    yield "trained by", actor["id"] + ("" if actor["verified"] else " (unverified)")
    yield "commit", submission["repository"]["commit"] or "none"
    yield "tree", submission["repository"]["tree"] or "none"
    yield "lock", submission["lock"] or "none"
    yield "policy", submission["policy_hash"]
    yield "governance", f"{submission['package']['version']} ({submission['package']['kind']})"
    for model in evidence["models"]:
        yield f"model artifact of {model['step']}", model["digest"]


@cache
def _pages() -> Environment:
    pages = Environment(
        loader=PackageLoader("governance_core.reports", "pages"),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    pages.filters["number"] = _number
    pages.filters["one_line"] = lambda text: " ".join(text.split())
    return pages


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else "" if value is None else str(value)
