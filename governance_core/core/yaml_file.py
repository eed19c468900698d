"""Reading a YAML file that people write."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from governance_core.core.errors import UsageError


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds; None where it is empty.

    Raises:
        UsageError: if the file is missing, is not readable as UTF-8 or is not YAML.
    """
    import yaml  # `governance --help` need not wait for it

    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error
    except yaml.YAMLError as error:
        raise UsageError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
