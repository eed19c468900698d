"""The latest events of a model and its project, for people to read."""

from __future__ import annotations

import heapq
from itertools import islice
from pathlib import Path

from governance_core.ledger import Event
from governance_core.project import load_project
from governance_core.registry.actors import Actor
from governance_core.registry.chains import journal, stages
from governance_core.registry.versions import find_model


def latest_events(root: Path, model: str | None, limit: int) -> list[Event]:
    """Return the newest events of a model's stage chain and of the project's journal, newest first.

    Raises:
        UsageError: if there is no project here, or no such model and, where none was named, no event.
        GovernanceError: if one of these events is not intact.
    """
    project = load_project(root)
    name = find_model(model).name if model else project.model_name
    newest = (chain.newest() for chain in (stages(name), journal(project.project_slug)))
    both = heapq.merge(*newest, key=lambda event: event.at, reverse=True)
    events = list(islice(both, limit))
    if not events:  # a secret or an image is recorded before the first training makes the model
        find_model(name)
    return events


def summary(event: Event) -> str:
    """Return an event in one line."""
    body = event.body
    version = body.get("version")
    number = version.get("number") if isinstance(version, dict) else body.get("number")
    what = [
        str(body.get("action", "")),
        f"version {number}" if number else "",
        f"to {body['to']}" if body.get("to") else "",
        f"in step {body['step']}" if body.get("step") else "",
        f"of run {body['run_name']}" if event.kind == "alert-failed" else "",
        f"of commit {body['commit'][:12]} to {body['environment']}" if event.kind == "release" else "",
        f"{body['name']} ({', '.join(body['keys'])})" if event.kind == "secret" else "",
        f"{body['image']} for {body['environment']}" if event.kind == "image" else "",
    ]
    who = f"by {Actor.from_dict(body['actor'])}" if body.get("actor") else ""
    why = "; ".join(str(found["rule"]) for found in body.get("violations", ())) or str(body.get("reason") or "")
    words = [event.kind, str(body.get("result", "")), *what, who, f"({why})" if why else ""]
    return f"{event.at}  {event.chain} {event.seq}  " + " ".join(word for word in words if word)
