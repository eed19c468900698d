"""Whether gates stand in their places: by whose code each step is, and by the data that flows between steps.

The same rules hold for a compiled pipeline, before anything runs, and for a recorded run, before anything is promoted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from uuid import UUID

from zenml.artifacts.artifact_config import ArtifactConfig
from zenml.config.step_configurations import ArtifactConfiguration, Step
from zenml.enums import ArtifactType
from zenml.utils import source_utils

from governance_core.core import Violation
from governance_core.registry.runs import RunRecord
from governance_core.registry.sources import Role, platform_role


@dataclass(frozen=True)
class Output:
    """One output of one step; in a recorded run, the artifact version that it is."""

    step: str
    name: str
    artifact: UUID | None = None

    def __str__(self) -> str:
        return f"output '{self.name}' of step '{self.step}'"


@dataclass(frozen=True)
class Node:
    """A step: what it is for (None for a team's step), whether it is the platform's, and what it reads, by input."""

    role: Role | None
    of_platform: bool
    reads: Mapping[str, Collection[Output]]

    @property
    def all_reads(self) -> Iterator[Output]:
        """What it reads through any input."""
        return (output for outputs in self.reads.values() for output in outputs)

    def evaluates(self, model: Output) -> bool:
        """Whether it computes metrics from this very model."""
        read = self.reads.get("model", ()) if self.of_platform else self.all_reads
        return self.role == "evaluation" and model in read


class Graph:
    """The steps of a pipeline and the data that flows between them."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self.nodes = nodes

    def violations(self, models: Iterable[Output]) -> list[Violation]:
        """Return every gate that does not stand where it must around these models."""
        return [violation for model in models for violation in self._around(model)]

    def gated_evaluations(self, model: Output) -> list[str]:
        """Return the steps that compute metrics from this very model and pass them to the model gate."""
        gated = {
            metrics.step
            for node in self.nodes.values()
            if node.role == "model_gate"
            for metrics in node.reads.get("metrics", ())
        }
        return [name for name, node in self.nodes.items() if node.evaluates(model) and name in gated]

    def _around(self, model: Output) -> Iterator[Violation]:
        if not any(self.nodes[step].role == "data_gate" for step in self._upstream(model.step)):
            yield Violation(
                "data-gate-missing",
                f"{model} does not come from data that governance_core.steps.validate_data_quality returned; "
                "give the step the data that went through it",
            )
        if not any(node.evaluates(model) for node in self.nodes.values()):
            yield Violation(
                "evaluation-missing",
                f"{model} is not what governance_core.steps.evaluate_model, or an evaluator of the policy, reads",
            )
        elif not self.gated_evaluations(model):
            yield Violation(
                "model-gate-missing",
                f"the metrics of {model} are not what governance_core.steps.validate_model_performance reads",
            )

    def _upstream(self, name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            sources = {output.step for output in self.nodes[waiting.pop()].all_reads} & self.nodes.keys() - found
            found |= sources
            waiting += sources
        return found


def compiled_graph(steps: Mapping[str, Step], evaluators: Collection[str]) -> Graph:
    """Return the graph of a compiled pipeline; ``evaluators`` are import paths of evaluation steps in the policy."""
    return Graph(
        {
            name: Node(
                role=_role(platform_role(step.spec.source), step.spec.source.import_path, evaluators),
                of_platform=platform_role(step.spec.source) is not None,
                reads={
                    key: [Output(read.step_name, read.output_name) for read in reads]
                    for key, reads in step.spec.normalized_inputs.items()
                },
            )
            for name, step in steps.items()
        }
    )


def compiled_models(steps: Mapping[str, Step]) -> list[Output]:
    """Return the outputs that are model artifacts, as far as annotations and materializers tell."""
    return [
        Output(name, output)
        for name, step in steps.items()
        for output, configuration in step.config.outputs.items()
        if _is_model(configuration)
    ]


def recorded_graph(run: RunRecord, evaluators: Collection[str]) -> Graph:
    """Return the graph of what a run did; a step that it did not complete itself, a cached one, gates nothing."""
    outputs = recorded_outputs(run)
    return Graph(
        {
            name: Node(
                role=_role(step.role, step.import_path, evaluators) if step.completed else None,
                of_platform=step.role is not None,
                reads={
                    key: [outputs[artifact.id] for artifact in artifacts if artifact.id in outputs]
                    for key, artifacts in step.inputs.items()
                },
            )
            for name, step in run.steps.items()
        }
    )


def recorded_outputs(run: RunRecord) -> dict[UUID, Output]:
    """Return the outputs of a run's steps, by artifact."""
    return {
        artifact.id: Output(name, output, artifact.id)
        for name, step in run.steps.items()
        for output, artifacts in step.outputs.items()
        for artifact in artifacts
    }


def _role(platform: Role | None, import_path: str, evaluators: Collection[str]) -> Role | None:
    return "evaluation" if platform is None and import_path in evaluators else platform


def _is_model(output: ArtifactConfiguration) -> bool:
    declared = output.artifact_config
    if isinstance(declared, ArtifactConfig) and declared.artifact_type is not None:
        return declared.artifact_type is ArtifactType.MODEL
    materializers = (source_utils.load(source) for source in output.materializer_source)
    return any(materializer.ASSOCIATED_ARTIFACT_TYPE is ArtifactType.MODEL for materializer in materializers)
