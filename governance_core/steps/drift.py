"""The drift gate as a ZenML step: it fails the run where the policy says so, and else tells what it found."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import FiniteFloat
from zenml import step

from governance_core.core import Bound
from governance_core.policy import EffectivePolicy
from governance_core.registry.compliance import recording_refusal
from governance_core.registry.sources import platform_code
from governance_core.steps.gates import note, policy_of

if TYPE_CHECKING:
    from governance_core.gates.drift import DriftVerdict, Profile


@step(enable_cache=False)
@platform_code
def detect_drift(
    reference: Any,
    current: Any,
    threshold: FiniteFloat = 0.3,
    ignore: list[str] | None = None,
    governance: dict[str, Any] | None = None,
) -> Annotated[dict[str, Any], "drift"]:
    """Return the share of columns that drifted, their names, and what was found of each.

    The stricter of argument and policy holds. Where the share is above it, the run fails if the policy's ``on_drift``
    is ``fail``; with ``alert`` the step returns, and the notice of the run says so.

    Args:
        reference: the data that the model was trained on: their profile, as `Profile.as_dict` gives it, a data frame,
            or the path of a Parquet, CSV or profile's JSON file.
        current: a data frame of any engine that narwhals knows, or the path of a Parquet or CSV file.
        threshold: the largest share of drifted columns.
        ignore: columns not to compare, such as a target that the current data do not have.
        governance: set by ``governed_pipeline``.

    Raises:
        Refused: if more columns drifted, and the policy says that this fails.
        UsageError: if the two cannot be compared.
    """
    from governance_core.gates.drift import reference_profile

    policy = policy_of(governance)
    verdict = judge(reference_profile(reference), current, policy, threshold, ignore or ())
    note(verdict.summary())  # the columns may be thousands
    if policy.drift.on_drift == "fail":
        with recording_refusal(governance):
            verdict.raise_if_failed("the current data")
    return verdict.as_dict()


def judge(
    reference: Profile, current: Any, policy: EffectivePolicy, threshold: float, ignore: Collection[str]
) -> DriftVerdict:
    """Compare data with a profile; the stricter of ``threshold``, a share, and policy holds.

    Raises:
        UsageError: if the two cannot be compared.
    """
    from governance_core.gates.drift import judge_drift

    bounds = [*policy.drift_bounds, Bound("drift_score", "max", threshold, "argument threshold")]
    return judge_drift(
        reference, current, bounds, method=policy.drift.method, threshold=policy.drift.threshold, ignore=ignore
    )
