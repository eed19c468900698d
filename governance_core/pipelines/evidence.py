"""The final step of a governed run: it writes what the run made, and from what, into the project's journal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any
from uuid import UUID

from zenml import get_step_context, step
from zenml.client import Client

from governance_core.core import digest
from governance_core.pipelines.submission import Submission
from governance_core.registry.chains import journal
from governance_core.registry.runs import RunRecord, StepRecord, artifact_digest, read_run
from governance_core.registry.sources import platform_code
from governance_core.steps.gates import VERDICT_KEY


@step(enable_cache=False)
@platform_code
def record_evidence(submission: dict[str, Any]) -> Annotated[dict[str, Any], "evidence"]:
    """Write the evidence of this run into the journal and return where it stands.

    A governed pipeline adds this step by itself, behind all others.
    """
    run = read_run(get_step_context().pipeline_run.id)
    event = journal(submission["project"]["slug"]).record("evidence", _evidence(run, submission))
    return {"run": str(run.id), **event.citation}


def _evidence(run: RunRecord, submission: Submission) -> dict[str, Any]:
    version = Client().get_model_version(None, run.version_id) if run.version_id else None
    evaluators = submission["policy"]["evaluators"]
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
                "artifact": str(model),
                "step": maker.name,
                "digest": artifact_digest(Client().get_artifact_version(model)),
                "metrics": next(_metrics(run, model, evaluators), None),
            }
            for model, maker in run.models.items()
        ],
        "gates": _verdicts(run),
        "actor": submission["actor"],
    }


def evaluations(run: RunRecord, model: UUID, evaluators: list[str]) -> Iterator[StepRecord]:
    """Yield the steps that computed metrics from this very model: the platform's, or one that policy names."""
    for record in run.steps.values():
        if record.role == "evaluation":
            read = record.inputs.get("model", ())
        elif record.import_path in evaluators:
            read = tuple(artifact for artifacts in record.inputs.values() for artifact in artifacts)
        else:
            continue
        if record.completed and model in {artifact.id for artifact in read}:
            yield record


def _metrics(run: RunRecord, model: UUID, evaluators: list[str]) -> Iterator[dict[str, Any]]:
    for evaluation in evaluations(run, model, evaluators):
        for metrics in evaluation.made:
            yield {"step": evaluation.name, "artifact": str(metrics.id), "values": _load(metrics.id)}


def _verdicts(run: RunRecord) -> dict[str, Any]:
    # The data gate returns the data, so its verdict is metadata of its step; the model gate returns its verdict.
    data = {gate.name: gate.metadata.get(VERDICT_KEY) for gate in run.of_role("data_gate") if gate.completed}
    model = {gate.name: _load(made.id) for gate in run.of_role("model_gate") for made in gate.made}
    return data | model


def _load(artifact: UUID) -> Any:
    return Client().get_artifact_version(artifact).load()
