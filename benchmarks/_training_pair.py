"""Runs inside a rendered project: its training pipeline beside the same one without governance, in one process."""

import json
import os
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from tumour_diagnosis.pipelines import training
from tumour_diagnosis.steps import load_data, split_data, train_model
from zenml import pipeline, step
from zenml.utils import source_utils

from governance_core.steps import evaluate_model

ROUNDS = 7


@step
def evaluate(model: Any, features: Any, target: Any) -> dict[str, float]:
    """Compute the same metrics as the platform's step does, in a step of the team's."""
    return evaluate_model.entrypoint(model, features, target, "malignant")


@pipeline
def ungoverned() -> None:
    """Train and evaluate as the template does, without gates, evidence and submission."""
    features_train, features_test, target_train, target_test = split_data(load_data())
    evaluate(train_model(features_train, target_train), features_test, target_test)


def cpu(run: Any) -> float:
    """Return the CPU seconds of one run."""
    started = time.process_time()
    run()
    return time.process_time() - started


def main() -> None:
    """Print the median CPU seconds of a governed and of an ungoverned run, after one uncounted round of each."""
    os.environ["GOVERNANCE_ENVIRONMENT"] = "staging"
    source_utils.set_custom_source_root(str(Path(__file__).parent))
    governed, plain = training.with_options(enable_cache=False), ungoverned.with_options(enable_cache=False)
    pairs = [(cpu(governed), cpu(plain)) for _ in range(ROUNDS + 1)][1:]
    print(json.dumps([statistics.median(pair[side] for pair in pairs) for side in (0, 1)]), file=sys.stderr)
