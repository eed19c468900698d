"""The pipelines of this project, by the names that run.py takes."""

from .batch_inference import batch_inference
from .drift_report import drift_report
from .monitoring import monitoring
from .training import training

__all__ = ["batch_inference", "drift_report", "monitoring", "training"]
