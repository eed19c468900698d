"""Hooks that inform: they send one notice about a run to the stack's alerter, or to the log where there is none.

A hook stops nothing (ZenML swallows what it raises) and sees a run before it has ended, so on a plain pipeline it is
best effort. In a governed pipeline these hooks say nothing: `governance runs settle` sends its notices from the stored
final status.
"""

from governance_core.hooks.plain import (
    alerter_failure_hook,
    alerter_success_hook,
    compliance_failure_hook,
    monitoring_success_hook,
    pipeline_failure_hook,
    pipeline_success_hook,
)

__all__ = [
    "alerter_failure_hook",
    "alerter_success_hook",
    "compliance_failure_hook",
    "monitoring_success_hook",
    "pipeline_failure_hook",
    "pipeline_success_hook",
]
