"""Reading a YAML file that people write."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from governance_core.core.errors import UsageError

_QUOTED = re.compile(r"'[^<'\s]*\w[^']*'")  # a name out of the file; not what was expected, such as ':' or '<scalar>'


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds; None where it is empty.

    Raises:
        UsageError: if the file is missing, is not readable as UTF-8, is not YAML or repeats a key.
    """
    import yaml  # `governance --help` need not wait for it

    from governance_core.core.yaml_loader import UniqueKeyLoader

    problem = ""
    try:
        return yaml.load(path.read_text(encoding="utf-8"), UniqueKeyLoader)
    except (OSError, UnicodeDecodeError) as error:
        reason = "it does not exist" if isinstance(error, FileNotFoundError) else str(error)
        raise UsageError(f"{path} cannot be read: {reason}") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f" in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        problem = f"{_QUOTED.sub('...', error.problem or 'a slip')}{where}"
    except yaml.YAMLError:
        problem = "it holds characters that are not allowed"
    raise UsageError(f"{path} is not valid YAML: {problem}")  # not from the error, which quotes the line: a secret's?
