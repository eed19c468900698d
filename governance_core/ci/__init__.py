"""The CI run that this process is part of, and the forge (GitHub, GitLab) that its repository lives on.

Pure: nothing here imports ZenML, and the HTTP library is loaded with the first request.
"""

from governance_core.ci.alert import alert_of_job
from governance_core.ci.approvers import Approver, approvers
from governance_core.ci.forge import Forge, forge
from governance_core.ci.run import CIRun, current_run

__all__ = ["Approver", "CIRun", "Forge", "alert_of_job", "approvers", "current_run", "forge"]
