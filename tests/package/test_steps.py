"""The platform's steps in real ZenML runs."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Annotated, Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from zenml import pipeline, step
from zenml.client import Client
from zenml.pipelines.pipeline_definition import Pipeline
from zenml.utils import source_utils

from governance_core.core import DISTRIBUTION, Refused, UsageError, version
from governance_core.policy import GovernanceFile, effective
from governance_core.registry.runs import read_run
from governance_core.registry.sources import platform_role
from governance_core.steps import (
    detect_drift,
    evaluate_model,
    validate_data_quality,
    validate_model_performance,
)

pytestmark = pytest.mark.usefixtures("store")

evaluate: Callable[..., dict[str, float]] = evaluate_model.entrypoint
judge_model: Callable[..., dict[str, Any]] = validate_model_performance.entrypoint


class Fixed:
    """A model that always answers the same."""

    def __init__(self, answers: list[Any]) -> None:
        self.answers = answers

    def predict(self, features: Any) -> np.ndarray:
        return np.array(self.answers[: len(features)])


def governing(environment: str = "local", **section: Any) -> dict[str, Any]:
    file = GovernanceFile.model_validate({"policy": {"every": section}})
    policy = effective(environment, "limited", file).as_dict()
    told = {"environment": environment, "problem": "classification", "positive_label": None, "policy": policy}
    return told | {"profile": False}


@step
def give_frame(rows: int, engine: str) -> Annotated[Any, "frame"]:
    columns = {"a": [float(i) for i in range(rows)], "b": ["x"] * rows}
    return pd.DataFrame(columns) if engine == "pandas" else pl.DataFrame(columns)


@step
def give_metrics(accuracy: Any) -> dict[str, float]:
    return {"accuracy": math.nan if accuracy == "nan" else accuracy, "precision": 0.9, "recall": 0.9}


@pipeline
def data_gate(rows: int = 200, engine: str = "pandas") -> None:
    validate_data_quality(give_frame(rows, engine))


@pipeline
def model_gate(accuracy: Any = 0.9, min_accuracy: float | None = None) -> None:
    validate_model_performance(give_metrics(accuracy), min_accuracy=min_accuracy)


@pipeline
def drift_gate(on_drift: str = "alert") -> None:
    reference, current = give_frame.with_options(enable_cache=False)(200, "pandas"), give_frame(100, "polars")
    detect_drift(reference, current, threshold=0.9, governance=governing(drift={"on_drift": on_drift}))


def refusal_in(governed: Pipeline, **parameters: Any) -> str:
    """Run a pipeline whose last step must fail, and return what that step said."""
    with pytest.raises(RuntimeError, match="Pipeline run has failed"):
        governed(**parameters)
    run = Client().get_pipeline(governed.name).last_run
    assert str(run.status) == "failed"
    return str(run.steps[f"validate_{'data_quality' if governed is data_gate else 'model_performance'}"].exception_info)


@pytest.mark.parametrize("engine", ["pandas", "polars"])
def test_a_passing_data_gate_returns_the_data_and_writes_what_it_checked_into_the_run(engine: str) -> None:
    run = data_gate(engine=engine)
    gate = run.steps["validate_data_quality"]
    assert len(gate.outputs["dataset"][0].load()) == 200
    verdict = gate.run_metadata["governance.verdict"]
    assert verdict["passed"] is True
    checked = {(check["rule"], check["subject"]): (check["value"], check["limit"]) for check in verdict["checks"]}
    assert checked["metric-min", "rows"] == (200, 100)
    assert checked["metric-max", "missing_fraction"] == (0.0, 0.1)
    assert json.loads(json.dumps(verdict)) == verdict


def test_a_passing_model_gate_returns_what_it_checked() -> None:
    run = model_gate()
    verdict = run.steps["validate_model_performance"].outputs["model_gate_verdict"][0].load()
    assert verdict["passed"] is True
    assert {check["subject"]: check["value"] for check in verdict["checks"]}["accuracy"] == 0.9


def test_the_gates_never_come_from_the_cache_even_if_what_they_judge_does() -> None:
    for governed in (data_gate, model_gate):
        governed()
        given, judged = governed().steps.values()
        assert (given.status.value, judged.status.value) == ("cached", "completed")
    assert evaluate_model.configuration.enable_cache is False


def test_bad_data_fails_the_run_and_the_step_says_why() -> None:
    assert "rows = 5 must be at least 100 (baseline 1)" in refusal_in(data_gate, rows=5)


@step
def give_wide() -> Annotated[Any, "frame"]:
    return pd.DataFrame({f"column {i}": ["x", None] * 60 for i in range(200)})


@pipeline
def wide_gate(governance: dict[str, Any]) -> None:
    validate_data_quality(give_wide(), governance=governance)


def test_a_failed_verdict_on_200_columns_is_noted_whole() -> None:
    rule = {"type": "float", "max_missing_fraction": 0, "allowed": [1]}
    columns = {f"column {i}": rule for i in range(200)} | {f"absent {i}": {} for i in range(200)}
    with pytest.raises(RuntimeError, match="Pipeline run has failed"):
        wide_gate(governing(data={"columns": columns}))
    run = read_run(Client().get_pipeline("wide_gate").last_run.id)
    verdict = run.steps["validate_data_quality"].verdict
    assert verdict is not None
    failed = [check["rule"] for check in verdict["checks"] if not check["passed"]]
    assert {failed.count(rule) for rule in ("column-absent", "column-type", "column-missing-fraction")} == {200}
    assert "column 'column 199' is of type string" in str(run.steps["validate_data_quality"].error)


def test_a_nan_metric_fails_the_run_and_the_step_says_why() -> None:
    assert "accuracy = nan is not finite" in refusal_in(model_gate, accuracy="nan")


@pytest.mark.parametrize("threshold", [-0.5, 1.5])
def test_an_impossible_threshold_in_the_call_fails_the_run(threshold: float) -> None:
    said = refusal_in(model_gate, accuracy=1.0, min_accuracy=threshold)
    assert f"the threshold for accuracy, at least {threshold} (argument min_accuracy)" in said


@pytest.mark.parametrize("threshold", [math.nan, math.inf])
def test_a_threshold_that_is_no_finite_number_is_refused_at_submission(threshold: float) -> None:
    with pytest.raises(RuntimeError, match="Input validation failed for input 'min_accuracy'"):
        model_gate(accuracy=1.0, min_accuracy=threshold)


def test_a_platform_step_is_recorded_as_the_platforms_without_a_search(monkeypatch: pytest.MonkeyPatch) -> None:
    entrypoint = validate_data_quality.entrypoint
    with monkeypatch.context() as patch:
        patch.setattr(source_utils, "_get_package_for_module", lambda **_: pytest.fail("searched all distributions"))
        recorded = validate_data_quality.resolve()
    assert (recorded.package_name, recorded.version) == (DISTRIBUTION, version())
    assert platform_role(recorded) == "data_gate"
    monkeypatch.delattr(entrypoint, source_utils.ZENML_SOURCE_ATTRIBUTE_NAME)
    assert validate_data_quality.resolve() == recorded


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ({"min_accuracy": 0.95}, "accuracy = 0.9 must be at least 0.95 (argument min_accuracy)"),
        ({"min_precision": 0.95}, "precision = 0.9 must be at least 0.95 (argument min_precision)"),
        ({"min_recall": 0.95}, "recall = 0.9 must be at least 0.95 (argument min_recall)"),
        ({"min_metrics": {"f1": 0.95}}, "f1 = 0.9 must be at least 0.95 (argument min_metrics)"),
        ({"max_metrics": {"log_loss": 0.1}}, "log_loss = 0.3 must be at most 0.1 (argument max_metrics)"),
        ({"min_accuracy": 0.5}, "accuracy = 0.9 must be at least 0.92 (governance.yaml)"),
    ],
)
def test_the_stricter_of_argument_and_policy_holds_and_is_named(arguments: dict[str, Any], said: str) -> None:
    metrics = {"accuracy": 0.9, "precision": 0.9, "recall": 0.9, "f1": 0.9, "log_loss": 0.3}
    with pytest.raises(Refused) as refusal:
        judge_model(metrics, **arguments, governance=governing(metrics={"min": {"accuracy": 0.92}}))
    assert said in str(refusal.value)


def test_a_stricter_argument_of_the_data_gate_holds() -> None:
    frame = pd.DataFrame({"a": [1.0, None] * 100})
    with pytest.raises(Refused, match=r"rows = 200 must be at least 300 \(argument min_rows\)"):
        validate_data_quality.entrypoint(frame, min_rows=300, max_missing_fraction=1.0)
    with pytest.raises(Refused, match=r"missing_fraction = 0.5 must be at most 0.1 \(baseline 1\)"):
        validate_data_quality.entrypoint(frame, min_rows=1, max_missing_fraction=1.0)


def test_a_regression_without_any_bound_fails_and_one_bound_is_enough() -> None:
    metrics = {"r2": 0.5, "mae": 40.0, "rmse": 50.0}
    with pytest.raises(Refused, match="no-bound"):
        judge_model(metrics)
    assert judge_model(metrics, max_metrics={"mae": 45})["passed"]
    with pytest.raises(Refused, match=r"r2 = 0.5 must be at least 0.6 \(argument min_metrics\)"):
        judge_model(metrics, min_metrics={"r2": 0.6})


TRUTH = ["malignant", "malignant", "benign", "benign"]
PREDICTED = ["malignant", "benign", "benign", "benign"]


def test_metrics_are_of_the_declared_positive_label() -> None:
    frame = pd.DataFrame({"a": range(4)})
    found = evaluate(Fixed(PREDICTED), frame, pd.Series(TRUTH), positive_label="malignant")
    assert found == pytest.approx({"accuracy": 0.75, "precision": 1.0, "recall": 0.5, "f1": 2 / 3})
    assert {type(value) for value in found.values()} == {float}
    declared = governing() | {"positive_label": "benign"}
    assert evaluate(Fixed(PREDICTED), frame, TRUTH, governance=declared)["precision"] == pytest.approx(2 / 3)
    assert evaluate(Fixed(PREDICTED), frame, TRUTH, "malignant", governance=declared)["precision"] == 1.0


@pytest.mark.parametrize("positive", [1, "1"])
def test_a_numeric_label_may_be_declared_as_text(positive: object) -> None:
    assert evaluate(Fixed([1, 0, 0]), [[0]] * 3, pd.DataFrame({"y": [1, 1, 0]}), positive)["recall"] == 0.5


def test_a_positive_label_that_does_not_occur_is_wrong_usage() -> None:
    with pytest.raises(UsageError, match=r"'yes' does not occur in the target, whose labels are 'benign', 'malignant'"):
        evaluate(Fixed(PREDICTED), TRUTH, TRUTH, positive_label="yes")


def test_without_a_positive_label_the_classes_are_averaged() -> None:
    found = evaluate(Fixed(["a", "b", "b", "c"]), range(4), ["a", "b", "c", "c"])
    assert found["precision"] == pytest.approx((1 + 0.5 + 1) / 3)
    assert found["recall"] == pytest.approx((1 + 1 + 0.5) / 3)


def test_a_model_that_never_predicts_the_positive_label_has_precision_zero() -> None:
    assert evaluate(Fixed(["benign"] * 4), TRUTH, TRUTH, "malignant")["precision"] == 0.0


def test_a_regression_is_measured_by_r2_mae_and_rmse() -> None:
    declared = governing() | {"problem": "regression"}
    found = evaluate(Fixed([1.0, 2.0, 5.0]), range(3), pl.Series([1.0, 2.0, 3.0]), governance=declared)
    assert found == pytest.approx({"r2": -1.0, "mae": 2 / 3, "rmse": math.sqrt(4 / 3)})


def test_a_plain_pipeline_tells_regression_by_the_model() -> None:
    from sklearn.linear_model import LinearRegression

    model = LinearRegression().fit([[0.0], [1.0]], [0.0, 1.0])
    assert set(evaluate(model, [[0.0], [1.0]], [0.0, 1.0])) == {"r2", "mae", "rmse"}


def test_the_drift_gate_returns_what_it_found_and_notes_the_verdict_in_the_run() -> None:
    gate = drift_gate().steps["detect_drift"]
    found = gate.outputs["drift"][0].load()
    assert (found["drift_score"], found["drifted_columns"], list(found["columns"])) == (0.5, ["a"], ["a", "b"])
    noted = gate.run_metadata["governance.verdict"]
    assert (noted["drift_score"], noted["drifted_columns"], noted["passed"]) == (0.5, ["a"], False)


def test_drift_fails_the_run_where_the_policy_says_so() -> None:
    found = detect_drift.entrypoint
    then, now = ({"a": [float(i + moved) for i in range(200)], "b": [1.0, 2.0] * 100} for moved in (0, 100))
    reference, current = pd.DataFrame(then), pd.DataFrame(now)
    fails = governing(drift={"on_drift": "fail", "share": 0.2})
    with pytest.raises(Refused, match=r"drift_score = 0.5 must be at most 0.2 \(governance.yaml\); drifted: a"):
        found(reference, current, 0.9, governance=fails)
    with pytest.raises(Refused, match=r"drift_score = 0.5 must be at most 0.1 \(argument threshold\); drifted: a"):
        found(reference, current, 0.1, governance=fails)
