"""What a project's run.py does: configuration, stack, environment, and one message where it fails."""

from __future__ import annotations

import os
from typing import Any

import pytest
from support.scratch import Scratch

from governance_core.core import UsageError


@pytest.fixture
def submit(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run the project's training in an environment; what it sets for the process is undone afterwards."""
    from governance_core.lifecycle.running import submit

    for name in ("ZENML_ACTIVE_STACK_ID", "ZENML_STAGING_STACK"):
        monkeypatch.setenv(name, "")
    return lambda environment, pipeline=None: submit(pipeline or scratch.module.training, environment, scratch.root)


def test_a_run_takes_the_environments_configuration_and_policy(scratch: Scratch, submit: Any) -> None:
    scratch.write("configs/production.yaml", "parameters: {rows: 150}")
    scratch.commit()
    scratch.release("production")
    run = submit("production")
    assert run.steps["load"].config.parameters == {"rows": 150}
    assert run.steps["record_evidence"].config.parameters["submission"]["environment"] == "production"


def test_a_missing_configuration_is_named_with_those_that_exist(scratch: Scratch, submit: Any) -> None:
    scratch.write("configs/local.yaml", "")
    with pytest.raises(UsageError, match=r"staging\.yaml does not exist; configurations there: local\.yaml"):
        submit("staging")


@pytest.mark.parametrize("content", ["[1]", "a: [", "a: \x00"])
def test_a_broken_configuration_is_wrong_usage(scratch: Scratch, submit: Any, content: str) -> None:
    scratch.write("configs/staging.yaml", content)
    with pytest.raises(UsageError, match=r"staging\.yaml"):
        submit("staging")


def test_the_variable_chooses_the_stack_before_the_configuration(
    scratch: Scratch, submit: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch.write("configs/staging.yaml", "stack: nowhere")
    with pytest.raises(UsageError, match=r"no stack 'nowhere', which `stack` in configs/staging\.yaml names; stacks: "):
        submit("staging")
    monkeypatch.setenv("ZENML_STAGING_STACK", "elsewhere")
    with pytest.raises(UsageError, match="no stack 'elsewhere', which ZENML_STAGING_STACK names"):
        submit("staging")
    monkeypatch.setenv("ZENML_STAGING_STACK", "default")
    assert submit("staging").status == "completed"


@pytest.mark.usefixtures("submit")
def test_a_failed_gate_is_a_refusal_with_its_reasons(scratch: Scratch, capsys: pytest.CaptureFixture[str]) -> None:
    from governance_core.lifecycle.running import run

    scratch.write("configs/staging.yaml", "parameters: {rows: 5}")
    with pytest.raises(SystemExit) as end:
        run(scratch.module.training, "staging", scratch.root)
    assert end.value.code == 3
    message = capsys.readouterr().err.partition("error: ")[2]
    assert message.startswith("the run of pipeline 'training' failed\nstep 'validate_data_quality': ")
    assert "rows = 5 must be at least 100" in message


def test_a_failed_step_of_the_team_is_a_failure(scratch: Scratch, submit: Any) -> None:
    from governance_core.lifecycle.running import RunFailed

    scratch.write("configs/staging.yaml", "")
    code = """
@step
def broken() -> int:
    raise OSError('disk full')

@governed_pipeline
def failing():
    broken()
"""
    with pytest.raises(RunFailed, match="step 'broken': disk full") as failure:
        submit("staging", scratch.add("failing", code).failing)
    assert failure.value.exit_code == 1


def test_the_working_directory_does_not_matter(
    scratch: Scratch, submit: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch.write("configs/staging.yaml", "")
    monkeypatch.chdir(tmp_path)
    source = submit("staging").steps["train"].spec.source
    assert (source.type.value, source.module) == ("user", f"{scratch.package}.__init__")
    assert os.environ["GOVERNANCE_ENVIRONMENT"] == "staging"


@pytest.mark.parametrize("version", ["production", 99, "99"])
def test_a_pipeline_that_reads_a_version_which_does_not_exist_says_so(
    scratch: Scratch, submit: Any, version: str | int
) -> None:
    from zenml import Model

    scratch.write("configs/local.yaml", "")
    reader = scratch.module.training.with_options(model=Model(name=scratch.project.model_name, version=version))
    with pytest.raises(UsageError, match=rf"pipeline 'training' cannot run: model \w+ has no version (in )?{version}"):
        submit("local", reader)
