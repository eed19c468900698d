"""Servers for tests: real ones in processes of their own, and small ones that answer as they are told."""

from __future__ import annotations

import random
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from typing import Any, Self, TypeVar

import pytest

Found = TypeVar("Found")
DEADLINE = 120.0  # seconds, on a busy machine


def free_port() -> int:
    """Return a port that nobody listens on, below those that the system gives while a slow server starts."""
    while True:
        port = random.SystemRandom().randrange(20_000, 30_000)
        with socket.socket() as listener, suppress(OSError):
            listener.bind(("127.0.0.1", port))
            return port


def program(name: str) -> str:
    """Return the path of an installed program, or skip the test by its name."""
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not installed; .ci/run says where it comes from")
    return found


def eventually(look: Callable[[], Found]) -> Found:
    """Return the first truth that a look finds before the deadline, and else fail with what it found last."""
    end, tick, found = time.monotonic() + DEADLINE, Event(), look()
    while not found and time.monotonic() < end:
        tick.wait(0.1)
        found = look()
    assert found
    return found


def read(url: str) -> str:
    """Return what a URL answers; nothing while nobody does."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return ""


@contextmanager
def running(*command: str | Path, ready: str) -> Iterator[None]:
    """Run a server until the block ends, from when the URL ``ready`` answers on."""
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        eventually(lambda: read(ready))
        yield
    finally:
        server.terminate()
        server.wait(DEADLINE)


class LocalServer:
    """An HTTP server of this process on a free port, while it is used as a context; a subclass says what it answers."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def respond(self, request: BaseHTTPRequestHandler, body: str) -> None:
        """Answer one request."""
        raise NotImplementedError

    def __enter__(self) -> Self:
        respond = self.respond

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                respond(self, self.rfile.read(int(self.headers.get("Content-Length", 0))).decode())

            def handle(self) -> None:
                with suppress(OSError):  # whoever asked has given up
                    super().handle()

            do_GET = do_POST = do_PUT = do_PATCH = answer  # noqa: N815 - the names that http.server calls

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()


class Answering(LocalServer):
    """Keeps what it was asked and answers with ``status`` and ``body``.

    One that hangs sends a header ten times a second and comes to no end, which no time-out of a socket notices.
    """

    def __init__(self, status: int = 200, body: str = "", hangs: bool = False) -> None:
        self.status, self.body, self.hangs = status, body, hangs
        self.requests: list[tuple[str, str, str]] = []  # method, path, body
        self.headers: list[dict[str, str]] = []
        self.released = Event()

    def respond(self, request: BaseHTTPRequestHandler, body: str) -> None:
        """Answer as told, whatever was asked."""
        self.requests.append((request.command, request.path, body))
        self.headers.append(dict(request.headers))
        if self.hangs:
            request.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.released.wait(0.1):
                request.wfile.write(b"X-More: to come\r\n")
            return
        request.send_response(self.status)
        request.send_header("Content-Type", "application/json")
        request.end_headers()
        request.wfile.write(self.body.encode())

    def __exit__(self, *_: object) -> None:
        self.released.set()
        super().__exit__()
