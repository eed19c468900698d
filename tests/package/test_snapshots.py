"""Releases to an environment without ZenML Pro: what is recorded, what is refused, and where a release runs."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Governance
from support.rendering import edit
from support.scratch import Scratch, scratch_project
from support.trained import journal
from zenml.client import Client
from zenml.enums import ExecutionStatus

from governance_core.core import Installation, Refused, file_digest, version
from governance_core.lifecycle import settle
from governance_core.lifecycle.history import summary
from governance_core.lifecycle.running import RunFailed, ended, submit
from governance_core.pipelines import submission
from governance_core.project import repository_state, worktree
from governance_core.registry import chains
from governance_core.registry.releases import Release, newest_release, record_release, releasing


@pytest.fixture
def project(scratch: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Return a project with configurations and pipelines, in its folder; what a verb sets is undone afterwards."""
    for name in ("ZENML_ACTIVE_STACK_ID", "ZENML_STAGING_STACK", "ZENML_PRODUCTION_STACK"):
        monkeypatch.setenv(name, "")
    monkeypatch.chdir(scratch.root)
    scratch.write(".gitignore", "__pycache__/\n.zen/\nbuild/\n")
    scratch.write("configs/staging.yaml", "parameters: {rows: 150}")
    scratch.write("configs/production.yaml", "parameters: {rows: 200}")
    scratch.add("pipelines", "")
    return scratch


RELEASES_OTHER = "`governance snapshot create --pipeline other --environment production` releases it\n"


def releases(scratch: Scratch) -> list[dict[str, Any]]:
    """Return what the journal says was released."""
    return [dict(event.body) for event in journal(scratch) if event.kind == "release"]


def create(governance: Governance, *options: str, environment: str = "production") -> tuple[int, str, str]:
    """Release the project's pipeline."""
    return governance("snapshot", "create", "--pipeline", "training", "--environment", environment, *options)


def test_a_release_records_what_decides_about_its_runs(project: Scratch, governance: Governance) -> None:
    project.write("uv.lock", "locked\n")
    project.commit()
    code, out, _ = create(governance, "--json")
    assert code == 0
    assert releases(project) == [json.loads(out)["release"]]
    (release,) = releases(project)
    said = f"release of commit {release['commit'][:12]} to production by trainer@example.com (unverified)"
    assert summary(journal(project)[-1]).endswith(said)
    assert release.pop("actor")["id"] == "trainer@example.com"
    assert release == {
        "environment": "production",
        "mode": "oss",
        "commit": project.git("rev-parse", "HEAD"),
        "tree": project.git("rev-parse", "HEAD^{tree}"),
        "lock": file_digest(project.root / "uv.lock"),
        "config": file_digest(project.root / "configs/production.yaml"),
        "governance": version(),
        "image": None,
        "pipelines": {"training": None},
    }


def test_what_no_commit_holds_cannot_be_released(project: Scratch, governance: Governance) -> None:
    project.write("notes.txt", "new")
    code, _, err = create(governance)
    assert (code, releases(project)) == (3, [])
    assert "dirty-tree: the working tree has changes that no commit holds" in err


def test_an_unknown_pipeline_is_named_with_those_that_exist(project: Scratch, governance: Governance) -> None:
    code, _, err = governance("snapshot", "create", "--pipeline", "trainig", "--environment", "staging")
    assert (code, err) == (2, "error: there is no governed pipeline trainig; there are: training\n")
    assert releases(project) == []


