"""Snapshots that a real server runs, triggered with a service account's key: made, replaced, and what came of them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from support.command_line import Governance, command_line
from support.rendering import edit
from support.scratch import Scratch, scratch_project
from support.trained import journal, model_of
from support.zenml_server import ZenMLServer
from zenml.client import Client
from zenml.enums import StackComponentType as Kind
from zenml.exceptions import MethodNotAllowedError
from zenml.zen_stores.rest_zen_store import RestZenStore

from governance_core.core import Conflict
from governance_core.lifecycle import running
from governance_core.lifecycle.eligibility import judge
from governance_core.pipelines.submission import project_policy
from governance_core.registry.releases import Release
from governance_core.registry.versions import find_version
from governance_core.snapshots import releasing

CREATE = ("snapshot", "create", "--pipeline", "training", "--environment", "staging")
RUN = ("snapshot", "run", "--pipeline", "training", "--environment", "staging")


@pytest.fixture
def governance(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Governance:
    """Return the command line, to be called with the words behind ``governance``."""
    return command_line(monkeypatch, capsys)


@pytest.fixture
def project(over_rest: ZenMLServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """Return a project of the mode ``pro``, in its folder; this process uses the server."""
    del over_rest
    for name in ("GOVERNANCE_ENVIRONMENT", "ZENML_ACTIVE_STACK_ID"):
        monkeypatch.setenv(name, "")
    with scratch_project(tmp_path / "scratch", snapshot_mode="pro") as scratch:
        monkeypatch.chdir(scratch.root)
        scratch.write("configs/staging.yaml", "")
        scratch.add("pipelines", "")
        yield scratch


def released(scratch: Scratch) -> str:
    """Return the id of the snapshot that was released last."""
    return str([event.body for event in journal(scratch) if event.kind == "release"][-1]["pipelines"]["training"])


def nightly(scratch: Scratch, snapshot: str) -> str:
    """Attach a schedule to a snapshot, and return its name."""
    start = datetime(2100, 1, 1, tzinfo=UTC)
    trigger = Client().create_schedule_trigger(name=f"{scratch.package}-nightly", interval=86_400, start_time=start)
    Client().attach_trigger_to_snapshot(trigger.id, UUID(snapshot))
    return trigger.name


def attached(snapshot: str) -> list[str]:
    """Return the names of a snapshot's triggers."""
    return [trigger.name for trigger in Client().list_snapshot_triggers(UUID(snapshot))]


def rules(scratch: Scratch, number: int) -> set[str]:
    """Return the rules that keep a version out of staging."""
    policy = project_policy(scratch.root, scratch.project, "staging")
    return {found.rule for found in judge(find_version(model_of(scratch), number), "staging", policy, scratch.root)}


def test_the_server_runs_what_was_released_whatever_becomes_of_the_code_and_its_version_can_be_promoted(
    project: Scratch, governance: Governance
) -> None:
    code, out, err = governance(*CREATE, "--run", "--json")
    assert code == 0, err
    release, (run,) = json.loads(out)["release"], json.loads(out)["runs"]
    commit = project.git("rev-parse", "HEAD")
    snapshot = Client().get_snapshot(UUID(release["pipelines"]["training"]))
    assert (snapshot.name, snapshot.description) == (f"staging-{commit[:12]}", f"Commit {commit}, released to staging")
    assert [tag.name for tag in snapshot.tags] == [commit]
    assert f"training runs as {run['name']}: http" in err
    found = Client().get_pipeline_run(run["id"])
    assert (run["status"], found.user and found.user.name) == ("completed", "ci")
    assert found.steps["train"].config.parameters == {"depth": 1}
    assert f"{project.project.project_slug}.notice-due" not in {tag.name for tag in found.tags}, "it was settled"

    said = json.loads(governance(*CREATE, "--run", "--unless-trained", "--json")[1])
    assert said["said"] == "version 1 was trained from these files; nothing was done"
    edit(project.root / f"src/{project.package}/__init__.py", "depth: int = 1", "depth: int = 7")
    project.commit()
    again = json.loads(governance(*RUN, "--json")[1])["runs"][0]
    assert Client().get_pipeline_run(again["id"]).steps["train"].config.parameters == {"depth": 1}
    assert rules(project, 1) == rules(project, 2) == set()

    assert governance("promote", "--to-stage", "staging")[0] == 0


