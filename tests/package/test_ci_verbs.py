"""The verbs that CI jobs run: what is promoted, whether a tag is on main, and what is reported where."""

from __future__ import annotations

import json
import subprocess
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from support.command_line import Governance
from support.forge import CHANGE_REQUEST, Enter, Forge
from support.scratch import Scratch
from support.trained import execute, journal, model_of
from zenml.client import Client

from governance_core.lifecycle.eligibility import eligible
from governance_core.lifecycle.promotion import promote
from governance_core.pipelines.submission import project_policy
from governance_core.project import is_on_branch
from governance_core.registry.runs import newest_submitted

MONITORING = """
from zenml import Model
from governance_core.steps import detect_drift

@step
def moved(data: pd.DataFrame, shift: int) -> Annotated[pd.DataFrame, "moved"]:
    return data + shift

@governed_pipeline(model=Model(name=__name__.partition(".")[0], version=1))
def monitoring(shift: int = 0):
    detect_drift(features(load(120)), features(moved(load(120), shift)))
"""


@pytest.fixture
def project(trained: Scratch, monkeypatch: pytest.MonkeyPatch) -> Scratch:
    """Versions 1 to 3 of one commit, which is checked out."""
    monkeypatch.chdir(trained.root)
    return trained


class TestThisTree:
    PROMOTE = ("promote", "--to-stage", "staging", "--this-tree")

    def test_the_newest_version_of_the_tree_goes_to_staging(self, project: Scratch, governance: Governance) -> None:
        project.git("checkout", "--quiet", "--detach")
        project.git("commit", "--quiet", "--amend", "--allow-empty", "--message", "squashed")  # the same tree
        code, out, _ = governance(*self.PROMOTE, "--json")
        assert (code, json.loads(out)["version"]["number"]) == (0, 3)

    def test_a_tree_that_was_reverted_to_is_trained_again_where_its_version_is_in_production(
        self, project: Scratch, governance: Governance
    ) -> None:
        policy = project_policy(project.root, project.project, "staging")
        tree = project.git("rev-parse", "HEAD^{tree}")
        for number in (1, 2, 3):
            promote(project.root, "staging", version=number)
            promote(project.root, "production", version=number, force=True)
        assert list(eligible(model_of(project), "staging", policy, project.root, tree)) == []
        code, _, err = governance(*self.PROMOTE, "--force")
        assert (code, "nothing-eligible" in err) == (3, True)
        [running] = eligible(model_of(project), "production", policy, project.root, tree)
        assert running.number == 3

    def test_versions_of_other_trees_are_not_even_judged(
        self, project: Scratch, governance: Governance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from governance_core.lifecycle import eligibility

        monkeypatch.setattr(eligibility, "judge", lambda *_: pytest.fail("judged a version of another tree"))
        project.write("src/more.py", "")
        project.commit()
        code, _, err = governance(*self.PROMOTE)
        assert code == 3
        assert f"nothing-eligible: no version of {project.project.model_name} that was trained from the tree" in err
        assert project.git("rev-parse", "HEAD^{tree}") in err

    def test_the_job_of_an_older_merge_does_not_take_staging_back(
        self, project: Scratch, governance: Governance, request: pytest.FixtureRequest
    ) -> None:
        def fetched(branch: str, commit: str) -> None:
            project.git("update-ref", f"refs/remotes/origin/{branch}", commit)

        for branch in ("main", "staging"):
            request.addfinalizer(partial(project.git, "update-ref", "-d", f"refs/remotes/origin/{branch}"))
        older = project.git("rev-parse", "HEAD")
        fetched("main", older)
        assert governance(*self.PROMOTE, "--dry-run")[0] == 0
        project.write("src/more.py", "")
        project.commit()
        fetched("main", "HEAD")
        project.git("reset", "--quiet", "--hard", older)
        before = len(journal(project))
        code, _, err = governance(*self.PROMOTE, "--force")
        assert (code, len(journal(project))) == (4, before)
        assert f"origin/main has moved on since {older[:12]}; nothing was changed, the job of its newest commit" in err

        fetched("staging", older)
        assert governance(*self.PROMOTE, "--dry-run")[0] == 0
        project.git("commit", "--quiet", "--allow-empty", "--message", "merged by nobody yet")
        fetched("staging", older)
        assert governance(*self.PROMOTE)[0] == 0

    def test_evidence_that_somebody_typed_makes_no_version_one_of_the_tree(
        self, project: Scratch, governance: Governance
    ) -> None:
        from governance_core.registry import chains

        project.write("src/more.py", "")
        project.commit()
        typed = json.loads(json.dumps(journal(project)[-1].body))
        typed["submission"]["repository"]["tree"] = project.git("rev-parse", "HEAD^{tree}")
        chains.journal(project.project.project_slug).record("evidence", typed)
        assert governance(*self.PROMOTE)[0] == 3

    @pytest.mark.parametrize("other", [("--version", "1"), ("--from-stage", "staging"), ("--to-stage", "production")])
    def test_it_chooses_by_itself(self, project: Scratch, governance: Governance, other: tuple[str, str]) -> None:
        del project
        code, _, err = governance(*self.PROMOTE, *other)
        assert code == 2
        assert "--this-tree" in err


class TestBranch:
    @pytest.fixture
    def clone(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A clone of a project whose tag v1.0.0 is on main; v1.1.0 is on a branch that was not merged."""
        origin = tmp_path / "origin"
        (origin / "governance").mkdir(parents=True)
        (origin / "governance/project.yaml").touch()
        for name in ("GIT_AUTHOR_NAME", "GIT_AUTHOR_EMAIL", "GIT_COMMITTER_NAME", "GIT_COMMITTER_EMAIL"):
            monkeypatch.setenv(name, "team@example.com")
        git(origin, "init", "--quiet", "--initial-branch=main")
        git(origin, "add", "--all")
        git(origin, "commit", "--quiet", "--message", "first")
        git(origin, "tag", "v1.0.0")
        git(origin, "commit", "--quiet", "--allow-empty", "--message", "second")
        git(origin, "checkout", "--quiet", "-b", "aside", "v1.0.0")
        git(origin, "commit", "--quiet", "--allow-empty", "--message", "not merged")
        git(origin, "tag", "v1.1.0")
        git(tmp_path, "clone", "--quiet", origin.as_uri(), "clone")
        monkeypatch.chdir(tmp_path / "clone")
        return tmp_path / "clone"

    def test_a_tag_on_main_is_told_from_one_aside(self, clone: Path) -> None:
        git(clone, "checkout", "--quiet", "v1.0.0")
        assert is_on_branch(clone, "main")
        git(clone, "checkout", "--quiet", "v1.1.0")
        assert not is_on_branch(clone, "main")
        git(clone, "branch", "--force", "main")  # a branch of ours says nothing where there is an origin
        assert not is_on_branch(clone, "main")
        git(clone, "remote", "remove", "origin")
        assert is_on_branch(clone, "main")

    def test_what_cannot_be_told_is_wrong_usage(self, clone: Path, governance: Governance) -> None:
        git(clone, "checkout", "--quiet", "v1.1.0")
        git(clone, "update-ref", "-d", "refs/remotes/origin/main")
        code, _, err = governance("check", "--branch", "main")
        assert code == 2
        assert "git fetch origin +refs/heads/main:refs/remotes/origin/main" in err
        git(clone, "fetch", "--quiet", "--depth", "1", "origin", "+refs/heads/main:refs/remotes/origin/main")
        code, _, err = governance("check", "--branch", "main")
        assert code == 2
        assert "fetch-depth: 0" in err

    def test_the_verb_finds_what_is_not_on_the_branch(self, project: Scratch, governance: Governance) -> None:
        project.git("branch", "behind", "HEAD")
        project.write("src/more.py", "")
        project.commit()
        code, out, _ = governance("check", "--branch", "behind", "--json")
        project.git("branch", "--delete", "--force", "behind")
        assert code == 3
        assert "not-on-branch" in [found["rule"] for found in json.loads(out)["findings"]]


class TestTrainingReport:
    COMMENT = ("report", "training", "--comment")

    def test_the_run_of_this_commit_is_one_comment_that_is_updated(
        self, scratch: Scratch, forge: Forge, enter: Enter, governance: Governance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(scratch.root)
        summary = scratch.root.parent / "summary"
        enter("github", CHANGE_REQUEST, GITHUB_STEP_SUMMARY=str(summary))
        code, out, _ = governance(*self.COMMENT, "--json")
        assert (code, json.loads(out)["report"]) == (0, None)
        [comment] = forge.comments
        assert "nothing was trained" in comment

        scratch.module.training()
        scratch.git("commit", "--quiet", "--amend", "--message", "merged anew")  # as Jenkins does: the same tree
        assert governance(*self.COMMENT)[0] == 0
        [comment] = forge.comments
        assert f"{scratch.project.model_name} version 1" in comment
        assert "| evaluate_model | accuracy | 1 |" in comment
        assert "[CI run](https://github.example.com/acme/tumours/actions/runs/4711)" in comment
        assert summary.read_text().endswith(comment.partition("\n")[2])

        with pytest.raises(RuntimeError):
            scratch.module.training(rows=10)
        assert governance(*self.COMMENT)[0] == 0
        [comment] = forge.comments
        assert "rows = 10 must be at least 100" in comment
        assert "cannot be promoted" in comment

        scratch.write("src/more.py", "")
        scratch.commit()
        assert governance(*self.COMMENT)[0] == 0
        assert "nothing was trained" in forge.comments[0]

    def test_a_pipeline_is_looked_for_by_its_whole_name(self, project: Scratch, governance: Governance) -> None:
        model = project.project.model_name
        assert newest_submitted("training", model, lambda _: True)
        assert newest_submitted("contains:train", model, lambda _: True) is None
        assert governance("report", "training")[0] == 0
        code, _, err = governance("report", "training", "--pipeline", "contains:train")
        assert (code, f"pipeline contains:train has not worked on model {model} yet" in err) == (2, True)

    def test_without_a_change_request_there_is_nothing_to_comment_on(
        self, project: Scratch, enter: Enter, governance: Governance
    ) -> None:
        del project
        enter("gitlab")
        code, _, err = governance(*self.COMMENT)
        assert code == 2
        assert "not about a change request" in err


class TestMonitoringReport:
    REPORT = ("report", "monitoring", "--issue")

    @pytest.fixture
    def watched(self, scratch: Scratch, monkeypatch: pytest.MonkeyPatch, enter: Enter) -> Any:
        """A monitoring pipeline that was released to production, in a job of GitLab's."""
        from governance_core.pipelines.submission import collect
        from governance_core.registry.releases import Release, record_release

        monkeypatch.setenv("GOVERNANCE_ENVIRONMENT", "production")
        monkeypatch.chdir(scratch.root)
        Client().create_model_version(Client().create_model(scratch.project.model_name).id)
        module = scratch.add("watch", MONITORING)
        record_release(scratch.project.project_slug, Release.of(collect(scratch.root, None), {"monitoring": None}))
        enter("gitlab")
        return module.monitoring

    def test_before_the_first_run_there_is_nothing_to_report(
        self, project: Scratch, forge: Forge, enter: Enter, governance: Governance
    ) -> None:
        del project
        enter("gitlab")
        assert governance(*self.REPORT, "--pipeline", "of-nobody")[:2] == (0, "no monitoring run yet\n")
        assert forge.requests == []

    def test_drift_opens_one_issue_and_no_second_one(self, watched: Any, forge: Forge, governance: Governance) -> None:
        watched(shift=0)
        code, out, _ = governance(*self.REPORT)
        assert code == 0
        assert "nothing to report" in out
        assert forge.requests == []

        watched(shift=9)
        for _ in range(2):
            assert governance(*self.REPORT)[0] == 0
        [issue] = forge.open_issues
        assert "step detect_drift: drift_score = 1.0 must be at most 0.3" in issue.text
        assert "| detect_drift | 1 | 0.3 | x |" in issue.text
        assert "[CI run](https://gitlab.example.com/acme/tumours/-/jobs/815)" in issue.text
        code, out, _ = governance("report", "monitoring", "--json")
        [drift] = json.loads(out)["report"]["drift"]
        assert drift == {"step": "detect_drift", "score": 1.0, "limit": 0.3, "columns": ["x"]}

    def test_a_run_that_failed_or_was_lost_is_reported(
        self, watched: Any, forge: Forge, governance: Governance, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        from governance_core.reports import monitoring

        run = watched(shift=0)
        execute("UPDATE pipeline_run SET status = 'running' WHERE id = :id", id=run.id.hex)
        monkeypatch.setattr(monitoring, "is_lost", lambda _: False)
        assert "is **running**; nothing to report" in governance(*self.REPORT)[1]
        monkeypatch.setattr(monitoring, "is_lost", lambda _: True)
        assert governance(*self.REPORT)[0] == 0
        assert "nobody is running it any more" in forge.open_issues[0].text
        execute("UPDATE pipeline_run SET status = 'failed' WHERE id = :id", id=run.id.hex)
        assert governance(*self.REPORT)[0] == 0
        [issue] = forge.open_issues
        assert "is **failed**; somebody should look" in issue.text
        assert Client().get_pipeline_run(run.id).status == "failed"


def git(root: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=root, check=True, capture_output=True)
