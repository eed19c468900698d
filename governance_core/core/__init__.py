"""What every other package stands on: errors with exit codes, canonical JSON, and where this package came from."""

from governance_core.core.canonical import canonical_json, digest, file_digest
from governance_core.core.errors import Conflict, GovernanceError, Refused, UsageError, Violation
from governance_core.core.installation import DISTRIBUTION, Installation, installation, template_root, version

__all__ = [
    "DISTRIBUTION",
    "Conflict",
    "GovernanceError",
    "Installation",
    "Refused",
    "UsageError",
    "Violation",
    "canonical_json",
    "digest",
    "file_digest",
    "installation",
    "template_root",
    "version",
]
