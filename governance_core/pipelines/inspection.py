"""The pipelines of a project, compiled but not submitted: does each carry its gates?"""

from __future__ import annotations

import importlib
import pkgutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from zenml.pipelines.pipeline_definition import Pipeline
from zenml.utils import source_utils

from governance_core.core import Refused, UsageError, Violation
from governance_core.pipelines.governed import GovernedPipeline
from governance_core.pipelines.placement import compiled_graph, compiled_models
from governance_core.pipelines.submission import project_policy
from governance_core.project import load_project


@dataclass(frozen=True)
class Inspected:
    """One pipeline or module (``name``, as it is imported); ``problem`` says why it could not be looked at, if so."""

    name: str
    violations: tuple[Violation, ...] = ()
    problem: str | None = None


def inspect(root: Path) -> list[Inspected]:
    """Import the project's package and compile each of its pipelines; the evaluators are those of production.

    Nothing is registered and nobody needs to be named as the actor, but ZenML's store is opened.

    Raises:
        UsageError: if the project or its governance.yaml cannot be read.
        Refused: if its governance.yaml is laxer than the baseline.
    """
    project = load_project(root)
    evaluators = project_policy(root, project, "production").evaluators
    with importable(root / "src"):
        return [
            found if isinstance(found, Inspected) else _inspected(name, found, evaluators)
            for name, found in _pipelines(project.package_name)
        ]


def _pipelines(package: str) -> Iterator[tuple[str, Pipeline | Inspected]]:
    seen: set[int] = set()
    for name in _modules(package):
        try:
            module = importlib.import_module(name)
        except Exception as error:  # whatever a team's module raises is reported
            yield name, Inspected(name, problem=f"cannot be imported: {error}")
            continue
        for attribute, value in vars(module).items():
            if isinstance(value, Pipeline) and id(value) not in seen:
                seen.add(id(value))
                yield f"{name}.{attribute}", value


def _modules(package: str) -> Iterator[str]:
    yield package
    found = importlib.util.find_spec(package)
    locations = (found and found.submodule_search_locations) or []
    yield from (module.name for module in pkgutil.walk_packages(locations, f"{package}.", onerror=lambda _: None))


def _inspected(name: str, pipeline: Pipeline, evaluators: tuple[str, ...]) -> Inspected:
    # A plain copy: the checks of a submission would ask who submits, and from which commit.
    plain = Pipeline(name=pipeline.name, entrypoint=pipeline.entrypoint, model=pipeline.configuration.model)
    try:
        plain.prepare()
        steps = plain._compile()[0].step_configurations
    except Refused as refused:
        return Inspected(name, refused.violations)
    except Exception as error:  # a pipeline may need arguments, or a model that nobody trained yet
        return Inspected(name, problem=f"cannot be compiled: {error}")
    models = compiled_models(steps)
    if models and not isinstance(pipeline, GovernedPipeline):
        message = "it makes a model and is no governed_pipeline, so what it makes can never be promoted"
        return Inspected(name, (Violation("pipeline-ungoverned", message),))
    return Inspected(name, tuple(compiled_graph(steps, evaluators).violations(models)))


def named_pipelines(root: Path) -> dict[str, GovernedPipeline]:
    """Import the governed pipelines that ``python run.py --pipeline`` knows, by name; within `importable`.

    Raises:
        UsageError: if the project cannot be read, or has no package of pipelines.
    """
    name = f"{load_project(root).package_name}.pipelines"
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name not in (name, name.partition(".")[0]):  # what a module of theirs lacks
            raise
        raise UsageError(f"{root / 'src'} holds no package {error.name}, which run.py takes pipelines from") from error
    return {name: value for name, value in vars(module).items() if isinstance(value, GovernedPipeline)}


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Let the packages in a folder be imported, and ZenML take it for the root of their sources."""
    sys.path.insert(0, str(folder))
    source_utils.set_custom_source_root(str(folder))
    try:
        yield
    finally:
        source_utils.set_custom_source_root(None)
        sys.path.remove(str(folder))
