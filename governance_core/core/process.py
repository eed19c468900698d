"""Which process wrote something, and whether it still lives."""

from __future__ import annotations

import os
import socket
import subprocess
from functools import lru_cache
from pathlib import Path
from typing import Literal, TypedDict

PROC = Path("/proc")


class Process(TypedDict):
    """One process, told from every other: a process id alone is reused, and means nothing on another machine.

    ``boot`` names what the id is unique in: the boot of that machine and, on Linux, the process namespace, which is
    what two containers with one host name differ in. ``started`` is in the units of the system that reports it.
    """

    host: str
    boot: str
    pid: int
    started: str


def this_process() -> Process:
    """Return the identity of the running process."""
    pid = os.getpid()
    return Process(host=socket.gethostname(), boot=_boot(), pid=pid, started=_started(pid) or "")


def process_state(process: Process) -> Literal["alive", "dead", "elsewhere"]:
    """Say whether a process lives: ``elsewhere`` where that cannot be seen from here. A stopped process is alive."""
    if (process["host"], process["boot"]) != (socket.gethostname(), _boot()):
        return "elsewhere"
    return "alive" if _started(process["pid"]) == process["started"] else "dead"


@lru_cache(maxsize=1)
def _boot() -> str:
    if not PROC.is_dir():
        return ""
    boot_id = (PROC / "sys/kernel/random/boot_id").read_text().strip()
    return f"{boot_id} {(PROC / 'self/ns/pid').readlink()}"


def _started(pid: int) -> str | None:
    """Return when a process started, or None where there is none or only its entry awaits its parent (a zombie)."""
    if not PROC.is_dir():
        found = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], capture_output=True, text=True, check=False)
        return found.stdout.strip() or None
    try:
        status = (PROC / str(pid) / "stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, *fields = status.rpartition(")")[2].split()  # the name in parentheses may hold spaces and parentheses
    return None if state in "ZX" else fields[18]
