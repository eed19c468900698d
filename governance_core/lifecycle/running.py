"""One pipeline, in one environment, from any directory: what a project's run.py does."""

from __future__ import annotations

import gc
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

from zenml import Model
from zenml.client import Client
from zenml.constants import ENV_ZENML_ACTIVE_STACK_ID
from zenml.enums import ModelStages
from zenml.models import PipelineRunResponse
from zenml.utils import source_utils

from governance_core.core import GovernanceError, Refused, UsageError
from governance_core.lifecycle.settle import is_lost, settle
from governance_core.pipelines import GovernedPipeline
from governance_core.pipelines.submission import ENVIRONMENT_VARIABLE
from governance_core.project import load_project
from governance_core.registry.connection import connection
from governance_core.registry.sources import GATES, platform_role
from governance_core.stacks.choice import chosen_stack, run_configuration

FIRST_PAUSE, LONGEST_PAUSE = 1.0, 15.0  # seconds between two looks at a run


class RunFailed(GovernanceError):  # noqa: N818 - what happened, not an error of this program
    """A step failed. Where it was a gate, the run was refused, and the exit code says so."""

    def __init__(self, message: str, *, refused: bool) -> None:
        super().__init__(message)
        self.exit_code = (Refused if refused else GovernanceError).exit_code


def run(pipeline: GovernedPipeline, environment: str, root: Path) -> None:
    """Run a pipeline as the command line does: an error is one message on stderr and its exit code.

    However it ends, the notices of the project that are due are sent.

    Args:
        pipeline: the pipeline to run.
        environment: which of ``configs/<environment>.yaml`` holds, which policy, and which stack: the one that the
            variable ``ZENML_<ENVIRONMENT>_STACK`` names, else ``stack`` in the configuration, else the active one.
        root: the project's folder.
    """
    try:
        with settled(root):
            submit(pipeline, environment, root)
    except GovernanceError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(error.exit_code)


@contextmanager
def settled(root: Path) -> Iterator[None]:
    """However the block ends, send afterwards what is due for the project's runs."""
    with connection():  # whoever has none can settle nothing
        try:
            yield
        finally:
            project = load_project(root)
            settle(project.project_slug, project.model_name)


def enter(environment: str, root: Path) -> Path | None:
    """Let this process submit for an environment and its stack; return the file that configures runs there.

    Raises:
        UsageError: if the configuration or the stack does not exist.
    """
    path = root / "configs" / f"{environment}.yaml"
    configuration = run_configuration(environment, root)
    os.environ[ENV_ZENML_ACTIVE_STACK_ID] = str(chosen_stack(environment, configuration).stack.id)
    os.environ[ENVIRONMENT_VARIABLE] = environment
    source_utils.set_custom_source_root(str(root / "src"))  # else it depends on the working directory
    return path if configuration else None  # ZenML cannot read an empty file


def configured_for(pipeline: GovernedPipeline, environment: str, root: Path) -> GovernedPipeline:
    """Enter an environment and return a pipeline as it is configured there."""
    path = enter(environment, root)
    return cast(GovernedPipeline, pipeline.with_options(config_path=str(path) if path else None))


def submit(pipeline: GovernedPipeline, environment: str, root: Path) -> PipelineRunResponse | None:
    """Run a pipeline and return its run; None where the stack only schedules it.

    Raises:
        UsageError: if the configuration, the stack or the model version that it reads does not exist.
        Refused: if the pipeline is refused at submission.
        RunFailed: if a step failed.
    """
    configured = configured_for(pipeline, environment, root)
    require_model(configured.name, configured.configuration.model)
    gc.freeze()  # looking for garbage among what ZenML has imported costs a run some tenths of a CPU second each time
    try:
        return configured()
    except GovernanceError:
        raise
    except Exception as error:
        if configured.snapshot_id is None:
            raise
        runs = Client().list_pipeline_runs(snapshot_id=configured.snapshot_id, size=1, hydrate=True).items
        raise _failure(configured.name, *runs) from error


def ended(run: PipelineRunResponse) -> PipelineRunResponse:
    """Wait until a run has ended, and return it.

    Raises:
        RunFailed: if it did not complete, or nobody is running it any more.
    """
    pause = FIRST_PAUSE
    while not run.status.is_finished:
        if is_lost(run):
            raise RunFailed(f"run {run.name} is lost: nobody is running it any more", refused=False)
        time.sleep(pause)
        pause = min(pause * 1.5, LONGEST_PAUSE)
        run = Client().get_pipeline_run(run.id)
    if not run.status.is_successful:
        raise _failure(run.pipeline.name if run.pipeline else run.name, run)
    return run


def require_model(pipeline: str, model: Model | None) -> None:
    """Raise a UsageError where a pipeline would read a version that does not exist.

    ZenML would start the run and fail it without a word.
    """
    if model is None:
        return
    by_stage = model.version in ModelStages.values()
    if not (by_stage or str(model.version).isdecimal()):  # any other name is that of a version to be made
        return
    try:
        Client().get_model_version(model.name, model.version, hydrate=False)
    except KeyError as error:
        missing = f"in {model.version}; promote one first" if by_stage else model.version
        raise UsageError(f"pipeline '{pipeline}' cannot run: model {model.name} has no version {missing}") from error


def _failure(pipeline: str, *runs: PipelineRunResponse) -> RunFailed:
    failed = {name: step for run in runs for name, step in run.steps.items() if step.status == "failed"}
    reasons = [f"step '{name}': {step.exception_info and step.exception_info.message}" for name, step in failed.items()]
    refused = any(platform_role(step.spec.source) in GATES for step in failed.values())
    if not reasons:  # it ended before its first step
        reasons = [run.body.status_reason for run in runs if run.body and run.body.status_reason]
    return RunFailed("\n".join([f"the run of pipeline '{pipeline}' failed", *reasons]), refused=refused)
