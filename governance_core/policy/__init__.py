"""What must hold: the shipped baseline, tightened by a project's governance.yaml, never loosened."""

from governance_core.policy.file import (
    GOVERNANCE_FILE,
    GovernanceFile,
    SecretSection,
    load_governance_file,
    load_secrets_file,
)
from governance_core.policy.merge import ENVIRONMENTS, RISK_TIERS, EffectivePolicy, effective

__all__ = [
    "ENVIRONMENTS",
    "GOVERNANCE_FILE",
    "RISK_TIERS",
    "EffectivePolicy",
    "GovernanceFile",
    "SecretSection",
    "effective",
    "load_governance_file",
    "load_secrets_file",
]
