"""Every pipeline of a project is compiled and looked at, and nothing is submitted."""

from __future__ import annotations

import pytest
from support.scratch import Scratch
from zenml.client import Client

from governance_core.pipelines.inspection import inspect


def inspected(scratch: Scratch) -> dict[str, list[str] | str | None]:
    """Return what was found of each pipeline, by the end of its name: rules, or why it was not looked at."""
    before = Client().list_pipelines().total
    found = inspect(scratch.root)
    assert Client().list_pipelines().total == before
    return {
        one.name.removeprefix(f"{scratch.package}."): one.problem or [v.rule for v in one.violations] for one in found
    }


def test_a_pipeline_with_its_gates_is_found_and_holds(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GOVERNANCE_ACTOR")
    assert inspected(scratch) == {"training": []}


def test_pipelines_that_lack_gates_or_are_not_governed_are_named(scratch: Scratch) -> None:
    code = """
@governed_pipeline
def bare():
    train(validate_data_quality(load()))

@pipeline
def plain():
    train(load())

@pipeline
def harmless():
    load()

@pipeline
def nested():
    training()

@governed_pipeline
def asking(rows: int):
    load(rows)
"""
    scratch.add("more", code)
    scratch.write(f"src/{scratch.package}/broken.py", "raise ValueError('no such table')")
    found = inspected(scratch)
    assert "Invalid or missing pipeline function entrypoint arguments" in str(found.pop("more.asking"))
    assert found == {
        "training": [],
        "more.bare": ["evaluation-missing"],
        "more.plain": ["pipeline-ungoverned"],
        "more.harmless": [],
        "more.nested": ["nested-pipeline"],
        "broken": "cannot be imported: no such table",
    }
