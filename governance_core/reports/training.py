"""The training report: what a run checked, measured and recorded, for a pull request and for a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any
from uuid import UUID

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from governance_core.ci import CIRun
from governance_core.core import UsageError
from governance_core.ledger import Event
from governance_core.project import Project, repository_state
from governance_core.registry.actors import Actor
from governance_core.registry.chains import journal
from governance_core.registry.runs import newest_run, newest_submitted, read_run


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
    name: str
    status: str
    failures: tuple[Failure, ...] = ()
    evidence: Mapping[str, Any] | None = None

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON holds them."""
        return asdict(self) | {"passed": self.passed, "verdict": self.verdict}

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
            return f"The run is {self.status} and recorded no evidence: what it made cannot be promoted."
        environment = self.evidence["environment"]
        if not self.passed:
            return f"The run in {environment} is {self.status}; not every gate passed."
        if environment == "local":
            return "Every gate passed, in the local environment: such a version is never promoted."
        return f"Every gate passed, in {environment}."

    @property
    def checks(self) -> list[dict[str, Any]]:
        """Every check of every gate, with the name of the gate's step in it."""
        gates = (self.evidence or {}).get("gates", {})
        return [{"step": step, **check} for step, verdict in gates.items() for check in verdict["checks"]]

    @property
    def metrics(self) -> list[tuple[str, str, float]]:
        """Step, name and value of each metric that was computed from a model of the run."""
        models = (self.evidence or {}).get("models", [])
        found = [metrics for model in models for metrics in model["metrics"]]
        return [(m["step"], name, value) for m in found for name, value in sorted(m["values"].items())]

    @property
    def notes(self) -> list[str]:
        """What a reader must know before relying on the run."""
        return list(_notes(self.submission)) if self.evidence else []

    @property
    def provenance(self) -> list[tuple[str, str]]:
        """Where the version came from, as pairs of a title and a value."""
        return list(_provenance(self.run, self.evidence)) if self.evidence else []


def training_facts(project: Project, run_id: UUID | None = None, pipeline: str = "training") -> TrainingFacts:
    """Read what is known of a run; of the newest run that worked on the project's model where none is named.

    Raises:
        UsageError: if there is no such run.
    """
    run_id = run_id or newest_run(pipeline, project.model_name)
    if run_id is None:
        raise UsageError(f"pipeline {pipeline} has not worked on model {project.model_name} yet; train first")
    try:
        run = read_run(run_id)
    except KeyError as error:
        raise UsageError(f"there is no run {run_id}") from error
    failures = (Failure(step.name, step.error or "no message") for step in run.steps.values() if step.failed)
    evidence = next((event.body for event in _evidence(project) if event.body["run"] == str(run.id)), None)
    return TrainingFacts(str(run.id), run.name, run.status, tuple(failures), evidence)


def run_of_checkout(project: Project, root: Path, pipeline: str = "training") -> UUID | None:
    """Return the newest run, whatever became of it, of the commit that is checked out or of one with its tree.

    A CI system that merges before it trains makes another commit each time, of one tree.
    """
    state = repository_state(root)

    def is_of_checkout(submission: Mapping[str, Any]) -> bool:
        recorded = submission["repository"]
        return state.tree is not None and (recorded["commit"] == state.commit or recorded["tree"] == state.tree)

    run = newest_submitted(pipeline, project.model_name, is_of_checkout)
    return run.id if run else None


def comment_markdown(facts: TrainingFacts | None, pipeline: str, run: CIRun | None) -> str:
    """Return what a change request is told; ``facts`` are None where no run of its commit exists."""
    title = f"## Training report: nothing was trained\n\nNo run of pipeline {pipeline} has the commit of this change.\n"
    link = f"\n[CI run]({run.url})\n" if run and run.url else ""
    return (render_markdown(facts) if facts else title) + link


def _evidence(project: Project) -> Iterator[Event]:
    return (event for event in journal(project.project_slug).newest() if event.kind == "evidence")


def render_markdown(facts: TrainingFacts) -> str:
    """Return the report as GitHub-flavoured Markdown."""
    return pages().get_template("training.md.jinja").render(facts=facts).strip() + "\n"


def render_html(facts: TrainingFacts) -> str:
    """Return the report as one HTML page without outside references."""
    return pages().get_template("training.html.jinja").render(facts=facts)


def _notes(submission: Mapping[str, Any]) -> Iterator[str]:
    if not submission["repository"]["clean"]:
        yield "The working tree was not clean: the version cannot be promoted."
    if not submission["template"]["released"]:
        yield f"The template is unreleased ({submission['template']['recorded'] or 'no recorded version'})."
    if submission["package"]["kind"] != "wheel":
        yield f"The governance package was {submission['package']['kind']}, not a released wheel."


def _provenance(run: str, evidence: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    submission = evidence["submission"]
    yield "run", run
    yield "model version", f"{evidence['number']} ({evidence['version']})"
    yield "trained by", str(Actor.from_dict(evidence["actor"]))
    yield "commit", submission["repository"]["commit"] or "none"
    yield "tree", submission["repository"]["tree"] or "none"
    yield "lock", submission["lock"] or "none"
    yield "policy", submission["policy_hash"]
    yield "governance", f"{submission['package']['version']} ({submission['package']['kind']})"
    for model in evidence["models"]:
        yield f"model artifact of {model['step']}", model["digest"]


@cache
def pages() -> Environment:
    """Return the templates of every page."""
    environment = Environment(
        loader=PackageLoader("governance_core.reports", "pages"),
        autoescape=select_autoescape(["html.jinja"]),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["one_line"] = lambda text: " ".join(text.split())
    return environment


def _number(value: object) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)
