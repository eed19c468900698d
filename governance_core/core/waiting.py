"""Calls to the outside that must not hold up what called them."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import copy_context
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:  # most processes need none
    from asyncio import AbstractEventLoop

Result = TypeVar("Result")


def within(seconds: float, call: Callable[[], Result]) -> Result:
    """Return what a call returns, or give up on it; it sees the caller's context variables.

    A call that is given up goes on in a daemon thread, which ends with the process at the latest.

    Raises:
        TimeoutError: if it does not end in time.
        BaseException: whatever the call raises.
    """
    ended: SimpleQueue[tuple[Any, BaseException | None]] = SimpleQueue()

    def run() -> None:
        try:
            ended.put((call(), None))
        except BaseException as error:
            ended.put((None, error))

    Thread(target=copy_context().run, args=(run,), daemon=True).start()
    try:
        result, error = ended.get(timeout=seconds)
    except Empty:
        raise TimeoutError(f"no answer within {seconds:g} s") from None
    if error is not None:
        raise error
    return result  # type: ignore[no-any-return]


def event_loop() -> AbstractEventLoop:
    """Return an event loop for a call that may be given up.

    What asyncio does in threads, such as looking up a host, would else keep the process from ending until it is done.
    """
    from asyncio import new_event_loop
    from concurrent.futures import Future, ThreadPoolExecutor

    class DaemonThreads(ThreadPoolExecutor):
        def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
            future: Future[Any] = Future()
            future.set_running_or_notify_cancel()  # from now on it has a result to come, whoever still wants it

            def run() -> None:
                try:
                    future.set_result(fn(*args, **kwargs))
                except BaseException as error:
                    future.set_exception(error)

            Thread(target=run, daemon=True).start()
            return future

    loop = new_event_loop()
    loop.set_default_executor(DaemonThreads())
    return loop
