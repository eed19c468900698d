"""The pipeline decorator that refuses at submission what governance forbids."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, overload

from zenml.models import PipelineSnapshotBase
from zenml.pipelines.compilation_context import PipelineCompilationContext
from zenml.pipelines.pipeline_definition import Pipeline

from governance_core.core import Refused, UsageError, Violation
from governance_core.pipelines.placement import Graph


class GovernedPipeline(Pipeline):
    """A static ZenML pipeline whose gates are proven to stand in their places before anything is registered."""

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Run the pipeline.

        Raises:
            Refused: when called inside another pipeline, which would run its steps without its checks and evidence.
        """
        if PipelineCompilationContext.is_active():
            message = "its steps would run without their checks and evidence; call it by itself"
            raise Refused(f"calling pipeline '{self.name}' inside another", [Violation("nested-pipeline", message)])
        return super().__call__(*args, **kwargs)

    def _compile(self, config_path: str | None = None, **run_configuration_args: Any) -> Any:
        snapshot, schedule, build = super()._compile(config_path=config_path, **run_configuration_args)
        return self._governed(snapshot), schedule, build

    def _governed(self, snapshot: PipelineSnapshotBase) -> PipelineSnapshotBase:
        graph = Graph(snapshot.step_configurations)
        if violations := graph.violations():
            raise Refused(f"pipeline '{self.name}'", violations)
        return snapshot


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
