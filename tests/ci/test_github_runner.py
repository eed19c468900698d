"""The runner of GitHub's workflows follows what the render's workflows use, and refuses what it does not know."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ci.github_runner import JobRun, Runner, Settings
from ci.github_syntax import Event, Expressions
from support.ci_project import CIProject
from support.forge import Forge
from support.rendering import commit_all, git

CHECKOUT = "{uses: actions/checkout@v7, with: {persist-credentials: false}}"


@pytest.fixture(scope="module")
def expressions() -> Iterator[Expressions]:
    with Expressions() as evaluator:
        yield evaluator


def run(tmp_path: Path, expressions: Expressions, jobs: str) -> dict[str, JobRun]:
    """Run jobs that a push to main starts."""
    root, remote = tmp_path / "project", tmp_path / "project.git"
    (root / ".github/workflows").mkdir(parents=True)
    workflow = f"name: W\non: {{push: {{branches: [main]}}}}\npermissions: {{contents: read}}\njobs:\n{jobs}"
    (root / ".github/workflows/w.yml").write_text(workflow, encoding="utf-8")
    git(root, "init", "--quiet", "--initial-branch=main")
    sha = commit_all(root, "Start")
    git(root, "clone", "--quiet", "--bare", str(root), str(remote))
    (root / ".venv").mkdir()
    settings = {
        None: Settings({"WHERE": "anywhere"}, {"SECRET": "of-the-repository"}),
        "here": Settings({"WHERE": "here"}, {"SECRET": "of-here"}),
    }
    with (
        Forge() as forge,
        Runner(CIProject(root, remote), forge, expressions, settings, {"PATH": os.environ["PATH"]}) as runner,
    ):
        return runner.run("w.yml", Event("push", "refs/heads/main", sha))


def test_outputs_variables_and_summaries_reach_who_reads_them(tmp_path: Path, expressions: Expressions) -> None:
    runs = run(
        tmp_path,
        expressions,
        """
  first:
    runs-on: ubuntu-latest
    environment: here
    outputs: {said: "${{ steps.say.outputs.said }}", long: "${{ steps.say.outputs.long }}"}
    env: {JOB: "${{ vars.WHERE }} ${{ secrets.SECRET }}"}
    steps:
      - id: say
        run: |
          printf 'said=one=1\\nlong<<END\\na\\nb\\nEND\\n' >> "$GITHUB_OUTPUT"
          echo "LATER=$JOB" >> "$GITHUB_ENV"
          mkdir -p bin; printf '#!/bin/sh\\necho found' > bin/tool; chmod +x bin/tool; echo "$PWD/bin" >> "$GITHUB_PATH"
          echo told >> "$GITHUB_STEP_SUMMARY"
      - run: echo "$LATER"; tool
  second:
    needs: first
    if: needs.first.outputs.said == 'one=1' && github.ref_name == 'main'
    runs-on: ubuntu-latest
    steps:
      - run: echo "$LONG" "${LATER-nothing} left"
        env: {LONG: "${{ needs.first.outputs.long }}"}
""",
    )
    assert runs["first"].log.endswith("here of-here\nfound\n")
    assert runs["first"].summary == "told\n"
    assert runs["second"].log.endswith("a\nb nothing left\n")


def test_conditions_and_results_are_githubs(tmp_path: Path, expressions: Expressions) -> None:
    job = "runs-on: ubuntu-latest"
    anyway = "${{ !cancelled() && needs.behind.result == 'skipped' }}"
    runs = run(
        tmp_path,
        expressions,
        f"""
  fails:
    {job}
    steps: [{{run: echo no | cat nowhere, shell: bash}}, {{run: echo later}}, {{run: echo mourn, if: failure()}}]
  behind: {{{job}, needs: fails, steps: [{{run: echo}}]}}
  mourns: {{{job}, needs: fails, if: failure(), steps: [{{run: echo}}]}}
  further: {{{job}, needs: mourns, steps: [{{run: echo}}]}}
  anyway: {{{job}, needs: behind, if: "{anyway}", steps: [{{run: echo}}]}}
""",
    )
    assert {name: each.result for name, each in runs.items()} == {
        "fails": "failure",
        "behind": "skipped",
        "mourns": "success",
        "further": "skipped",
        "anyway": "success",
    }
    assert runs["fails"].ran == ["echo no | cat nowhere", "echo mourn"]


@pytest.mark.parametrize(
    ("steps", "refused"),
    [
        ("[{uses: somebody/action@v1}]", "does not know the action somebody/action@v1"),
        ("[{run: echo, continue-on-error: true}]", "does not know ['continue-on-error']"),
        ("[{uses: actions/checkout@v7, with: {persist-credentials: true}}]", "could read the token"),
        ("[{run: echo, if: gthub.ref == 'x'}]", "Unrecognized named-value: 'gthub'"),
        ("[{run: echo, shell: pwsh}]", "pwsh"),
        ("[{uses: ./.github/actions/setup}]", "action.yml"),
    ],
)
def test_what_the_runner_does_not_know_is_refused(
    steps: str, refused: str, tmp_path: Path, expressions: Expressions
) -> None:
    with pytest.raises((AssertionError, LookupError, OSError, ValueError)) as found:
        run(tmp_path, expressions, f"  job: {{runs-on: ubuntu-latest, steps: {steps}}}\n")
    assert refused in str(found.value)
