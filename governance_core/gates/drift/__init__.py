"""The drift gate: are today's data distributed as those that the model was trained on?"""

from governance_core.gates.drift.judge import ColumnDrift, DriftVerdict, judge_drift
from governance_core.gates.drift.profile import Profile, profile_frame, reference_profile

__all__ = ["ColumnDrift", "DriftVerdict", "Profile", "judge_drift", "profile_frame", "reference_profile"]
