"""Answers ``GET /metrics`` on a socket that listens: one thread, few connections, each for a short time.

Whoever is on this machine may connect, however often and slowly. Enters: a listening socket, what renders
the figures. Leaves: answers in HTTP/1.1, one a connection. Nothing raises: a connection that goes wrong is
closed.
"""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import structlog

if TYPE_CHECKING:
    from collections.abc import Callable

log = structlog.get_logger()

MOST_CONNECTIONS = 32  # the next one takes the place of the oldest: who asks in earnest asks at once
WITHIN_S = 5.0  # from the connection to the last byte of the answer
MOST_HEAD_BYTES = 8192
FRESH_S = 1.0  # figures serve for that long, however often they are asked for
STEP_S = 1.0
PAUSE_S = 0.2  # where no descriptor is left to take a connection with
CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_REASONS = {
    200: "OK",
    400: "Bad Request",
    404: "Not Found",
    405: "Method Not Allowed",
    500: "Internal Server Error",
}


@dataclass(slots=True)
class _Connection:
    socket: socket.socket
    until_s: float
    head: bytearray = field(default_factory=bytearray)
    answer: memoryview | None = None  # what is still to be sent


class ScrapeServer:
    """Serves until :meth:`stop`."""

    def __init__(self, listener: socket.socket, render: Callable[[], bytes]) -> None:
        listener.setblocking(False)
        self._listener = listener
        self._render = render
        self._figures: tuple[float, bytes] | None = None
        self._connections: dict[int, _Connection] = {}  # oldest first
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="metrics", daemon=True)

    def start(self) -> None:
        """Begin; raises ``RuntimeError`` where no thread is to be had."""
        self._thread.start()

    def stop(self) -> None:
        """End, and close the socket."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(STEP_S + WITHIN_S)
        self._listener.close()

    # ------------------------------------------------------------------ the loop

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._step()
            except Exception:
                log.exception("metrics_failed")
                self._stopping.wait(STEP_S)
        for connection in list(self._connections.values()):
            self._close(connection)
        self._selector.close()

    def _step(self) -> None:
        for key, _ in self._selector.select(STEP_S if not self._connections else PAUSE_S):
            if key.fileobj is self._listener:
                self._accept()
            elif connection := self._connections.get(key.fd):
                self._go_on(connection)
        now_s = time.monotonic()
        for connection in list(self._connections.values()):
            if now_s >= connection.until_s:
                self._close(connection)

    def _accept(self) -> None:
        try:
            accepted, _ = self._listener.accept()
        except BlockingIOError:
            return
        except OSError:
            self._stopping.wait(PAUSE_S)
            return
        if len(self._connections) >= MOST_CONNECTIONS:
            self._close(next(iter(self._connections.values())))
        accepted.setblocking(False)
        self._connections[accepted.fileno()] = _Connection(accepted, time.monotonic() + WITHIN_S)
        self._selector.register(accepted, selectors.EVENT_READ)

    def _go_on(self, connection: _Connection) -> None:
        try:
            if connection.answer is None:
                self._hear(connection)
            else:
                self._say(connection, connection.answer)
        except BlockingIOError:
            return
        except OSError:
            self._close(connection)

    def _close(self, connection: _Connection) -> None:
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(connection.socket)
        self._connections.pop(connection.socket.fileno(), None)
        connection.socket.close()

    # ------------------------------------------------------------------ one connection

    def _hear(self, connection: _Connection) -> None:
        block = connection.socket.recv(MOST_HEAD_BYTES)
        connection.head += block
        is_whole = b"\r\n\r\n" in connection.head or b"\n\n" in connection.head
        if not block:
            self._close(connection)
        elif is_whole or len(connection.head) > MOST_HEAD_BYTES:
            connection.answer = memoryview(self._answer(bytes(connection.head) if is_whole else b""))
            self._selector.modify(connection.socket, selectors.EVENT_WRITE)
            self._say(connection, connection.answer)

    def _say(self, connection: _Connection, answer: memoryview) -> None:
        connection.answer = answer[connection.socket.send(answer) :]
        if not connection.answer:
            with contextlib.suppress(OSError):
                connection.socket.shutdown(socket.SHUT_WR)
            self._close(connection)

    def _answer(self, head: bytes) -> bytes:
        words = head.split(b"\n", 1)[0].split()
        if len(words) != 3:  # noqa: PLR2004 (method, target, version)
            return _response(400)
        method, target = words[0], words[1].partition(b"?")[0]
        if method not in (b"GET", b"HEAD"):
            return _response(405)
        if target not in (b"/", b"/metrics"):
            return _response(404)
        try:
            return _response(200, self._fresh_figures(), is_head=method == b"HEAD")
        except Exception:
            log.exception("metrics_failed")
            return _response(500)

    def _fresh_figures(self) -> bytes:
        now_s = time.monotonic()
        if self._figures is None or now_s - self._figures[0] >= FRESH_S:
            self._figures = (now_s, self._render())
        return self._figures[1]


def _response(code: int, body: bytes = b"", *, is_head: bool = False) -> bytes:
    head = (
        f"HTTP/1.1 {code} {_REASONS[code]}\r\nContent-Type: {CONTENT_TYPE}\r\n"
        f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + (b"" if is_head else body)
