"""A small runner of GitHub's workflows: it follows what those of a render use, and refuses what it does not know.

What it cannot show: that a job waits for its environment's reviewers, concurrency, time limits, the machine's image.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Self

from ci.github_logins import LOGINS, log_in
from ci.github_syntax import Event, Expressions, load, words
from support.ci_project import CIProject
from support.forge import GITHUB_TOKEN, Forge
from support.rendering import git

# Keys that the runner follows, and those that change nothing where one job runs at a time; another key is refused.
WORKFLOW_KEYS = {"name", "on", "permissions", "jobs", "concurrency"}
JOB_KEYS = {
    "if",
    "needs",
    "environment",
    "env",
    "steps",
    "outputs",
    "permissions",
    "uses",
    "with",
    "runs-on",
    "timeout-minutes",
}
STEP_KEYS = {"id", "if", "env", "run", "shell", "uses", "with"}
SHELLS = {None: ["bash", "-e"], "bash": ["bash", "--noprofile", "--norc", "-eo", "pipefail"]}
# What GitHub gives a job that may be told who it is.
IDENTITY_TOKEN = {"ACTIONS_ID_TOKEN_REQUEST_URL": "https://id.example.com", "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "bearer"}
# What a path of GitHub's API asks of the job's token.
RIGHTS = {"/actions/": ("actions", "read"), "/comments": ("pull-requests", "write"), "/issues": ("issues", "write")}


@dataclass(frozen=True)
class Settings:
    """Variables and secrets of an environment, or of the repository."""

    variables: Mapping[str, str] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)


@dataclass
class JobRun:
    """What became of a job: success, failure or skipped; what its steps ran, printed and wrote."""

    result: str
    log: str = ""
    summary: str = ""
    ran: list[str] = field(default_factory=list)
    outputs: dict[str, str] = field(default_factory=dict)


class Runner:
    """Runs the workflows of a project on one machine, whose work tree is the project's folder; use it as a context.

    Args:
        project: its folder is put back at the end; its environment is the one that ``make setup`` finds.
        settings: of each environment; those of the repository under None.
        machine: the variables that a runner's machine gives every job.
    """

    def __init__(
        self,
        project: CIProject,
        forge: Forge,
        expressions: Expressions,
        settings: Mapping[str | None, Settings],
        machine: Mapping[str, str],
    ) -> None:
        self.root, self.remote, self.forge, self.expressions = project.root, project.remote, forge, expressions
        self.settings, self._machine = dict(settings), dict(machine)

    def __enter__(self) -> Self:
        self._kept = Path(tempfile.mkdtemp(dir=self.root.parent))
        for name in (".git", ".venv"):
            (self.root / name).rename(self._kept / name)
        return self

    def __exit__(self, *_: object) -> None:
        self._leave()
        for name in (".git", ".venv"):
            (self._kept / name).rename(self.root / name)
        git(self.root, "checkout", "--quiet", "--force", "main")
        git(self.root, "clean", "--quiet", "-d", "--force")
        shutil.rmtree(self._kept)

    def run(self, name: str, event: Event, done: Collection[str] = ()) -> dict[str, JobRun]:
        """Run a workflow file of the event's commit and return its jobs; not those that were done, as in a re-run."""
        workflow = self._file(name, event)
        filters, payload = workflow["on"][event.name] or {}, event.payload
        contexts: dict[str, Any] = {"github": event.github() | {"workflow": workflow["name"]}}
        if event.name == "release":
            assert payload["action"] in filters["types"]
        elif event.name == "workflow_dispatch":
            contexts["inputs"] = dict.fromkeys(filters.get("inputs", {}), "") | payload["inputs"]
        elif event.name in ("pull_request", "push"):
            branch = payload["pull_request"]["base"]["ref"] if "pull_request" in payload else event.github()["ref_name"]
            assert branch in filters["branches"]
            if "paths" in filters:
                changed = git(self.remote, "show", "--format=", "--name-only", event.sha).splitlines()
                assert any(fnmatch(path, pattern) for path in changed for pattern in filters["paths"]), changed
        return self._jobs(workflow, event, contexts, done)

    def _file(self, name: str, event: Event) -> dict[str, Any]:
        workflow = load(git(self.remote, "show", f"{event.sha}:.github/workflows/{name}"))
        _known(workflow, WORKFLOW_KEYS)
        return workflow

    def _jobs(
        self, workflow: dict[str, Any], event: Event, contexts: dict[str, Any], done: Collection[str] = ()
    ) -> dict[str, JobRun]:
        runs: dict[str, JobRun] = {}
        waiting = dict(workflow["jobs"])
        while waiting:
            name = next(name for name, job in waiting.items() if set(words(job.get("needs"))) <= runs.keys())
            job = {"permissions": workflow["permissions"]} | waiting.pop(name)
            _known(job, JOB_KEYS)
            needs = {
                need: {"result": runs[need].result, "outputs": runs[need].outputs} for need in words(job.get("needs"))
            }
            known = contexts | {"needs": needs, "vars": self._settings(None).variables}
            behind = [runs[need].result for need in _ancestors(workflow["jobs"], name)]
            if name in done:
                runs[name] = JobRun("success")
            elif not self.expressions.holds(job.get("if"), known, behind):
                runs[name] = JobRun("skipped")
            elif "uses" in job:
                inner = self._called(job, event, known)
                runs |= {f"{name}/{each}": run for each, run in inner.items()}
                runs[name] = JobRun(next((run.result for run in inner.values() if run.result == "failure"), "success"))
            else:
                runs[name] = self._job(name, job, event, known)
        return runs

    def _called(self, job: dict[str, Any], event: Event, contexts: dict[str, Any]) -> dict[str, JobRun]:
        workflow = self._file(job["uses"].removeprefix("./.github/workflows/"), event)
        declared = workflow["on"]["workflow_call"]["inputs"]
        given = self.expressions.filled(job["with"], contexts)
        assert {name for name, entry in declared.items() if entry["required"]} <= given.keys() <= declared.keys()
        for inner in workflow["jobs"].values():  # the caller's rights are the most that it can have
            assert inner["permissions"].items() <= job["permissions"].items()
        return self._jobs(workflow, event, contexts | {"inputs": given})

    def _settings(self, environment: str | None) -> Settings:
        own, shared = self.settings.get(environment, Settings()), self.settings.get(None, Settings())
        return Settings({**shared.variables, **own.variables}, {**shared.secrets, **own.secrets})

    def _job(self, name: str, job: dict[str, Any], event: Event, contexts: dict[str, Any]) -> JobRun:
        self._leave()
        settings = self._settings(job.get("environment"))
        contexts = contexts | {
            "github": contexts["github"] | {"token": GITHUB_TOKEN, "job": name},
            "secrets": {} if event.from_fork else dict(settings.secrets),
            "vars": dict(settings.variables),
        }
        asked = len(self.forge.requests)
        with tempfile.TemporaryDirectory(prefix="runner-") as folder:
            steps = Steps(self, event, contexts, Path(folder))
            if job["permissions"].get("id-token") == "write" and not event.from_fork:
                steps.environment |= IDENTITY_TOKEN
            steps.run(job["steps"], self.expressions.filled(job.get("env", {}), contexts))
            outputs = self.expressions.filled(job.get("outputs", {}), {"steps": steps.outputs})
            done = JobRun(
                steps.result, steps.log, (Path(folder) / "GITHUB_STEP_SUMMARY").read_text(), steps.ran, outputs
            )
        for method, path in self.forge.requests[asked:]:
            scope, right = next(needed for part, needed in RIGHTS.items() if part in path)
            given = None if event.from_fork and right == "write" else job["permissions"].get(scope)
            assert given in (right, "write"), (
                f"the token of {name} may not {method} {path}: it has {job['permissions']}"
            )
        return done

    def _leave(self) -> None:
        """Take away the repository and the environment of the job before; its files are the checkout's to clean."""
        shutil.rmtree(self.root / ".git", ignore_errors=True)
        if (self.root / ".venv").exists():
            (self.root / ".venv").rename(self._kept / ".venv")

    def checkout(self, options: Mapping[str, str], event: Event, _: dict[str, str]) -> None:
        """Fetch as actions/checkout does: the commit alone, or with ``fetch-depth: 0`` every branch and tag."""
        assert options.keys() <= {"ref", "fetch-depth", "persist-credentials"}
        assert options.get("ref", event.sha) == event.sha
        assert options["persist-credentials"] == "false", "each later step could read the token from git's settings"
        wanted = ["--depth=1", "--no-tags", "origin"]
        if options.get("fetch-depth") == "0":
            wanted = ["--tags", "origin", "+refs/heads/*:refs/remotes/origin/*"]
        git(self.root, "init", "--quiet")
        git(self.root, "remote", "add", "origin", self.remote.as_uri())
        git(self.root, "fetch", "--quiet", *wanted, f"+{event.ref}:refs/fetched")
        if "ref" not in options and event.ref.startswith("refs/heads/"):
            # Where the branch has moved on the action fetches the event's commit in its place.
            git(self.root, "update-ref", event.ref.replace("heads", "remotes/origin", 1), event.sha)
        # A file that is there already stays: uv would build the project again for one that is newer.
        git(self.root, "read-tree", event.sha)
        git(self.root, "update-index", "-q", "--refresh")
        git(self.root, "checkout", "--quiet", "--force", "--detach", event.sha)
        git(self.root, "clean", "--quiet", "-d", "-x", "--force")

    def setup_uv(self, options: Mapping[str, str], _: Event, environment: dict[str, str]) -> None:
        """Activate the environment, which is there already; uv is on the machine's PATH."""
        assert options.keys() <= {"activate-environment", "enable-cache"}
        assert options["activate-environment"] == "true"
        (self._kept / ".venv").rename(self.root / ".venv")
        environment["VIRTUAL_ENV"] = str(self.root / ".venv")
        environment["PATH"] = f"{self.root / '.venv/bin'}{os.pathsep}{environment['PATH']}"

    def machine(self, github: Mapping[str, Any]) -> dict[str, str]:
        """Return the variables that the steps of a job begin with."""
        named = {name: str(value) for name, value in github.items() if name not in ("event", "token")}
        return {
            **self._machine,
            **{f"GITHUB_{name.upper()}": value for name, value in named.items()},
            "CI": "true",
            "GITHUB_ACTIONS": "true",
            "GITHUB_API_URL": self.forge.url,
            "GITHUB_SERVER_URL": "https://github.example.com",
            "GITHUB_WORKSPACE": str(self.root),
        }


