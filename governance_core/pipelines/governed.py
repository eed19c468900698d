"""The pipeline decorator that refuses at submission what governance forbids."""

from __future__ import annotations

import importlib.metadata
import inspect
import json
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, overload
from uuid import UUID

from zenml import Model
from zenml.client import Client
from zenml.config.step_configurations import ArtifactConfiguration, Step, StepConfigurationUpdate
from zenml.models import PipelineRunResponse, PipelineSnapshotBase, PipelineSnapshotResponse
from zenml.pipelines.compilation_context import PipelineCompilationContext
from zenml.pipelines.pipeline_definition import Pipeline
from zenml.steps.step_invocation import StepInvocation

from governance_core.core import Refused, UsageError, Violation, digest
from governance_core.docker.running import with_docker_settings
from governance_core.materializers import PERSONAL_DATA, governed_frames
from governance_core.pipelines.evidence import record_evidence
from governance_core.pipelines.placement import compiled_graph, compiled_models
from governance_core.pipelines.submission import Submission, collect, governance, recordable
from governance_core.pipelines.tracking import track_experiment, tracks
from governance_core.project import find_root
from governance_core.registry.releases import require_released
from governance_core.registry.runs import GOVERNED, configuration_digest, due_tag
from governance_core.registry.sources import platform_role
from governance_core.stacks.choice import active_stack_lacks


