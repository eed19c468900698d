"""The gates as pure functions: is the data fit to train on, are the metrics good enough?"""

from governance_core.core import Bound
from governance_core.gates.data import SCHEMA_RULES, judge_data
from governance_core.gates.frames import OpenFrame, open_frame
from governance_core.gates.metrics import judge_metrics, stricter
from governance_core.gates.verdict import Check, Verdict

__all__ = [
    "SCHEMA_RULES",
    "Bound",
    "Check",
    "OpenFrame",
    "Verdict",
    "judge_data",
    "judge_metrics",
    "open_frame",
    "stricter",
]
