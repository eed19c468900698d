"""Calls to the outside that are given up."""

from __future__ import annotations

import contextvars
import subprocess
import sys

import pytest

from governance_core.core import event_loop, within

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
HANGS = """
from threading import Event
from governance_core.core import event_loop, within

try:
    within(0.1, {call})
except TimeoutError as error:
    print(error)
"""
IN_A_THREAD_OF_ASYNCIO = "lambda: (loop := event_loop()).run_until_complete(loop.run_in_executor(None, Event().wait))"


def test_what_a_call_returns_or_raises_is_passed_on_and_it_sees_the_context() -> None:
    VARIABLE.set("seen")
    assert within(5, VARIABLE.get) == "seen"
    with pytest.raises(ZeroDivisionError):
        within(5, lambda: 1 / 0)


@pytest.mark.parametrize("call", ["Event().wait", IN_A_THREAD_OF_ASYNCIO])
def test_a_call_that_hangs_does_not_keep_the_process_from_ending(call: str) -> None:
    command = [sys.executable, "-c", HANGS.format(call=call)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "no answer within 0.1 s\n", "")


def test_an_event_loop_passes_on_what_its_threads_return_or_raise() -> None:
    loop = event_loop()
    assert loop.run_until_complete(loop.run_in_executor(None, int, "7")) == 7
    with pytest.raises(ValueError, match="seven"):
        loop.run_until_complete(loop.run_in_executor(None, int, "seven"))
    loop.close()
