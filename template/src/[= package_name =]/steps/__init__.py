"""The steps of the pipelines: plain ZenML steps."""

from .data import load_batch, load_data, load_labelled, split_data
from .model import predict, train_model

__all__ = ["load_batch", "load_data", "load_labelled", "predict", "split_data", "train_model"]
