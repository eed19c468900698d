"""Old runs and what they alone leave behind are deleted, and nothing that a stage, its history or an approval needs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from support.command_line import Governance
from support.scratch import Scratch
from support.stages import change, stage_ledger
from support.trained import journal, model_files, model_of
from zenml import Model
from zenml.cli.artifact import prune_artifacts
from zenml.client import Client
from zenml.utils.pagination_utils import depaginate

from governance_core.core import GovernanceError, Refused, UsageError
from governance_core.lifecycle import retention
from governance_core.lifecycle.approval import approve
from governance_core.lifecycle.promotion import promote
from governance_core.lifecycle.retention import retain
from governance_core.lifecycle.rollback import rollback
from governance_core.lifecycle.settle import settle
from governance_core.lifecycle.verification import verify_ledger
from governance_core.registry import versions
from governance_core.registry.runs import artifact_digest

SCORING = """
from pathlib import Path

from zenml import register_artifact

@step(enable_cache=False)
def score(folder: str) -> Annotated[pd.DataFrame, "scores"]:
    register_artifact(folder, name="kept")
    return pd.DataFrame({"x": [1.0]})

@governed_pipeline
def scoring(folder: str):
    score(folder)
"""
READING = """
@governed_pipeline
def reading():
    load()
"""


def train(scratch: Scratch, times: int) -> None:
    """Train, and send the notices that are due."""
    for _ in range(times):
        scratch.module.training()
    settle(scratch.project.project_slug)


def to_production(scratch: Scratch, *numbers: int) -> None:
    for number in numbers:
        promote(scratch.root, "staging", version=number, force=True)
        promote(scratch.root, "production", version=number, force=True)


def numbers(scratch: Scratch) -> list[int]:
    """Return the versions of a project's model that are left, oldest first."""
    return [version.number for version in versions.newest_versions(model_of(scratch))][::-1]


def worked_on(scratch: Scratch) -> list[int]:
    """Return the versions that the runs which are left work on, the oldest run first."""
    runs = depaginate(Client().list_pipeline_runs, model=model_of(scratch).id, sort_by="asc:created")
    return [run.model_version.number for run in runs]


def artifacts_of(run: Any) -> dict[str, Any]:
    """Return the artifact versions that a run's steps made or took from a cache."""
    steps = Client().get_pipeline_run(run.id).steps.values()
    return {name: found[0] for step in steps for name, found in step.outputs.items()}


def artifacts_of_version(scratch: Scratch, number: int) -> dict[str, Any]:
    """Return those of the run that made a version."""
    version = versions.find_version(model_of(scratch), number)
    (run,) = Client().list_pipeline_runs(model_version_id=version.id)
    return artifacts_of(run)


