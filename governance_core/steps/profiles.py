"""Reference profiles: what the data and the predictions looked like when a model was made, for the drift gate."""

from typing import Any

from zenml import save_artifact

PROFILES = DATA_PROFILE, PREDICTION_PROFILE = "data_profile", "prediction_profile"  # artifacts of the model version


def save_profile(name: str, data: Any, governance: dict[str, Any] | None) -> None:
    """In a step of a governed run that makes a model: save the profile of data as an artifact of the model version.

    Args:
        name: of the artifact.
        data: a frame of any engine that narwhals knows.
        governance: the step's parameter of this name.
    """
    if governance and governance["profile"]:
        from governance_core.gates.drift import profile_frame

        profile = profile_frame(data).as_dict()
        save_artifact(profile, name, extract_metadata=False, include_visualizations=False)
