"""The platform's ZenML steps: imported and called in a team's pipeline, never copied."""

from governance_core.steps.drift import detect_drift
from governance_core.steps.drift_report import report_drift
from governance_core.steps.evaluation import evaluate_model
from governance_core.steps.gates import validate_data_quality, validate_model_performance
from governance_core.steps.performance import monitor_performance

__all__ = [
    "detect_drift",
    "evaluate_model",
    "monitor_performance",
    "report_drift",
    "validate_data_quality",
    "validate_model_performance",
]
