"""Train a model that may be promoted."""

from governance_core.pipelines import governed_pipeline
from governance_core.steps import (
    evaluate_model,
    validate_data_quality,
    validate_model_performance,
)
from zenml import Model

from .. import MODEL_NAME
from ..steps import load_data, split_data, train_model


@governed_pipeline(model=Model(name=MODEL_NAME))
def training() -> None:
    """Load, check and split the data; train, evaluate and check the model.

    Both gates fail the run where its environment's policy is not met.
    """
    dataset = validate_data_quality(load_data())
    features_train, features_test, target_train, target_test = split_data(dataset)
    model = train_model(features_train, target_train)
    metrics = evaluate_model(model, features_test, target_test)
    validate_model_performance(metrics)
