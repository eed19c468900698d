"""The one thing the registry asks git."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_email(root: Path) -> str | None:
    """Return git's user.email as it holds in a folder, None where there is none or no git."""
    try:
        found = subprocess.run(
            ["git", "config", "user.email"], cwd=root, capture_output=True, text=True, check=False, timeout=10
        )
    except OSError:
        return None
    return found.stdout.strip() or None
