"""What people read: pages and cards made from recorded facts."""

from governance_core.reports.training import Failure, TrainingFacts, render_html, render_markdown, training_facts

__all__ = ["Failure", "TrainingFacts", "render_html", "render_markdown", "training_facts"]
