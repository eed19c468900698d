"""Builds of a Jenkinsfile in the order in which Jenkins' own ModelInterpreter makes them, without a Jenkins.

`tests/ci/jenkins/declarative.groovy` reads the file for a build and refuses what it does not know; the shell steps are
really run. Not Jenkins: stages that are parallel run one after another, nothing is checked out, and there are no queue,
locks, time limits, plugins or sandbox.
"""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from string import Template
from tempfile import TemporaryDirectory
from typing import Any

from support.node import module
from support.rendering import ROOT
from support.servers import program

Model = dict[str, Any]
Shell = Callable[[str, Mapping[str, str]], tuple[int, str]]
RANKS = ("SUCCESS", "FAILURE", "ABORTED")  # the worst is the last
# Starts twice as fast: the process lives for seconds.
JAVA_OPTIONS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Dgroovy.target.indy=false")


@dataclass(frozen=True)
class Event:
    """What a build is of: the variables that a multibranch pipeline sets, the parameters given, the files changed."""

    env: Mapping[str, str]
    params: Mapping[str, str] = field(default_factory=dict)
    changed: tuple[str, ...] = ()


def read(builds: Iterable[tuple[Path, Event]]) -> list[Model]:
    """Return what Jenkins makes of each file in a build of each event, or ``{"error": ...}`` where it refuses the file.

    Reads all of them in one process, which takes 3 CPU seconds to start.
    """
    jars = sorted(Path(module("npm-groovy-lint/lib/java/groovy/lib")).glob("groovy-*4.*.jar"))
    command = [program("java"), *JAVA_OPTIONS, "-cp", os.pathsep.join(map(str, jars)), "groovy.ui.GroovyMain"]
    asked = [
        {"file": str(file), "env": dict(event.env), "params": dict(event.params), "changed": event.changed}
        for file, event in builds
    ]
    done = subprocess.run(
        [*command, str(ROOT / "tests/ci/jenkins/declarative.groovy")],
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    models: list[Model] = json.loads(done.stdout)
    return models


def shell(workspace: Path, script: str, env: Mapping[str, str]) -> tuple[int, str]:
    """Run a script as the step `sh` does and return its exit code and what it printed."""
    done = subprocess.run(
        ["sh", "-xe", "-c", script],
        cwd=workspace,
        env=dict(env),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return done.returncode, done.stdout


@dataclass
class Build:
    """How a build went.

    ``stages`` holds what became of each stage: SUCCESS, FAILURE, ABORTED or SKIPPED. ``log`` is what Jenkins shows of
    it: the secrets that were bound are masked, which ``unmasked`` does without. ``shells`` are the scripts that ran,
    with their environments.
    """

    result: str = "SUCCESS"
    stages: dict[str, str] = field(default_factory=dict)
    log: str = ""
    unmasked: str = field(default="", repr=False)
    shells: list[tuple[str, Mapping[str, str]]] = field(default_factory=list, repr=False)

    @property
    def ran(self) -> list[str]:
        """The stages that ran, whatever came out."""
        return [name for name, status in self.stages.items() if status != "SKIPPED"]


class Jenkins:
    """A folder of Jenkins' and an agent.

    Args:
        workspace: returns the folder of one `agent`, which Jenkins would check out afresh.
        machine: the variables of the agent's machine, and those that Jenkins sets.
        properties: the variables of the folder, which stages with the option `withFolderProperties` get.
        credentials: the secret texts of the folder, by their ids.
        shell: runs a script with an environment and returns its exit code and output, as `shell` does; raises
            TimeoutError where its time is over.
        id_tokens: what the OpenID Connect Provider plugin signs for the credentials of its kind, by their ids; each is
            bound as the path of a file, which is there while the block runs that it is bound for.
    """

    def __init__(
        self,
        workspace: Callable[[], Path],
        machine: Mapping[str, str],
        properties: Mapping[str, str],
        credentials: Mapping[str, str],
        shell: Shell,
        *,
        id_tokens: Mapping[str, str] | None = None,
    ) -> None:
        self.workspace, self.machine, self.properties, self.credentials = workspace, machine, properties, credentials
        self.shell, self.id_tokens = shell, id_tokens or {}

    def build(self, model: Model, event: Event, approvers: Iterable[str] = ()) -> Build:
        """Build an event.

        Args:
            model: what the file says for this event, of `read`.
            event: what is built.
            approvers: who answers the `input` of each stage that asks, in turn; nobody aborts the build.
        """
        assert "error" not in model, model["error"]
        given = {name: definition.get("defaultValue", "") for name, definition in model["parameters"].items()}
        given |= {name: kind["choices"][0] for name, kind in model["parameters"].items() if kind["kind"] == "choice"}
        env = {**self.machine, **given, **event.params, **event.env}
        return _Running(self, iter(approvers)).pipeline(model, env)


class _StageError(Exception):
    status = "FAILURE"


class _AbortError(_StageError):
    status = "ABORTED"


class _Running:
    def __init__(self, jenkins: Jenkins, approvers: Iterator[str]) -> None:
        self._jenkins, self._approvers = jenkins, approvers
        self._bound: set[str] = set()
        self._build = Build()
        self._marked: str | None = None  # what catchError makes of the stage that runs

    def pipeline(self, model: Model, env: Mapping[str, str]) -> Build:
        try:
            self._stages(model["stages"], self._on(model["agent"], env))
        except _StageError as error:
            self._worsen(error.status)
        self._build.unmasked = self._build.log
        for secret in self._bound:
            self._build.log = self._build.log.replace(secret, "****")
        return self._build

    def _stages(self, stages: list[Model], env: Mapping[str, str], parallel: bool = False) -> None:
        error: _StageError | None = None
        for stage in stages:
            if error and not parallel:
                self._skip(stage)
                continue
            self._build.stages[stage["name"]] = "SUCCESS"
            try:
                self._stage(stage, env)
                if self._marked:
                    self._build.stages[stage["name"]], self._marked = self._marked, None
            except _StageError as failure:
                self._build.stages[stage["name"]] = failure.status
                error = error or failure
        if error:
            raise error

    def _stage(self, stage: Model, env: Mapping[str, str]) -> None:
        if any(option["option"] == "withFolderProperties" for option in stage["options"]):
            env = {**env, **self._jenkins.properties}
        when = stage["when"] or {"before": [], "holds": True}
        if when["holds"] or "input" not in when["before"]:
            env = self._asked(stage["input"], env)
        if when["holds"]:
            with ExitStack() as files:
                self._inside(stage, self._bind(stage["environment"], self._on(stage["agent"], env), files))
        else:
            self._skip(stage)

    def _inside(self, stage: Model, env: Mapping[str, str]) -> None:
        error: _StageError | None = None
        try:
            self._stages(stage["stages"], env, stage["parallel"])
            self._steps(stage["steps"], env)
        except _StageError as failure:
            error = failure
        if error or self._build.result != "SUCCESS":
            try:
                self._steps(stage["post"].get("unsuccessful", []), env)
            except _StageError as failure:
                error = error or failure
        if error:
            raise error

    def _worsen(self, status: str) -> None:
        self._build.result = max(self._build.result, status, key=RANKS.index)

    def _skip(self, stage: Model) -> None:
        self._build.stages[stage["name"]] = "SKIPPED"
        for nested in stage["stages"]:
            self._skip(nested)

    def _asked(self, question: Model | None, env: Mapping[str, str]) -> Mapping[str, str]:
        if question is None:
            return env
        self._say(question["message"])
        approver = next(self._approvers, None)
        if approver is None:
            raise _AbortError
        return {**env, question["submitterParameter"]: approver} if "submitterParameter" in question else env

    def _on(self, agent: str | None, env: Mapping[str, str]) -> Mapping[str, str]:
        if agent in (None, "none"):
            return env
        workspace = str(self._jenkins.workspace())
        return {**env, "WORKSPACE": workspace, "WORKSPACE_TMP": f"{workspace}@tmp"}

    def _bind(self, environment: list[dict[str, str]], env: Mapping[str, str], files: ExitStack) -> Mapping[str, str]:
        """Credentials come first; then each value may refer to what is there already."""
        bound = {it["name"]: it["credentials"] for it in environment if "credentials" in it}
        env = {**env, **{name: self._id_token(it, files) or self._secret(it) for name, it in bound.items()}}
        for entry in environment:
            if "value" in entry:
                env = {**env, entry["name"]: Template(entry["value"]).substitute(env)}
        return env

    def _id_token(self, identifier: str, files: ExitStack) -> str | None:
        if identifier not in self._jenkins.id_tokens:
            return None
        self._bound.add(self._jenkins.id_tokens[identifier])
        file = Path(files.enter_context(TemporaryDirectory(prefix="secretFiles-")), "id_token")
        file.write_text(self._jenkins.id_tokens[identifier], encoding="utf-8")
        return str(file)

    def _secret(self, identifier: str) -> str:
        if identifier not in self._jenkins.credentials:
            self._say(f"ERROR: Could not find credentials entry with ID '{identifier}'")
            raise _StageError
        self._bound.add(self._jenkins.credentials[identifier])
        return self._jenkins.credentials[identifier]

    def _steps(self, steps: list[Model], env: Mapping[str, str]) -> None:
        for step in steps:
            match step["step"]:
                case "echo":
                    self._say(step["given"])
                case "lock" | "timeout":
                    self._steps(step["steps"], env)
                case "catchError":
                    try:
                        self._steps(step["steps"], env)
                    except _StageError as error:
                        self._say(f"ERROR: {error.status}")
                        self._worsen(error.status)
                        self._marked = max(step["given"].get("stageResult", "SUCCESS"), error.status, key=RANKS.index)
                case "withCredentials":
                    bound = {binding["variable"]: self._secret(binding["credentialsId"]) for binding in step["given"]}
                    self._steps(step["steps"], {**env, **bound})
                case "sh":
                    self._build.shells.append((step["given"], env))
                    try:
                        code, output = self._jenkins.shell(step["given"], env)
                    except TimeoutError as error:
                        self._say("Timeout has been exceeded")
                        raise _AbortError from error
                    self._say(output)
                    if code:
                        self._say(f"ERROR: script returned exit code {code}")
                        raise _StageError

    def _say(self, text: str) -> None:
        self._build.log += f"{text.rstrip()}\n"
