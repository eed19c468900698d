"""What every other package stands on: errors, digests, bounds, processes, waiting, and where this package came from."""

from governance_core.core.bounds import METRIC_NAMES, Bound, impossibility
from governance_core.core.canonical import canonical_json, digest, file_digest
from governance_core.core.errors import Conflict, GovernanceError, Refused, UsageError, Violation, one_line
from governance_core.core.installation import DISTRIBUTION, Installation, installation, template_root, version
from governance_core.core.process import Process, process_state, this_process
from governance_core.core.waiting import event_loop, within
from governance_core.core.yaml_file import read_yaml

__all__ = [
    "DISTRIBUTION",
    "METRIC_NAMES",
    "Bound",
    "Conflict",
    "GovernanceError",
    "Installation",
    "Process",
    "Refused",
    "UsageError",
    "Violation",
    "canonical_json",
    "digest",
    "event_loop",
    "file_digest",
    "impossibility",
    "installation",
    "one_line",
    "process_state",
    "read_yaml",
    "template_root",
    "this_process",
    "version",
    "within",
]