def test_what_somebody_set_anew_when_triggering_is_not_promoted(project: Scratch, governance: Governance) -> None:
    assert governance(*CREATE)[0] == 0
    snapshot, name = UUID(released(project)), project.project.model_name
    deeper = Client().trigger_pipeline(snapshot, run_configuration={"steps": {"train": {"parameters": {"depth": 9}}}})
    elsewhere = Client().trigger_pipeline(snapshot, run_configuration={"model": {"name": f"{name}-other"}})
    running.ended(deeper)
    redirected = running.ended(elsewhere).model_version

    assert rules(project, 1) == {"parameters-overridden"}
    assert redirected
    assert redirected.model.name == f"{name}-other"
    code, _, err = governance("promote", "--model", redirected.model.name, "--version", 1, "--to-stage", "staging")
    assert code == 3
    assert "parameters-overridden: a parameter of a step, or the model, was set anew" in err


def test_a_run_that_a_gate_ended_is_a_refusal(project: Scratch, governance: Governance) -> None:
    project.write("configs/staging.yaml", "parameters: {rows: 5}")
    project.commit()
    code, _, err = governance(*CREATE, "--run")
    assert code == 3
    assert "error: the run of pipeline 'training' failed\nstep 'validate_data_quality': " in err
    assert "rows = 5 must be at least 100" in err


def test_a_server_that_runs_no_snapshots_is_told_before_anything_is_made(
    project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    def post(store: RestZenStore, path: str, *arguments: Any, **named: Any) -> Any:
        """Answer as ZenML's server without Pro does: the path of runs takes no POST."""
        if path.endswith("/runs"):
            raise MethodNotAllowedError("Method Not Allowed")
        return asked(store, path, *arguments, **named)

    asked = RestZenStore.post
    monkeypatch.setattr(RestZenStore, "post", post)
    before = Client().list_snapshots().total
    code, _, err = governance(*CREATE)
    assert (code, Client().list_snapshots().total, journal(project)) == (2, before, [])
    assert "snapshot_mode is pro, and snapshots are run by a server of ZenML Pro, which http://127.0.0.1:" in err


def test_triggers_follow_a_release_to_production_and_survive_a_replacement(
    project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write("configs/production.yaml", "")
    project.commit()
    create = (*CREATE[:-1], "production")
    assert governance(*create)[0] == 0
    first = released(project)
    trigger = nightly(project, first)

    def nobody_writes(slug: str, release: Release) -> Release:
        raise Conflict(f"{slug}: {release.commit}")

    with monkeypatch.context() as patch:
        patch.setattr(releasing, "record_release", nobody_writes)
        assert governance(*create)[0] == 4
    assert (attached(first), released(project)) == ([trigger], first), "nothing moved before it was recorded"

    code, _, err = governance(*create)
    second = released(project)
    assert (code, second != first) == (0, True)
    assert f"trigger {trigger} runs it from now on" in err
    assert attached(second) == [trigger]

    project.write("notes.txt", "new")
    project.commit()
    assert governance(*create)[0] == 0
    third = released(project)
    assert (attached(second), attached(third)) == ([], [trigger])
    assert Client().get_snapshot(UUID(second)).name != Client().get_snapshot(UUID(third)).name


def test_training_with_a_change_request_moves_no_trigger_to_it(project: Scratch, governance: Governance) -> None:
    assert governance(*CREATE)[0] == 0
    first = released(project)
    trigger = nightly(project, first)
    project.write("notes.txt", "new")
    project.commit()
    code, _, err = governance(*CREATE)
    assert (code, released(project) != first) == (0, True)
    assert f"trigger {trigger}" not in err
    assert (attached(first), attached(released(project))) == ([trigger], [])


def test_a_stack_that_the_server_cannot_run_on_and_a_deleted_snapshot_are_wrong_usage(
    project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = Client().list_snapshots().total
    with monkeypatch.context() as patch:
        patch.setenv("ZENML_STAGING_STACK", "staging")
        code, _, err = governance(*CREATE)
    assert (code, Client().list_snapshots().total) == (2, before)
    assert "stack staging: Unable to run pipeline from the server on a stack that includes local stack" in err

    kinds = {Kind.ORCHESTRATOR: "process", Kind.ARTIFACT_STORE: "pro-staging", Kind.IMAGE_BUILDER: "none"}
    Client().create_stack(f"{project.package}-no-registry", kinds)
    with monkeypatch.context() as patch:
        patch.setenv("ZENML_STAGING_STACK", f"{project.package}-no-registry")
        code, _, err = governance(*CREATE)
    assert (code, Client().list_snapshots().total, journal(project)) == (2, before, [])
    assert "could not be run by the server, and was deleted again: its images are on this machine only" in err

    assert governance(*CREATE)[0] == 0
    Client().delete_snapshot(released(project))
    code, _, err = governance(*RUN)
    assert code == 2
    assert "was deleted; release again" in err
