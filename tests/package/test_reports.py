"""The training report says what happened and hides nothing."""

from __future__ import annotations

from typing import Any

import pytest

from governance_core.reports import Failure, TrainingFacts, render_html, render_markdown

METRICS = {"step": "evaluate_model", "artifact": "a2", "values": {"recall": 0.91}}


def evidence(**changes: Any) -> dict[str, Any]:
    """Return an evidence event's body as the journal holds it."""
    check = {"rule": "metric-min", "subject": "recall", "value": 0.91, "limit": 0.8, "source": "baseline 1"}
    body = {
        "environment": "staging",
        "model": "tumours",
        "number": 7,
        "version": "0b6f",
        "actor": {"id": "dana@example.com", "verified": False, "via": "git"},
        "models": [{"artifact": "a1", "digest": "sha256:aa", "step": "train", "metrics": [METRICS]}],
        "gates": {
            "validate": {
                "gate": "model",
                "checks": [{**check, "passed": True, "message": "recall = 0.91 is at least 0.8 (baseline 1)"}],
            }
        },
        "submission": {
            "repository": {"commit": "c0ffee", "tree": "beef", "clean": True},
            "template": {"released": True, "recorded": "v1.0.0"},
            "package": {"version": "1.0.0", "kind": "wheel"},
            "lock": "sha256:bb",
            "policy_hash": "sha256:cc",
        },
    }
    return body | changes


def facts(**changes: Any) -> TrainingFacts:
    """Return the facts of a completed run with that evidence."""
    return TrainingFacts(run="run-1", name="training-run", status="completed", evidence=evidence(**changes))


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_a_report_names_the_version_its_checks_and_where_it_came_from(render: Any) -> None:
    page = render(facts())
    for expected in ("tumours version 7", "recall", "0.91", "baseline 1", "c0ffee", "dana@example.com (unverified)"):
        assert expected in page
    assert "Every gate passed, in staging." in page


@pytest.mark.parametrize("render", [render_markdown, render_html])
def test_a_failed_run_is_never_reported_as_passed(render: Any) -> None:
    failure = Failure("validate_model_performance", "recall is nan")
    page = render(TrainingFacts(run="run-1", name="training-run", status="failed", failures=(failure,)))
    assert "cannot be promoted" in page
    assert "recall is nan" in page
    assert "Every gate passed" not in page


def test_a_completed_run_without_evidence_has_not_passed() -> None:
    ungoverned = TrainingFacts(run="run-1", name="training-run", status="completed")
    assert not ungoverned.passed
    assert "recorded no evidence" in render_markdown(ungoverned)


def test_a_run_that_failed_after_its_evidence_is_not_reported_as_passed() -> None:
    late = TrainingFacts(run="run-1", name="training-run", status="failed", evidence=evidence())
    assert "Every gate passed" not in render_markdown(late)


def test_an_unreleased_template_and_a_dirty_tree_are_marked() -> None:
    submission = evidence()["submission"]
    submission["template"] = {"released": False, "recorded": "v1.0.0-3-gabc"}
    submission["repository"]["clean"] = False
    page = render_markdown(facts(submission=submission))
    assert "unreleased (v1.0.0-3-gabc)" in page
    assert "not clean" in page


def test_what_a_team_wrote_is_escaped_in_html() -> None:
    page = render_html(facts(model="<script>alert(1)</script>"))
    assert "<script>" not in page


def test_a_local_run_says_that_it_is_never_promoted() -> None:
    assert "never promoted" in render_markdown(facts(environment="local"))
