"""Whether the gates of a compiled pipeline stand where they must: by the source of each step and by data edges."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from zenml.artifacts.artifact_config import ArtifactConfig
from zenml.config.step_configurations import ArtifactConfiguration, InputSpec, Step
from zenml.enums import ArtifactType
from zenml.utils import source_utils

from governance_core.core import Violation
from governance_core.registry.sources import Role, platform_role


@dataclass(frozen=True)
class Output:
    """One output of one step invocation."""

    step: str
    name: str

    def __str__(self) -> str:
        return f"output '{self.name}' of step '{self.step}'"


class Graph:
    """The steps of a compiled pipeline, what each is for, and which data flows where."""

    def __init__(self, steps: Mapping[str, Step], evaluators: Collection[str] = ()) -> None:
        """Read compiled steps; ``evaluators`` are import paths of team steps that policy accepts as evaluation."""
        self._steps = steps
        self.roles: dict[str, Role] = {}
        for name, step in steps.items():
            role = platform_role(step.spec.source)
            if role is None and step.spec.source.import_path in evaluators:
                role = "evaluation"
            if role is not None:
                self.roles[name] = role

    def models(self) -> list[Output]:
        """Return the outputs that are model artifacts, as far as annotations and materializers tell."""
        return [
            Output(name, output)
            for name, step in self._steps.items()
            for output, configuration in step.config.outputs.items()
            if _is_model(configuration)
        ]

    def violations(self) -> list[Violation]:
        """Return what is missing around each model, and each gate that something else than code configures."""
        return [violation for model in self.models() for violation in self._around(model)]

    def _around(self, model: Output) -> Iterator[Violation]:
        if not any(self.roles.get(step) == "data_gate" for step in self._upstream(model.step)):
            yield Violation(
                "data-gate-missing",
                f"{model} does not come from data that governance_core.steps.validate_data_quality returned; "
                "pass the step data that went through it",
            )
        evaluations = [step for step in self._readers(model) if self.roles.get(step) == "evaluation"]
        if not evaluations:
            yield Violation(
                "evaluation-missing",
                f"{model} is not the input of governance_core.steps.evaluate_model, nor of an evaluator of the policy",
            )
        elif not any(self._reaches_gate(step) for step in evaluations):
            yield Violation(
                "model-gate-missing",
                f"the metrics of {model} are not the input of governance_core.steps.validate_model_performance",
            )

    def _reaches_gate(self, evaluation: str) -> bool:
        return any(
            self.roles.get(name) == "model_gate" and any(source.step == evaluation for source in sources)
            for name, sources in ((name, self._inputs(name, "metrics")) for name in self._steps)
        )

    def _readers(self, output: Output) -> Iterator[str]:
        for name in self._steps:
            only = "model" if self._is_platform(name) else None
            if output in self._inputs(name, only):
                yield name

    def _is_platform(self, name: str) -> bool:
        return platform_role(self._steps[name].spec.source) is not None

    def _inputs(self, name: str, only: str | None = None) -> list[Output]:
        inputs: Mapping[str, list[InputSpec]] = self._steps[name].spec.normalized_inputs
        return [
            Output(spec.step_name, spec.output_name)
            for key, specs in inputs.items()
            if only in (None, key)
            for spec in specs
        ]

    def _upstream(self, name: str) -> set[str]:
        found: set[str] = set()
        waiting = [name]
        while waiting:
            sources = {source.step for source in self._inputs(waiting.pop())} - found
            found |= sources
            waiting += sources
        return found


def _is_model(output: ArtifactConfiguration) -> bool:
    declared = output.artifact_config
    if isinstance(declared, ArtifactConfig) and declared.artifact_type is not None:
        return declared.artifact_type is ArtifactType.MODEL
    materializers = (source_utils.load(source) for source in output.materializer_source)
    return any(materializer.ASSOCIATED_ARTIFACT_TYPE is ArtifactType.MODEL for materializer in materializers)
