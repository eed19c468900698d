"""Canonical JSON (RFC 8785) and SHA-256 digests of it."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import rfc8785


def canonical_json(value: Any) -> bytes:
    """Return the one byte form of a JSON value.

    Args:
        value: what JSON can hold: dict with string keys, list, tuple, str, bool, None, finite float, int within 2**53.

    Raises:
        ValueError: if the value holds anything else, NaN and infinities included.
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.CanonicalizationError as error:
        raise ValueError(f"not canonical JSON: {error}") from error


def digest(value: Any) -> str:
    """Return ``sha256:`` and the hex digest of the value's canonical JSON."""
    return _named(hashlib.sha256(canonical_json(value)).hexdigest())


def file_digest(path: Path) -> str:
    """Return ``sha256:`` and the hex digest of the file's bytes."""
    with path.open("rb") as file:
        return _named(hashlib.file_digest(file, "sha256").hexdigest())


def _named(hexdigest: str) -> str:
    return f"sha256:{hexdigest}"
