"""The final step of a governed run: it writes what the run made, and from what, into the project's journal."""

from __future__ import annotations

from typing import Annotated, Any
from uuid import UUID

from zenml import get_step_context, step
from zenml.client import Client

from governance_core.core import digest
from governance_core.pipelines.placement import recorded_graph, recorded_outputs
from governance_core.pipelines.submission import Submission
from governance_core.registry.chains import journal
from governance_core.registry.runs import RunRecord, StepRecord, artifact_digest, read_run
from governance_core.registry.sources import GATES, platform_code
from governance_core.steps.profiles import PROFILES


@step(enable_cache=False, enable_artifact_metadata=False, enable_artifact_visualization=False)
@platform_code
def record_evidence(submission: dict[str, Any]) -> Annotated[dict[str, Any], "evidence"]:
    """Write the evidence of this run into the journal and return where it stands.

    A governed pipeline adds this step by itself, behind all others.
    """
    run = read_run(get_step_context().pipeline_run.id)
    event = journal(submission["project"]["slug"]).record("evidence", _evidence(run, submission))
    return {"run": str(run.id), **event.citation}


def _evidence(run: RunRecord, submission: Submission) -> dict[str, Any]:
    models = [(step, model) for step in run.steps.values() for model in step.made if model.is_model]
    # A run that only reads a model works on that model's version too, and is no evidence of it.
    version = Client().get_model_version(None, run.version_id) if models and run.version_id else None
    graph, made = recorded_graph(run, submission["policy"]["evaluators"]), recorded_outputs(run)
    return {
        "run": str(run.id),
        "version": str(version.id) if version else None,
        "number": version.number if version else None,
        "model": version.model.name if version else None,
        "environment": submission["environment"],
        "submission": submission,
        "submission_digest": digest(submission),
        "models": [
            {
                "artifact": str(model.id),
                "step": step.name,
                "digest": artifact_digest(Client().get_artifact_version(model.id)),
                "metrics": [_metrics(run.steps[name]) for name in graph.gated_evaluations(made[model.id])],
            }
            for step, model in models
        ],
        "gates": _verdicts(run),
        "profiles": _profiles(run),
        "experiment": _experiment(run),
        "actor": submission["actor"],
    }


def _metrics(evaluation: StepRecord) -> dict[str, Any]:
    metrics = evaluation.made[0].id
    return {"step": evaluation.name, "artifact": str(metrics), "values": _load(metrics)}


def _verdicts(run: RunRecord) -> dict[str, Any]:
    # The model gate returns its verdict; that of another gate is metadata of its step.
    gates = [step for step in run.steps.values() if step.role in GATES - {"model_gate"} and step.completed]
    model = {gate.name: _load(made.id) for gate in run.of_role("model_gate") for made in gate.made}
    return {gate.name: gate.verdict for gate in gates} | model


def _profiles(run: RunRecord) -> dict[str, Any]:
    saved = {
        name: artifact.id
        for step in run.steps.values()
        for name, artifacts in step.outputs.items()
        for artifact in artifacts
        if step.role and step.completed and name in PROFILES
    }
    return {
        name: {"artifact": str(artifact), "digest": artifact_digest(Client().get_artifact_version(artifact))}
        for name, artifact in saved.items()
    }


def _experiment(run: RunRecord) -> Any:
    """Return where an experiment tracker holds the run, and what it failed to take; None where the stack has none."""
    return next((_load(made.id) for step in run.of_role("tracking") for made in step.made), None)


def _load(artifact: UUID) -> Any:
    return Client().get_artifact_version(artifact).load()
