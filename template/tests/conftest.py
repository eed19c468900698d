"""A ZenML store of the tests' own: they touch nobody's runs and no stack that somebody chose."""

import os
import tempfile

_home = tempfile.TemporaryDirectory(prefix="zenml-")
# Before anything imports ZenML, which reads these once.
os.environ |= {
    "GOVERNANCE_ACTOR": "tests@example.com",
    "GOVERNANCE_ENVIRONMENT": "local",
    "ZENML_ANALYTICS_OPT_IN": "false",
    "ZENML_CONFIG_PATH": _home.name,
    "ZENML_ENABLE_REPO_INIT_WARNINGS": "false",
    "ZENML_LOGGING_VERBOSITY": "WARN",
    "ZENML_REPOSITORY_PATH": _home.name,
}