class Steps:
    """The steps of a job, and of the local actions that they use."""

    def __init__(self, runner: Runner, event: Event, contexts: dict[str, Any], folder: Path) -> None:
        self.result, self.log = "success", ""
        self.ran: list[str] = []
        self.outputs: dict[str, dict[str, Any]] = {}
        self._runner, self._event, self._contexts, self._folder = runner, event, contexts, folder
        self.environment = {"ZENML_CONFIG_PATH": str(folder / "zenml")} | runner.machine(contexts["github"])
        for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY", "GITHUB_EVENT_PATH"):
            (folder / name).write_text(json.dumps(event.payload) if name == "GITHUB_EVENT_PATH" else "")
            self.environment[name] = str(folder / name)

    def run(self, steps: list[dict[str, Any]], env: Mapping[str, str], inputs: Mapping[str, str] | None = None) -> None:
        """Run steps behind each other, each if its condition holds; a failure fails the job.

        The ``inputs`` are those of the local action that the steps belong to, which sees no ``vars``.
        """
        expressions = self._runner.expressions
        for step in steps:
            _known(step, STEP_KEYS)
            contexts = self._contexts | {"env": env, "steps": self.outputs}
            if inputs is not None:
                hidden = ("secrets", "vars")
                contexts = {name: value for name, value in contexts.items() if name not in hidden} | {"inputs": inputs}
            if not expressions.holds(step.get("if"), contexts, [self.result]):
                continue
            own = {**env, **expressions.filled(step.get("env", {}), contexts)}
            if "run" in step:
                self._shell(expressions.fill(step["run"], contexts), step.get("shell"), own)
            else:
                self._use(step["uses"], expressions.filled(step.get("with", {}), contexts), own)
            written = self._written("GITHUB_OUTPUT")
            if "id" in step:
                self.outputs[step["id"]] = {"outputs": written}

    def _use(self, action: str, options: Mapping[str, str], env: Mapping[str, str]) -> None:
        fakes: dict[str, Callable[..., None]] = {
            "actions/checkout": self._runner.checkout,
            "astral-sh/setup-uv": self._runner.setup_uv,
        }
        if action.startswith("./"):
            local = load((self._runner.root / action / "action.yml").read_text(encoding="utf-8"))
            assert local["runs"]["using"] == "composite"
            assert options.keys() == local.get("inputs", {}).keys(), f"{action} is given {sorted(options)}"
            self.run(local["runs"]["steps"], env, options)
        elif (fake := fakes.get(action.partition("@")[0])) is not None:
            fake(options, self._event, self.environment)
        elif (name := action.partition("@")[0]) in LOGINS:
            log_in(name, options, self.environment, self._runner.root)
        else:
            raise LookupError(f"the runner does not know the action {action}")

    def _shell(self, script: str, shell: str | None, env: Mapping[str, str]) -> None:
        file = self._folder / "script.sh"
        file.write_text(script, encoding="utf-8")
        self.ran.append(script)
        done = subprocess.run(
            [*SHELLS[shell], file],
            cwd=self._runner.root,
            env=self.environment | dict(env),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            check=False,
        )
        self.log += f"$ {script}\n{done.stdout}"
        if done.returncode:
            self.result, self.log = "failure", f"{self.log}exit code {done.returncode}\n"
        self.environment |= self._written("GITHUB_ENV")
        for path in (self._folder / "GITHUB_PATH").read_text(encoding="utf-8").splitlines():
            self.environment["PATH"] = f"{path}{os.pathsep}{self.environment['PATH']}"
        (self._folder / "GITHUB_PATH").write_text("")

    def _written(self, name: str) -> dict[str, str]:
        """Return what a step wrote into one of GitHub's files, as ``name=value`` or between marks, and empty it."""
        file = self._folder / name
        form = r"^([\w-]+)(?:=(.*)|<<(.+)\n((?s:.*?)\n)??\3)$"
        found = {
            each[1]: each[2] or (each[4] or "").removesuffix("\n") for each in re.finditer(form, file.read_text(), re.M)
        }
        file.write_text("")
        return found


def _ancestors(jobs: dict[str, Any], name: str) -> set[str]:
    needed = set(words(jobs[name].get("needs")))
    return needed.union(*(_ancestors(jobs, need) for need in needed))


def _known(given: Mapping[str, Any], keys: set[str]) -> None:
    assert given.keys() <= keys, f"the runner does not know {sorted(given.keys() - keys)}"
