"""Which secrets a project declares, and where their values are given: names alone stand in its files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import SecretStr

from governance_core.core import UsageError
from governance_core.policy import GOVERNANCE_FILE, SecretSection, load_governance_file, load_secrets_file

SECRETS_FILE = "governance/secrets.yaml"


@dataclass(frozen=True)
class Declared:
    """A secret that must exist: its keys, what uses it, and the file that says so."""

    name: str
    keys: tuple[str, ...]
    used_by: tuple[str, ...]
    source: str


def declared_secrets(root: Path) -> dict[str, Declared]:
    """Return what the platform's components use and what the team declares, by name.

    Raises:
        UsageError: if a file cannot be read, both declare one name, or one variable would have to give two values.
    """
    platform = _declared(load_secrets_file(root / SECRETS_FILE), SECRETS_FILE)
    team = _declared(load_governance_file(root / GOVERNANCE_FILE).secrets, GOVERNANCE_FILE)
    if both := sorted(platform.keys() & team.keys()):
        raise UsageError(
            f"{GOVERNANCE_FILE}: secrets.{both[0]} is the platform's ({SECRETS_FILE}); take it out, or rename it"
        )
    declared = platform | team
    given: dict[str, str] = {}
    for secret in declared.values():
        for key in secret.keys:
            reference, variable = f"{secret.name}.{key}", place(secret.name, key, None)
            if other := given.get(variable):
                raise UsageError(f"{secret.source}: {variable} would give both {other} and {reference}; rename one")
            given[variable] = reference
    return declared


def place(name: str, key: str, folder: Path | None) -> str:
    """Return where the value of a key is given: a variable, or a file of the folder where there is one."""
    return str(folder / f"{name}.{key}") if folder else "_".join(map(_spelled, ("SECRET", name, key)))


def given_value(name: str, key: str, folder: Path | None, environment: Mapping[str, str]) -> SecretStr | None:
    """Return the value that is given for a key, without one newline at its end; None where it is not there or blank.

    Args:
        name: the secret's.
        key: the key's.
        folder: whose file ``name.key`` holds the value; None where a variable does.
        environment: the variables.

    Raises:
        UsageError: if the file cannot be read, or what is given is no text in UTF-8.
    """
    where = place(name, key, folder)
    text = _text(where, lambda: Path(where).read_bytes() if folder else os.fsencode(environment.get(where, "")))
    value = text.removesuffix("\n").removesuffix("\r") if text.endswith("\n") else text
    return SecretStr(value) if value.strip() else None


def _declared(sections: Mapping[str, SecretSection], source: str) -> dict[str, Declared]:
    return {
        name: Declared(name, tuple(section.keys), tuple(section.used_by), source) for name, section in sections.items()
    }


def _spelled(name: str) -> str:
    return re.sub(r"\W", "_", name).upper()


def _text(where: str, read: Callable[[], bytes]) -> str:
    try:
        return read().decode()
    except FileNotFoundError:
        return ""
    except OSError as error:
        problem = error.strerror or type(error).__name__
    except UnicodeError:
        problem = "it is not text in UTF-8"
    raise UsageError(f"{where} cannot be read: {problem}")  # not from the error, which holds what was read
