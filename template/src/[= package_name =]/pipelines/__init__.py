"""The pipelines of this project, by the names that run.py takes."""

from .batch_inference import batch_inference
from .training import training

__all__ = ["batch_inference", "training"]