def test_a_project_without_a_package_of_pipelines_is_told_so(
    scratch: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(scratch.root)
    code, _, err = create(governance)
    assert code == 2
    assert f"src holds no package {scratch.package}.pipelines, which run.py takes pipelines from" in err


def test_a_release_to_staging_is_run_and_settled_at_once(project: Scratch, governance: Governance) -> None:
    code, out, err = create(governance, "--run", "--json", environment="staging")
    assert code == 0, err
    (run,) = json.loads(out)["runs"]
    assert run["status"] == "completed"
    found = Client().get_pipeline_run(run["id"])
    assert found.steps["load"].config.parameters == {"rows": 150}
    assert f"{project.project.project_slug}.notice-due" not in {tag.name for tag in found.tags}


def test_a_production_run_that_differs_from_the_release_is_refused(project: Scratch, governance: Governance) -> None:
    with pytest.raises(Refused, match="not-released: nothing was released to production yet; `governance snapshot"):
        submit(project.module.training, "production", project.root)
    create(governance)
    assert submit(project.module.training, "production", project.root).status == "completed"
    released = project.git("rev-parse", "HEAD")
    project.write("configs/production.yaml", "parameters: {rows: 201}")
    project.write("uv.lock", "locked\n")
    project.commit()
    project.write("notes.txt", "new")
    with pytest.raises(Refused) as refused:
        submit(project.module.training, "production", project.root)
    assert {violation.rule for violation in refused.value.violations} == {"not-released"}
    differences = [violation.message.partition(";")[0] for violation in refused.value.violations]
    assert [difference.split()[0] for difference in differences] == ["commit", "lock", "config", "the"]
    assert differences[0] == f"commit is {project.git('rev-parse', 'HEAD')}, and {released} was released"


def test_a_production_run_with_a_configuration_from_elsewhere_is_refused(
    project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    create(governance)
    monkeypatch.setenv("GOVERNANCE_ENVIRONMENT", "production")
    elsewhere = tmp_path / "production.yaml"
    elsewhere.write_text("parameters: {rows: 300}")
    before = Client().list_pipelines().total
    with pytest.raises(Refused, match="not-released: config is sha256:"):
        project.module.training.with_options(config_path=str(elsewhere))()
    with pytest.raises(Refused, match="not-released: config is None, and sha256:"):
        project.module.training()
    assert Client().list_pipelines().total == before, "nothing was registered"


def refused(pipeline: Any, project: Scratch) -> list[str]:
    """Submit for production, which is refused; return what was not released."""
    with pytest.raises(Refused) as refusal:
        submit(pipeline, "production", project.root)
    assert {violation.rule for violation in refusal.value.violations} == {"not-released"}
    return [violation.message.partition(";")[0] for violation in refusal.value.violations]


def test_the_mode_that_the_working_tree_names_does_not_switch_the_comparison_off(
    project: Scratch, governance: Governance
) -> None:
    assert create(governance)[0] == 0
    edit(project.root / "governance/project.yaml", 'snapshot_mode: "oss"', 'snapshot_mode: "pro"')
    assert refused(project.module.training, project) == ["the working tree has changes that no commit holds"]


def test_a_production_run_in_the_mode_pro_is_compared_except_where_it_becomes_the_release(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del store
    for name in ("ZENML_ACTIVE_STACK_ID", "ZENML_PRODUCTION_STACK", "GOVERNANCE_ENVIRONMENT"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("GOVERNANCE_ACTOR", "trainer@example.com")
    with scratch_project(tmp_path / "pro", snapshot_mode="pro") as scratch:
        scratch.write("configs/production.yaml", "parameters: {rows: 200}")
        scratch.commit()
        assert refused(scratch.module.training, scratch) == ["nothing was released to production yet"]
        with releasing():
            assert submit(scratch.module.training, "production", scratch.root).status == "completed"
        assert refused(scratch.module.training, scratch) == ["nothing was released to production yet"]


def test_only_the_pipelines_of_the_release_run_in_production(
    project: Scratch, governance: Governance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del sys.modules[f"{project.package}.pipelines"]
    project.write("configs/production.yaml", "")
    module = project.add("pipelines", "@governed_pipeline\ndef reading():\n    load()\n")
    assert create(governance)[0] == 0
    assert refused(module.reading, project) == ["pipeline reading is not in the release, which has training"]

    elsewhere = tmp_path / "elsewhere.py"
    elsewhere.write_text(f"from {project.package} import *\n\n@governed_pipeline\ndef training():\n    load()\n")
    ignored = project.write("src/build/ignored.py", elsewhere.read_text())
    for file in (elsewhere, ignored):
        monkeypatch.syspath_prepend(file.parent)
        pipeline = import_module(file.stem).training
        below = f"{file} is not among the files below {project.root / 'src'} that git knows"
        assert refused(pipeline, project) == [below]


def test_only_an_intact_wheel_runs_in_production(
    project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert create(governance)[0] == 0
    monkeypatch.setattr(submission, "installation", lambda: Installation("editable", version()))
    (difference,) = refused(project.module.training, project)
    assert difference == "the package governed-ml-core is editable, and no intact wheel"


def test_a_pipeline_that_zenml_knows_by_another_name_is_not_released(project: Scratch, governance: Governance) -> None:
    del sys.modules[f"{project.package}.pipelines"]
    project.add("pipelines", "@governed_pipeline(name='read')\ndef reading():\n    load()\n")
    code, _, err = governance("snapshot", "create", "--pipeline", "reading", "--environment", "production")
    assert (code, releases(project)) == (2, [])
    assert "run.py knows a pipeline as reading, and ZenML as read; what is released has one name" in err


def test_a_release_of_another_version_of_the_package_is_read(project: Scratch, governance: Governance) -> None:
    assert create(governance)[0] == 0
    (recorded,) = releases(project)
    slug = project.project.project_slug
    chains.journal(slug).record("release", {**recorded, "provenance": "sha256:1"})
    assert newest_release(slug, "production") == Release(**recorded)
    del recorded["lock"], recorded["actor"]
    chains.journal(slug).record("release", recorded)
    assert newest_release(slug, "production") == Release(**recorded, lock=None, actor=None)


def test_two_releases_at_the_same_time_are_joined(
    project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert create(governance)[0] == 0
    slug = project.project.project_slug
    former = newest_release(slug, "production")
    assert former
    append = chains.Chain.append

    def overtaken(chain: chains.Chain, *arguments: Any, **named: Any) -> Any:
        monkeypatch.setattr(chains.Chain, "append", append)
        record_release(slug, replace(former, pipelines={"monitoring": None}))
        return append(chain, *arguments, **named)

    monkeypatch.setattr(chains.Chain, "append", overtaken)
    release = record_release(slug, replace(former, pipelines={"batch_inference": None}))
    assert sorted(release.pipelines) == ["batch_inference", "monitoring", "training"]
    assert releases(project)[-1]["pipelines"] == release.pipelines


def test_nothing_is_trained_twice_from_the_same_files(project: Scratch, governance: Governance) -> None:
    arguments = ("--run", "--unless-trained", "--json")
    assert json.loads(create(governance, *arguments, environment="staging")[1])["runs"]
    again = json.loads(create(governance, *arguments, environment="staging")[1])
    assert again == {
        "said": "version 1 was trained from these files; nothing was done",
        "release": None,
        "runs": [],
    }
    project.write("notes.txt", "new")
    project.commit()
    assert json.loads(create(governance, *arguments, environment="staging")[1])["runs"]


@pytest.mark.usefixtures("project")
def test_a_run_of_what_was_never_released_is_wrong_usage_unless_it_is_allowed(governance: Governance) -> None:
    arguments = ("snapshot", "run", "--pipeline", "training", "--environment", "production")
    code, _, err = governance(*arguments)
    assert code == 2
    assert err.startswith("error: nothing was released to production yet; `governance snapshot create --pipeline")
    assert governance(*arguments, "--if-released")[:2] == (
        0,
        "nothing was released to production yet, so nothing was run\n",
    )
    code, _, err = governance("snapshot", "run", "--pipeline", "training", "--environment", "prod", "--if-released")
    assert (code, err) == (2, "error: unknown environment 'prod'; there are: local, staging, production\n")
    create(governance)
    code, _, err = governance("snapshot", "run", "--pipeline", "other", "--environment", "production")
    assert (code, err) == (
        2,
        "error: other is not in the newest release to production, which has training; " + RELEASES_OTHER,
    )


def test_what_is_checked_out_and_released_runs_in_place(project: Scratch, governance: Governance) -> None:
    create(governance)
    code, out, _ = governance("snapshot", "run", "--pipeline", "training", "--environment", "production", "--json")
    assert code == 0
    assert [run["status"] for run in json.loads(out)["runs"]] == ["completed"]
    assert not (project.root / "build").exists()


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_what_is_checked_out_and_was_edited_is_not_run_as_the_release(
    project: Scratch, governance: Governance, environment: str
) -> None:
    assert create(governance, environment=environment)[0] == 0
    project.write("notes.txt", "new")
    before = Client().list_pipeline_runs().total
    code, _, err = governance("snapshot", "run", "--pipeline", "training", "--environment", environment)
    assert (code, Client().list_pipeline_runs().total) == (3, before)
    assert f"running training in {environment}" in err
    assert "not-released: the working tree has changes that no commit holds; `governance snapshot create" in err


def test_another_commit_runs_in_a_checkout_of_its_own_whose_exit_code_is_passed_on(
    project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    project.write(
        "Makefile", f"setup:\n\ttest -z '$(BROKEN)'\n\tmkdir -p .venv/bin && ln -sf {sys.executable} .venv/bin/python\n"
    )
    project.write("run.py", "import sys\nprint(sys.argv[1:])\nsys.exit(3)\n")
    project.write(".gitignore", "__pycache__/\n.zen/\nbuild/\n.venv/\n")
    project.commit()
    released = project.git("rev-parse", "HEAD")
    create(governance)
    project.write("run.py", "raise SystemExit(0)\n")
    project.commit()

    folder = project.root / "build/releases/production" / released[:12]
    for _ in range(2):
        code, out, _ = governance("snapshot", "run", "--pipeline", "training", "--environment", "production", "--json")
        assert code == 3
        assert json.loads(out)["said"] == f"training of commit {released[:12]} ended with exit code 3"
        assert subprocess.check_output(["git", "rev-parse", "HEAD"], cwd=folder, text=True).strip() == released
    shutil.rmtree(folder)
    assert governance("snapshot", "run", "--pipeline", "training", "--environment", "production")[0] == 3
    monkeypatch.setenv("BROKEN", "yes")
    code, _, err = governance("snapshot", "run", "--pipeline", "training", "--environment", "production")
    assert code == 1
    assert f"`make setup` failed in {folder}; nothing was run" in err
    project.write(f"build/releases/production/{released[:12]}/run.py", "raise SystemExit(0)\n")
    code, _, err = governance("snapshot", "run", "--pipeline", "training", "--environment", "production")
    assert code == 3
    assert f"not-released: {folder} is not the released commit any more; delete it, and it is checked out again" in err


def test_a_checkout_that_was_killed_is_made_anew_and_those_of_former_releases_are_deleted(project: Scratch) -> None:
    first = project.git("rev-parse", "HEAD")
    folder = project.root / "build/releases/production" / first[:12]
    project.git("worktree", "add", "--quiet", "--detach", "--lock", "--reason=initializing", str(folder), first)
    (folder / ".gitignore").unlink()
    for _ in range(2):
        worktree(project.root, first, folder)
        assert repository_state(folder).clean
    shutil.rmtree(folder)
    worktree(project.root, first, folder)

    project.write("notes.txt", "new")
    project.commit()
    second = project.git("rev-parse", "HEAD")
    worktree(project.root, second, folder.with_name(second[:12]))
    assert not folder.exists()
    assert project.git("worktree", "list", "--porcelain").count("HEAD ") == 2


def test_a_shallow_clone_without_the_released_commit_is_told_how_to_get_it(
    project: Scratch, governance: Governance, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(governance)
    released = project.git("rev-parse", "HEAD")
    project.write("notes.txt", "new")
    project.commit()
    project.git("clone", "--quiet", "--depth=1", f"file://{project.root}", str(tmp_path / "shallow"))
    monkeypatch.chdir(tmp_path / "shallow")
    code, _, err = governance("snapshot", "run", "--pipeline", "training", "--environment", "production")
    assert code == 2
    assert f"does not have commit {released}; fetch the whole history (fetch-depth: 0 or" in err


def test_on_a_local_store_nothing_is_released_in_the_mode_pro(
    store: Path, tmp_path: Path, governance: Governance, monkeypatch: pytest.MonkeyPatch
) -> None:
    del store
    monkeypatch.setenv("GOVERNANCE_ACTOR", "trainer@example.com")
    with scratch_project(tmp_path / "pro", snapshot_mode="pro") as scratch:
        scratch.add("pipelines", "")
        monkeypatch.chdir(scratch.root)
        code, _, err = create(governance)
        assert releases(scratch) == []
    assert code == 2
    assert "snapshots are run by a server of ZenML Pro; this is a local store: set ZENML_STORE_URL and" in err


def test_a_release_of_the_other_mode_is_not_run(project: Scratch, governance: Governance) -> None:
    create(governance)
    edit(project.root / "governance/project.yaml", 'snapshot_mode: "oss"', 'snapshot_mode: "pro"')
    code, _, err = governance("snapshot", "run", "--pipeline", "training", "--environment", "production")
    assert code == 2
    assert "the newest release to production has the mode oss, and snapshot_mode is now pro; `governance" in err


def test_pipelines_released_one_by_one_from_one_commit_are_one_release(
    project: Scratch, governance: Governance
) -> None:
    del sys.modules[f"{project.package}.pipelines"]
    project.add("pipelines", "@governed_pipeline\ndef reading():\n    load()\n")
    create(governance)
    governance("snapshot", "create", "--pipeline", "reading", "--environment", "staging")
    governance("snapshot", "create", "--pipeline", "reading", "--environment", "production")
    assert [sorted(release["pipelines"]) for release in releases(project)] == [
        ["training"],
        ["reading"],
        ["reading", "training"],
    ]
    project.write("notes.txt", "new")
    project.commit()
    create(governance)
    assert sorted(releases(project)[-1]["pipelines"]) == ["training"]


def test_a_run_that_ended_before_its_first_step_says_why(project: Scratch) -> None:
    run = submit(project.module.training, "staging", project.root)
    assert run
    assert run.body
    run.body.status, run.body.status_reason = ExecutionStatus.FAILED, "the image is gone"
    with pytest.raises(RunFailed, match="the run of pipeline 'training' failed\nthe image is gone") as failure:
        ended(run)
    assert failure.value.exit_code == 1


def test_a_run_that_nobody_will_end_is_not_waited_for(project: Scratch, monkeypatch: pytest.MonkeyPatch) -> None:
    run = submit(project.module.training, "staging", project.root)
    assert run
    assert run.body
    run.body.status = ExecutionStatus.RUNNING
    monkeypatch.setattr(settle, "process_state", lambda _: "dead")
    with pytest.raises(RunFailed, match="is lost: nobody is running it any more"):
        ended(run)