class GovernedPipeline(Pipeline):
    """A static ZenML pipeline whose gates are proven to stand in their places before anything is registered.

    It adds one last step, which records the evidence, and tells the platform's steps the policy that holds.
    """

    snapshot_id: UUID | None = None  # of what was submitted last
    _submission: Submission

    def __call__(self, *args: Any, **kwargs: Any) -> PipelineRunResponse | None:
        """Run the pipeline.

        Raises:
            Refused: if a gate is missing, if something but code configures the platform's steps, or when called inside
                another pipeline, which would run its steps without its checks and evidence.
        """
        if PipelineCompilationContext.is_active():
            message = "its steps would run without their checks and evidence; call it by itself"
            raise Refused(f"calling pipeline '{self.name}' inside another", [Violation("nested-pipeline", message)])
        with _packages_looked_up_once(), governed_frames():
            return super().__call__(*args, **kwargs)

    @property
    def root(self) -> Path:
        """The project that this pipeline belongs to: around its source file, else around the working directory.

        Raises:
            UsageError: if neither is inside a governed project.
        """
        try:
            return find_root(self._file.parent)
        except UsageError:
            return find_root()

    @property
    def _file(self) -> Path:
        return Path(inspect.getfile(self.entrypoint))

    @property
    def config_file(self) -> Path | None:
        """The file that configures its runs, where there is one."""
        path = self._run_args.get("config_path")
        return Path(path) if path else None

    def create_snapshot(self, *args: Any, **kwargs: Any) -> PipelineSnapshotResponse:
        """Make a snapshot of the pipeline, which ZenML Pro can run.

        Raises:
            Refused: as a call of the pipeline does.
        """
        with _packages_looked_up_once(), governed_frames():
            return super().create_snapshot(*args, **kwargs)

    def _create_snapshot(self, **arguments: Any) -> PipelineSnapshotResponse:
        snapshot = super()._create_snapshot(**arguments)
        self.snapshot_id = snapshot.id
        return snapshot

    def _call_entrypoint(self, *args: Any, **kwargs: Any) -> Any:
        outputs = super()._call_entrypoint(*args, **kwargs)
        self._submission = collect(self.root, self.config_file)
        self._submission["steps"] = dict(self._platform_steps())
        self._add_tracking_step()
        self._add_evidence_step()
        return outputs

    def _platform_steps(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Note how code set the parameters of each of the platform's steps; they are told the policy once compiled."""
        for name, invocation in self.invocations.items():
            if role := platform_role(invocation.step.resolve()):
                code = invocation.default_parameters | invocation.step.configuration.parameters | invocation.parameters
                for given in _ways_in(invocation):
                    given.pop("governance", None)
                invocation.parameters["governance"] = None
                yield name, {"role": role, "parameters": recordable(code | {"governance": None})}

    def _add_tracking_step(self) -> None:
        evaluators = self._submission["policy"]["evaluators"]
        sources = {name: invocation.step.resolve() for name, invocation in self.invocations.items()}
        evaluations = [
            name
            for name, source in sources.items()
            if platform_role(source) == "evaluation" or source.import_path in evaluators
        ]
        if not evaluations or not tracks():
            return
        before = self._upstream(evaluations)
        gates = [name for name, source in sources.items() if platform_role(source) == "model_gate"]
        track_experiment(evaluations=evaluations, after=evaluations)
        (added,) = self.invocations.keys() - sources.keys()
        for gate in set(gates) - before:  # the model that it refuses is tracked too
            self.invocations[gate].upstream_steps.add(added)

    def _upstream(self, names: Collection[str]) -> set[str]:
        found: set[str] = set()
        waiting = list(names)
        while waiting:
            further = self.invocations[waiting.pop()].upstream_steps - found
            found |= further
            waiting += further
        return found

    def _add_evidence_step(self) -> None:
        upstream = {name for invocation in self.invocations.values() for name in invocation.upstream_steps}
        record_evidence(submission=self._submission, after=sorted(self.invocations.keys() - upstream))

    def _compile(self, config_path: str | None = None, **run_configuration_args: Any) -> Any:
        # ZenML registers the pipeline after this: a refusal here leaves nothing behind.
        in_file = self._parse_config_file(config_path=config_path, matcher=["steps"]).get("steps")
        in_code = run_configuration_args.get("steps") or run_configuration_args.get("step_configurations")
        if violations := [*self._configured(in_file or {}), *self._configured(in_code or {})]:
            raise Refused(f"the configuration of pipeline '{self.name}'", violations)
        if violations := [*require_released(self._submission, self.name, self._file, self.root)]:
            raise Refused(f"pipeline '{self.name}' in {self._submission['environment']}", violations)
        if violations := active_stack_lacks(self.root, self._submission):
            raise Refused(f"pipeline '{self.name}'", violations)
        with governed_frames():
            snapshot, schedule, build = super()._compile(config_path=config_path, **run_configuration_args)
        if build:
            message = (
                "a build of ZenML's cannot be chosen: steps run in the image that `governance image build` records"
            )
            raise Refused(f"pipeline '{self.name}'", [Violation("docker-settings", message)])
        snapshot = with_docker_settings(self._governed(snapshot), self._submission["image"], self.root)
        return snapshot, schedule, build

    def _configured(self, steps: Mapping[str, Any]) -> Iterator[Violation]:
        """Yield what would change the platform's steps behind the back of the code that everybody reviews."""
        for name in sorted(steps.keys() & self.invocations.keys()):
            parameters = StepConfigurationUpdate.model_validate(steps[name]).parameters
            if parameters and platform_role(self.invocations[name].step.resolve()):
                yield Violation(
                    "parameters-overridden",
                    f"{', '.join(parameters)} of step '{name}' cannot be set in a configuration file or with_options; "
                    "set it where the pipeline calls the step, or tighten governance.yaml",
                )

    def _governed(self, snapshot: PipelineSnapshotBase) -> PipelineSnapshotBase:
        steps = snapshot.step_configurations
        graph, models = compiled_graph(steps, self._submission["policy"]["evaluators"]), compiled_models(steps)
        if violations := graph.violations(models):
            raise Refused(f"pipeline '{self.name}'", violations)

        fresh = {name for name, node in graph.nodes.items() if node.role}
        if self._submission["environment"] != "local":
            fresh |= {model.step for model in models}
        changes: dict[str, dict[str, Any]] = {name: {"enable_cache": False} for name in fresh}
        told = governance(self._submission, makes_model=bool(models))
        for name in self._submission["steps"]:
            changes[name]["parameters"] = steps[name].config.parameters | {"governance": told}
        configured: dict[str, Step] = {}
        for name, step in steps.items():  # each after those that it reads from
            # A step that comes from the cache because its inputs hold the same is recorded as reading another run's.
            policy = step.config.cache_policy.model_copy(update={"include_artifact_values": False})
            configured[name] = _changed(
                step, {"cache_policy": policy} | changes.get(name, {}) | self._storing(step, configured)
            )
        configuration = snapshot.pipeline_configuration
        model = configuration.model
        if model is None and models:
            model = Model(name=self._submission["project"]["model_name"])
        seal = {
            "submission": self._submission["id"],
            "digest": digest(self._submission),
            "configuration": configuration_digest(
                {name: _stored_parameters(step) for name, step in configured.items()}, model
            ),
            PERSONAL_DATA: self._submission["personal_data"],
        }
        return snapshot.model_copy(
            update={
                "step_configurations": configured,
                "pipeline_configuration": configuration.model_copy(
                    update={
                        "model": model,
                        "extra": configuration.extra | {"governance": seal},
                        "tags": [*(configuration.tags or []), GOVERNED, due_tag(self._submission["project"]["slug"])],
                    }
                ),
            }
        )

    def _storing(self, step: Step, upstream: Mapping[str, Step]) -> dict[str, Any]:
        """Return what must change about how a step stores its outputs."""
        changes: dict[str, Any] = {}
        outputs = step.config.outputs
        if platform_role(step.spec.source) == "data_gate":
            outputs = changes["outputs"] = _as_given(step, upstream)
        elsewhere = step.config.step_operator or Client().active_stack.orchestrator.flavor != "local"
        untyped = not all(output.materializer_source for output in outputs.values())
        if untyped and elsewhere and self._submission["personal_data"]:
            # ZenML chooses a materializer where the step runs, and its own for frames shows their rows.
            changes |= {"enable_artifact_metadata": False, "enable_artifact_visualization": False}
        return changes


def _stored_parameters(step: Step) -> Any:
    return json.loads(step.config.model_dump_json(include={"parameters"}))["parameters"]


@contextmanager
def _packages_looked_up_once() -> Iterator[None]:
    """Keep ZenML from reading all installed distributions, 0.1 CPU seconds, for each class that it stores."""
    look_up = importlib.metadata.packages_distributions
    setattr(importlib.metadata, look_up.__name__, cache(look_up))
    try:
        yield
    finally:
        setattr(importlib.metadata, look_up.__name__, look_up)


def _ways_in(invocation: StepInvocation) -> tuple[dict[str, Any], ...]:
    """Return where an invocation keeps inputs that ZenML prefers to a parameter of the same name."""
    return (
        invocation.input_artifacts,
        invocation.external_artifacts,
        invocation.model_artifacts_or_metadata,
        invocation.client_lazy_loaders,
    )


def _as_given(gate: Step, upstream: Mapping[str, Step]) -> dict[str, ArtifactConfiguration]:
    """Return the outputs of the data gate: what it returns is stored as it was where it came from."""
    sources = [
        upstream[read.step_name].config.outputs[read.output_name].materializer_source
        for read in gate.spec.normalized_inputs.get("dataset", [])
    ]
    update = {"materializer_source": sources[0]} if sources else {}
    return {name: output.model_copy(update=update) for name, output in gate.config.outputs.items()}


def _changed(step: Step, changes: Mapping[str, Any]) -> Step:
    if not changes:
        return step
    # ZenML stores the second of the two and derives the first from it again.
    copies = {name: getattr(step, name).model_copy(update=changes) for name in ("config", "step_config_overrides")}
    return step.model_copy(update=copies)


_OPTIONS = frozenset(inspect.signature(Pipeline.__init__).parameters) - {"self", "entrypoint", "kwargs"}
_Function = Callable[..., Any]


@overload
def governed_pipeline(function: _Function, /) -> GovernedPipeline: ...
@overload
def governed_pipeline(*, name: str | None = None, **options: Any) -> Callable[[_Function], GovernedPipeline]: ...
def governed_pipeline(
    function: _Function | None = None, /, *, name: str | None = None, **options: Any
) -> GovernedPipeline | Callable[[_Function], GovernedPipeline]:
    """Make a governed pipeline of a function, as ``zenml.pipeline`` makes a plain one.

    Args:
        function: the pipeline function, where the decorator is used without arguments.
        name: the pipeline's name; the function's unless given.
        options: what ``zenml.pipeline`` takes, apart from ``dynamic`` and ``depends_on``: the steps of a dynamic
            pipeline are not known before it runs, so nobody could say whether its gates stand in their places.

    Raises:
        UsageError: for an option that is not one of these.
    """
    if unknown := sorted(options.keys() - _OPTIONS):
        raise UsageError(f"governed_pipeline takes no {', '.join(unknown)}; it takes {', '.join(sorted(_OPTIONS))}")

    def decorate(function: _Function) -> GovernedPipeline:
        pipeline = GovernedPipeline(name=name or function.__name__, entrypoint=function, **options)
        pipeline.__doc__ = inspect.getdoc(function)
        return pipeline

    return decorate if function is None else decorate(function)
