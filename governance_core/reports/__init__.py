"""What people read: pages and cards made from recorded facts."""

from governance_core.reports.monitoring import MonitoringFacts, monitoring_facts, render_monitoring
from governance_core.reports.training import (
    Failure,
    TrainingFacts,
    comment_markdown,
    render_html,
    render_markdown,
    run_of_checkout,
    training_facts,
)

__all__ = [
    "Failure",
    "MonitoringFacts",
    "TrainingFacts",
    "comment_markdown",
    "monitoring_facts",
    "render_html",
    "render_markdown",
    "render_monitoring",
    "run_of_checkout",
    "training_facts",
]
