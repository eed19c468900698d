"""What a gate of a governed run refuses is in the project's journal; the refusal stands whatever becomes of that."""

from __future__ import annotations

from typing import Any

import pytest
from support.scratch import Scratch
from support.trained import journal

from governance_core.core import Violation
from governance_core.hooks import compliance_failure_hook
from governance_core.ledger import recorded_violations
from governance_core.lifecycle.history import summary
from governance_core.registry.chains import MAX_EVENT


@pytest.mark.parametrize(
    ("arguments", "step", "rules"),
    [
        ({"rows": 10}, "validate_data_quality", ["metric-min"]),
        ({"min_accuracy": 1.1}, "validate_model_performance", ["threshold-impossible"]),
    ],
)
def test_a_gate_that_refuses_writes_once_who_broke_which_rule_where(
    scratch: Scratch, arguments: dict[str, Any], step: str, rules: list[str]
) -> None:
    with pytest.raises(RuntimeError, match="Pipeline run has failed"):
        scratch.module.training.with_options(on_failure=compliance_failure_hook)(**arguments)
    (event,) = journal(scratch)
    body = event.body
    assert (event.kind, body["step"], body["environment"]) == ("violation", step, "staging")
    assert [found["rule"] for found in body["violations"]] == rules
    assert body["actor"]["id"] == "trainer@example.com"
    assert (body["version"]["number"], body["version"]["model"]) == (1, scratch.project.model_name)
    assert body["run_name"].startswith("training-")
    assert summary(event).endswith(
        f" violation version 1 in step {step} by trainer@example.com (unverified) ({rules[0]})"
    ), "what `governance ledger log` prints"


def test_a_journal_that_cannot_be_written_does_not_hide_the_refusal(
    scratch: Scratch, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from zenml.client import Client

    from governance_core.registry import compliance

    monkeypatch.setattr(compliance, "journal", lambda _: 1 / 0)
    with pytest.raises(RuntimeError):
        scratch.module.training(rows=10)
    failed = Client().get_pipeline("training").last_run.steps["validate_data_quality"]
    assert "this dataset is refused" in failed.exception_info.message
    (logged,) = [
        record.getMessage() for record in caplog.records if record.name == "governance_core.registry.compliance"
    ]
    assert "ZeroDivisionError" in logged
    assert "rows = 10 must be at least 100" in logged


def test_very_many_and_very_long_violations_fit_into_an_event_and_the_rest_is_counted() -> None:
    few = [Violation("rule", "message")]
    assert recorded_violations(few) == [{"rule": "rule", "message": "message"}]
    many = recorded_violations(few * 250)
    assert (len(many), many[-1]) == (101, {"rule": "and-more", "message": "150 more"})
    long = recorded_violations([Violation("rule", "\U0001f600" * 5_000)] * 250)
    assert long[0]["message"] == "\U0001f600" * 1_000
    assert len(str(long).encode()) < MAX_EVENT * 0.7
    assert long[-1]["message"] == f"{250 - (len(long) - 1)} more"
