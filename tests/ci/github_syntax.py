"""GitHub's YAML, events and expressions, the last evaluated by GitHub's own package."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import yaml
from support.forge import REPOSITORY, RUN_ID
from support.node import module, node


class _Loader(yaml.SafeLoader):
    """YAML 1.2, in which `on` is a word."""

    yaml_implicit_resolvers = {  # noqa: RUF012 - the name that PyYAML reads
        first: [(tag, form) for tag, form in resolvers if not tag.endswith(":bool")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }


_Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|false)$"), list("tf"))


def load(text: str) -> dict[str, Any]:
    """Return a workflow or an action as GitHub reads it."""
    loaded: dict[str, Any] = yaml.load(text, _Loader)
    return loaded


def words(value: Any) -> list[str]:
    """Return the words of a key that takes one or a list of them."""
    return [value] if isinstance(value, str) else list(value or ())


@dataclass(frozen=True)
class Event:
    """What starts a workflow: an entry of ``on``, the reference and the commit it is about, and GitHub's payload."""

    name: str
    ref: str
    sha: str
    payload: dict[str, Any] = field(default_factory=dict)
    actor: str = "octocat"

    def github(self) -> dict[str, Any]:
        """Return the context ``github``."""
        return {
            "actor": self.actor,
            "event": self.payload,
            "event_name": self.name,
            "ref": self.ref,
            "ref_name": re.sub("^refs/(heads|tags|pull)/", "", self.ref),
            "repository": REPOSITORY,
            "run_id": RUN_ID,
            "sha": self.sha,
            "triggering_actor": self.actor,
        }

    @property
    def from_fork(self) -> bool:
        """Tell whether it is a pull request of another repository, which gets no secrets and may write nothing."""
        head = self.payload.get("pull_request", {}).get("head", {}).get("repo") or {}
        return self.name == "pull_request" and head.get("full_name") != REPOSITORY


class Expressions:
    """GitHub's evaluator, in one process of node; use it as a context."""

    def __enter__(self) -> Self:
        command = [node(), Path(__file__).with_name("expressions.mjs"), module("@actions/expressions/dist/index.js")]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def evaluate(self, expression: str, contexts: Mapping[str, Any], **status: bool) -> str:
        """Return what an expression gives, as text; ``status`` are the results of `success()` and its like.

        Raises:
            ValueError: where GitHub would refuse it.
        """
        assert self._process.stdin
        assert self._process.stdout
        asked = {"expression": expression, "contexts": contexts, "status": status}
        print(json.dumps(asked), file=self._process.stdin, flush=True)
        answer: dict[str, str] = json.loads(self._process.stdout.readline())
        if "error" in answer:
            raise ValueError(f"{expression}: {answer['error']}")
        return answer["text"]

    def fill(self, value: Any, contexts: Mapping[str, Any]) -> str:
        """Return a value as text, each ``${{ }}`` replaced by what it gives."""
        text = str(value).lower() if isinstance(value, bool) else str(value)
        return re.sub(r"\$\{\{(.*?)\}\}", lambda found: self.evaluate(found[1], contexts), text)

    def filled(self, values: Mapping[str, Any], contexts: Mapping[str, Any]) -> dict[str, str]:
        """Return a mapping with its values filled."""
        return {name: self.fill(value, contexts) for name, value in values.items()}

    def holds(self, condition: Any, contexts: Mapping[str, Any], results: Collection[str]) -> bool:
        """Tell whether an ``if`` holds behind jobs or steps with these results."""
        asked = re.sub(r"^\$\{\{(.*)\}\}$", r"\1", "success()" if condition is None else str(condition).strip())
        if not re.search(r"\b(success|failure|always|cancelled)\(\)", asked):
            asked = f"success() && ({asked})"
        status = {"success": set(results) <= {"success"}, "failure": "failure" in results}
        text = self.evaluate(asked, contexts, **status, always=True, cancelled=False)
        return text not in ("", "0", "false")
