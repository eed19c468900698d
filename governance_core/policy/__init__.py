"""What must hold: the shipped baseline, tightened by a project's governance.yaml, never loosened."""

from governance_core.policy.file import GovernanceFile, load_governance_file
from governance_core.policy.merge import EffectivePolicy, effective

__all__ = ["EffectivePolicy", "GovernanceFile", "effective", "load_governance_file"]
