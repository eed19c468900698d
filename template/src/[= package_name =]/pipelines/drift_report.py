"""Show what drifted, to a person who wants to look: `make drift-report`."""

from governance_core.pipelines import governed_pipeline
from governance_core.steps import report_drift
from zenml import Model, get_pipeline_context
from zenml.enums import ModelStages

from .. import MODEL_NAME
from ..steps import load_batch


@governed_pipeline(model=Model(name=MODEL_NAME, version=ModelStages.PRODUCTION))
def drift_report() -> None:
    """Draw Evidently's report of a batch beside the data that the model was trained on."""
    reference = get_pipeline_context().model.get_artifact("features_train")
    report_drift(reference, load_batch())