def test_what_a_stage_its_history_or_an_approval_needs_stays_and_so_does_the_newest_version(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    for _ in range(5):
        scratch.module.training()
    assert retain(scratch.root, 1).runs == [], "a run whose notice is not sent stays"
    settle(scratch.project.project_slug)
    to_production(scratch, 1, 2)
    monkeypatch.setenv("GOVERNANCE_ACTOR", "ada@example.com")
    approve(scratch.root, 3, "production")
    files = {number: model_files(scratch, number) for number in range(1, 6)}
    artifacts = {number: artifacts_of_version(scratch, number) for number in (4, 5)}
    assert artifacts[4]["raw"].id == artifacts[5]["raw"].id, "a cached step"
    before = len(journal(scratch))

    foreseen = retain(scratch.root, 1, dry_run=True)
    assert len(journal(scratch)) == before
    assert numbers(scratch) == [1, 2, 3, 4, 5]
    monkeypatch.chdir(scratch.root)
    code, said, _ = governance("retention", "--keep-last", 1, "--json")

    assert code == 0
    deleted = json.loads(said)
    assert [version["number"] for version in deleted["versions"]] == [4]
    assert (deleted["runs"], deleted["versions"]) == (foreseen.runs, foreseen.versions)
    assert 0 < deleted["artifacts"] < foreseen.artifacts
    assert numbers(scratch) == worked_on(scratch) == [1, 2, 3, 5]
    for number, paths in files.items():
        assert all(path.exists() == (number != 4) for path in paths)
    with pytest.raises(KeyError):
        Client().get_artifact_version(artifacts[4]["model"].id)
    assert artifact_digest(Client().get_artifact_version(artifacts[5]["raw"].id))
    (event,) = [event.body for event in journal(scratch) if event.kind == "retention"]
    assert (event["runs"], event["actor"]["id"]) == (deleted["runs"], "ada@example.com")

    assert governance("retention", "--keep-last", 1)[1] == f"nothing of {model_of(scratch).name} is to be deleted\n"
    assert len(journal(scratch)) == before + 1
    assert CliRunner().invoke(prune_artifacts, ["--yes"]).exit_code == 0
    assert verify_ledger(scratch.root).violations == ()
    assert rollback(scratch.root).version.number == 1
    assert rollback(scratch.root, to_version=2).version.number == 2


def test_whoever_dies_at_it_leaves_the_rest_to_the_next_call(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    train(scratch, 5)
    store, calls_left = Client().zen_store, [0]

    def dying(call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*arguments: Any, **named: Any) -> Any:
            if not calls_left[0]:
                raise SystemExit("killed")
            calls_left[0] -= 1
            return call(*arguments, **named)

        return counted

    # Before the first call, between run, version and artifacts, and amid the artifacts.
    for number, calls in enumerate(range(4), start=1):
        files, artifacts = model_files(scratch, number), artifacts_of_version(scratch, number)
        calls_left[0] = calls
        with monkeypatch.context() as patch:
            patch.setattr(type(store), "delete_run", dying(type(store).delete_run))
            patch.setattr(type(store), "delete_model_version", dying(type(store).delete_model_version))
            patch.setattr(retention, "delete_artifact", dying(retention.delete_artifact))
            with pytest.raises(SystemExit):
                retain(scratch.root, 5 - number)
        retain(scratch.root, 5 - number)
        assert numbers(scratch) == worked_on(scratch) == list(range(number + 1, 6))
        assert not any(path.exists() for path in files)
        for name in artifacts.keys() - {"raw", "features", "target"}:  # of cached steps
            with pytest.raises(KeyError):
                Client().get_artifact_version(artifacts[name].id)
    assert retain(scratch.root, 1).artifacts == 0
    assert verify_ledger(scratch.root).violations == ()


def test_what_was_begun_is_not_finished_where_somebody_needs_it_since(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(scratch, 2)
    with monkeypatch.context() as patch:
        patch.setattr(retention, "_delete", lambda *_: True)
        retain(scratch.root, 1)
    promote(scratch.root, "staging", version=1)
    assert retain(scratch.root, 1).runs == []
    assert promote(scratch.root, "production", version=1).after["production"]["number"] == 1


def test_what_a_mistaken_call_began_is_finished_only_as_far_as_it_is_gone(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(scratch, 3)
    store = Client().zen_store
    delete_run, runs = type(store).delete_run, []

    def dying(self: Any, run: Any) -> None:
        runs.append(run)
        if len(runs) > 1:
            raise SystemExit("killed")
        delete_run(self, run)

    with monkeypatch.context() as patch:
        patch.setattr(type(store), "delete_run", dying)
        with pytest.raises(SystemExit):
            retain(scratch.root, 1)
    deleted = retain(scratch.root, 100)
    assert (deleted.runs, len(deleted.versions)) == ([], 1)
    assert deleted.artifacts > 0
    assert numbers(scratch) == worked_on(scratch)
    assert len(numbers(scratch)) == 2


def test_what_is_promoted_while_others_are_deleted_stays(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    train(scratch, 3)
    store = Client().zen_store
    delete_run = type(store).delete_run

    def promoting(self: Any, run: Any) -> None:
        delete_run(self, run)
        monkeypatch.setattr(type(store), "delete_run", delete_run)
        promote(scratch.root, "staging", version=worked_on(scratch)[0])

    monkeypatch.setattr(type(store), "delete_run", promoting)
    deleted = retain(scratch.root, 1)
    assert (len(deleted.runs), len(deleted.versions)) == (1, 1)
    assert numbers(scratch) == worked_on(scratch)
    promote(scratch.root, "production")


def test_what_cannot_be_deleted_is_named_and_tried_again_and_the_rest_goes(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, governance: Governance
) -> None:
    monkeypatch.setattr(retention, "RUNS_AT_ONCE", 1)
    monkeypatch.chdir(scratch.root)
    train(scratch, 3)
    stuck = [artifacts_of_version(scratch, number)["model"].id for number in (2, 1)]
    delete_artifact = retention.delete_artifact

    def failing(artifact: Any) -> None:
        if artifact.id in stuck:
            raise RuntimeError("Unable to fetch the artifact store")
        delete_artifact(artifact)

    monkeypatch.setattr(retention, "delete_artifact", failing)
    code, _, err = governance("retention", "--keep-last", 1)
    assert (code, numbers(scratch), worked_on(scratch)) == (1, [3], [3])
    assert "2 runs, " in err
    assert all(f"artifact version {artifact} at " in err for artifact in stuck)
    assert "RuntimeError: Unable to fetch the artifact store" in err
    monkeypatch.setattr(retention, "delete_artifact", delete_artifact)
    assert retain(scratch.root, 1).artifacts == 2
    for artifact in stuck:
        with pytest.raises(KeyError):
            Client().get_artifact_version(artifact)


def test_an_event_names_every_artifact_of_its_runs(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    train(scratch, 3)
    artifacts = [artifacts_of_version(scratch, number) for number in (1, 2)]
    foreseen = retain(scratch.root, 1, dry_run=True)
    monkeypatch.setattr(retention, "MOST_ARTIFACTS", 1)
    with pytest.raises(GovernanceError, match="by hand"):
        retain(scratch.root, 1)
    assert numbers(scratch) == worked_on(scratch) == [1, 2, 3]
    monkeypatch.setattr(retention, "MOST_ARTIFACTS", max(map(len, artifacts)))
    assert retain(scratch.root, 1, dry_run=True).artifacts == foreseen.artifacts
    assert len(retain(scratch.root, 1).runs) == 2
    events = [event.body for event in journal(scratch) if event.kind == "retention"]
    assert [len(event["runs"]) for event in events] == [1, 1]
    for made in artifacts:
        with pytest.raises(KeyError):
            Client().get_artifact_version(made["model"].id)


def test_a_version_that_somebody_is_moving_stays_and_many_runs_go_in_events_that_fit(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "RUNS_AT_ONCE", 1)
    train(scratch, 4)
    ledger = stage_ledger(model_of(scratch).name, slug=scratch.project.project_slug)
    state = ledger.settled()
    ledger.chain.append("intent", ledger._intent(state, change(ledger, 1, "staging")), after=state.head)
    assert [version["number"] for version in retain(scratch.root, 1).versions] == [3, 2]
    assert [len(event.body["runs"]) for event in journal(scratch) if event.kind == "retention"] == [1, 1]

    versions.set_stage(versions.find_version(model_of(scratch), 4).id, "production", replace=False)
    with pytest.raises(Refused, match="drift"):
        retain(scratch.root, 1)


def test_runs_that_only_read_a_version_in_production_go_and_files_that_were_there_before_zenml_stay(
    scratch: Scratch, tmp_path: Path
) -> None:
    train(scratch, 1)
    to_production(scratch, 1)
    pipeline = scratch.add("scoring", SCORING).scoring
    folders = [Path(Client().active_stack.artifact_store.path) / f"{tmp_path.name}-{run}" for run in range(3)]
    for folder in folders:
        folder.mkdir()
    reading = pipeline.with_options(model=Model(name=model_of(scratch).name, version="production"))
    runs = [reading(folder=str(folder)) for folder in folders]
    settle(scratch.project.project_slug)
    scores = [Path(artifacts_of(run)["scores"].uri) for run in runs]

    deleted = retain(scratch.root, 1)

    assert sorted(deleted.runs) == sorted(str(run.id) for run in runs[:2])
    assert deleted.versions == []
    assert [path.exists() for path in scores] == [False, False, True]
    assert all(folder.exists() for folder in folders)
    assert verify_ledger(scratch.root).violations == ()


def test_each_pipeline_keeps_its_newest_runs_and_a_version_stays_as_long_as_a_run_works_on_it(scratch: Scratch) -> None:
    train(scratch, 1)
    for _ in range(2):
        with pytest.raises(RuntimeError, match="failed"):
            scratch.module.training(rows=10)
    with pytest.raises(RuntimeError, match="failed"):
        scratch.module.training.with_options(model=Model(name=model_of(scratch).name, version=2))(rows=10)
    reading = scratch.add("reading", READING).reading
    reading.with_options(model=Model(name=model_of(scratch).name, version=2))()
    settle(scratch.project.project_slug)
    assert worked_on(scratch) == [1, 2, 3, 2, 2]

    retain(scratch.root, 1)

    assert worked_on(scratch) == [2, 2]
    assert numbers(scratch) == [2, 3], "ZenML would give the number 3 to the next version"


def test_where_nobody_has_trained_there_is_nothing_to_delete_and_at_least_one_run_is_kept(scratch: Scratch) -> None:
    assert str(retain(scratch.root, 1)) == f"nothing of {scratch.project.model_name} is to be deleted"
    with pytest.raises(UsageError, match="no model"):
        retain(scratch.root, 1, model="misspelt")
    with pytest.raises(UsageError, match="at least 1"):
        retain(scratch.root, 0)
