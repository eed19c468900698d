"""Runs inside a rendered project: its training pipeline beside the same one without governance, in one process.

The governed run has everything on: its notice goes to an alerter of the stack and its metrics to a text file. Both are
sent as `run.py` sends them, and counted.
"""

import gc
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
from zenml.alerter import BaseAlerter, BaseAlerterConfig, BaseAlerterFlavor
from zenml.client import Client
from zenml.enums import StackComponentType
from zenml.utils import source_utils

from governance_core.lifecycle.settle import settle
from governance_core.steps import evaluate_model

ROUNDS = 7
PROJECT = "tumour-diagnosis"


class CountingAlerter(BaseAlerter):
    """Takes every notice at once: what a real one waits for is not CPU time."""

    posted = 0

    def post(self, message: str, params: Any = None) -> bool:
        """Count the notice."""
        del message, params
        CountingAlerter.posted += 1
        return True


class CountingAlerterFlavor(BaseAlerterFlavor):
    """Makes the alerter known to ZenML."""

    name = "counting"
    config_class = BaseAlerterConfig
    implementation_class = CountingAlerter


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


def stack_with_alerter() -> None:
    """Activate a stack like the active one with that alerter."""
    client = Client()
    client.create_flavor(f"{__name__}.{CountingAlerterFlavor.__name__}", StackComponentType.ALERTER)
    client.create_stack_component("counting", "counting", StackComponentType.ALERTER, {})
    parts = {str(kind): found[0].id for kind, found in client.active_stack_model.components.items()}
    client.create_stack("counting", {**parts, "alerter": "counting"})
    client.activate_stack("counting")


def main() -> None:
    """Print the median CPU seconds of a governed and of an ungoverned run, after one uncounted round of each."""
    metrics = Path("build", "governance.prom").resolve()
    metrics.parent.mkdir(exist_ok=True)
    os.environ |= {"GOVERNANCE_ENVIRONMENT": "staging", "GOVERNANCE_METRICS_TEXTFILE": str(metrics)}
    source_utils.set_custom_source_root(str(Path(__file__).parent))
    stack_with_alerter()
    plain, training_run = ungoverned.with_options(enable_cache=False), training.with_options(enable_cache=False)

    def governed() -> None:
        training_run()
        settle(PROJECT)

    gc.freeze()  # as run.py does
    pairs = [(cpu(governed), cpu(plain)) for _ in range(ROUNDS + 1)][1:]
    exported = list(metrics.parent.glob("governance*.prom"))
    assert CountingAlerter.posted > ROUNDS
    assert exported
    print(json.dumps([statistics.median(pair[side] for pair in pairs) for side in (0, 1)]), file=sys.stderr)
