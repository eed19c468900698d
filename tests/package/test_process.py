"""A process is told from one that has its number, and a stopped one is not taken for a dead one."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import pytest

from governance_core.core import Process, process_state, this_process


@pytest.fixture
def child() -> Iterator[subprocess.Popen[bytes]]:
    script = "import json, governance_core.core as c; print(json.dumps(c.this_process()), flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        yield process
        process.kill()


def identity(child: subprocess.Popen[bytes]) -> Process:
    assert child.stdout is not None
    found: Process = json.loads(child.stdout.readline())
    return found


def test_the_running_process_is_alive() -> None:
    assert process_state(this_process()) == "alive"


def test_a_stopped_process_is_alive_and_a_killed_one_is_dead_even_before_it_is_reaped(
    child: subprocess.Popen[bytes],
) -> None:
    process = identity(child)
    os.kill(child.pid, signal.SIGSTOP)
    assert process_state(process) == "alive"
    os.kill(child.pid, signal.SIGKILL)
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # ended, and still a zombie
    assert process_state(process) == "dead"


def test_another_process_that_got_the_same_number_is_not_the_one() -> None:
    assert process_state({**this_process(), "started": "1"}) == "dead"


@pytest.mark.parametrize("where", ["host", "boot"])
def test_nothing_is_said_of_another_machine(where: str) -> None:
    assert process_state({**this_process(), where: "another"}) == "elsewhere"  # type: ignore[misc]
