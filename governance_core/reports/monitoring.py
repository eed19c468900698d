"""The monitoring report: what the newest monitoring run in production found, for an issue."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from zenml.models import PipelineRunResponse

from governance_core.ci import current_run
from governance_core.lifecycle.settle import alarms, is_lost, outcome
from governance_core.project import Project
from governance_core.registry.runs import RunRecord, StepRecord, newest_submitted, read_run
from governance_core.reports.training import pages


@dataclass(frozen=True)
class Drift:
    """What one drift gate found: the share of drifted columns, its limit, and the columns, of very many the first."""

    step: str
    score: float
    limit: float
    columns: tuple[str, ...]


@dataclass(frozen=True)
class MonitoringFacts:
    """What is known of a monitoring run; ``findings`` are what somebody should look at."""

    run: str
    name: str
    at: str
    status: str
    version: str | None
    drift: tuple[Drift, ...]
    findings: tuple[str, ...]
    ci_run: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return the facts as JSON holds them."""
        return asdict(self)


def monitoring_facts(project: Project, pipeline: str = "monitoring") -> MonitoringFacts | None:
    """Read what the newest run in production found; None where there is no such run yet."""
    run = newest_submitted(pipeline, project.model_name, lambda found: found["environment"] == "production")
    if run is None:
        return None
    version, ci_run = run.model_version, current_run()
    record = read_run(run.id)
    status, findings = _findings(run, record)
    return MonitoringFacts(
        run=str(run.id),
        name=run.name,
        at=run.created.strftime("%Y-%m-%d %H:%M UTC"),
        status=status,
        version=f"version {version.number} of {version.model.name}" if version else None,
        drift=tuple(drift for step in record.of_role("drift") for drift in _drift(step)),
        findings=tuple(findings),
        ci_run=ci_run.url if ci_run else None,
    )


def render_monitoring(facts: MonitoringFacts) -> str:
    """Return the report as Markdown of GitHub and GitLab."""
    return pages().get_template("monitoring.md.jinja").render(facts=facts).strip() + "\n"


def _findings(run: PipelineRunResponse, record: RunRecord) -> tuple[str, list[str]]:
    if not run.status.is_finished:
        return ("lost", ["lost: nobody is running it any more"]) if is_lost(run) else (run.status.value, [])
    return run.status.value, [*alarms(record)] if run.status.is_successful else [outcome(run)]


def _drift(step: StepRecord) -> Iterator[Drift]:
    if found := step.verdict:
        limits = [check["limit"] for check in found["checks"] if check["limit"] is not None]
        yield Drift(step.name, found["drift_score"], min(limits), tuple(found["drifted_columns"]))
