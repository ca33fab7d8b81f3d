"""The Unix socket by which commands reach a running daemon: a JSON request and a JSON answer a connection.

Only the daemon's own user and root may ask. A request is ``{"command": NAME, ...}``; the answer
``{"ok": true, ...}`` or ``{"ok": false, "error": "one sentence", "exit_code": 1}``. While an answer is being
found an empty line comes every second: who hears nothing for longer knows that the daemon hangs, and a backup
of a large history may take as long as it takes.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import socket
import socketserver
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.control.listening import BACKLOG, Listener, part, short_name, user_of
from asr_daemon.errors import OperatorError, WorkError
from asr_daemon.files.passing import receive_some, send_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

log = structlog.get_logger()

MAX_REQUEST_BYTES = 8 * 1024 * 1024
REQUEST_WITHIN_S = 10.0
SIGN_OF_LIFE_S = 1.0
SILENT_FOR_S = 10.0  # several signs of life: the machine may be busy
MOST_DESCRIPTORS = 100  # in one question; the kernel passes 253

Answer = dict[str, Any]


class NotRunningError(OperatorError):
    """No daemon is running on this state folder."""


class NotAnsweringError(OperatorError):
    """The running daemon does not answer: it hangs, or the machine is too busy; see its journal."""


class ControlServer(Listener):
    """Answers requests in threads of its own until closed."""

    def __init__(self, path: Path, answer: Callable[[Answer], Answer]) -> None:
        super().__init__(path, lambda name: _Server(name, _Handler, answer), "control")


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(self, path: str, handler: type[_Handler], answer: Callable[[Answer], Answer]) -> None:
        self.answer = answer
        super().__init__(path, handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = REQUEST_WITHIN_S

    def handle(self) -> None:
        if not _is_allowed(self.request):
            self._say(
                {"ok": False, "error": "only the service's own user and root may steer it", "exit_code": 1}
            )
            part(self.request)
            return
        descriptors: list[int] = []
        try:
            line = _receive(self.request, descriptors)
            with self._signs_of_life():
                answer = self._answer(line, descriptors)
            self._say(answer)
        except OSError:  # it asks nothing, or has gone
            return
        finally:
            for descriptor in descriptors:
                os.close(descriptor)

    def _answer(self, line: bytes, descriptors: list[int]) -> Answer:
        try:
            request = json.loads(line)
            request.pop("descriptors", None)
            if descriptors:
                request["descriptors"] = descriptors
            return {"ok": True, **self.server.answer(request)}
        except OperatorError as error:
            return {"ok": False, "error": str(error), "exit_code": error.exit_code}
        except WorkError as error:
            return {"ok": False, "error": str(error), "exit_code": 1}
        except Exception as error:
            log.exception("control_request_failed")
            return {"ok": False, "error": f"{type(error).__name__}: {error}", "exit_code": 1}

    @contextlib.contextmanager
    def _signs_of_life(self) -> Iterator[None]:
        is_over = threading.Event()

        def give() -> None:
            while not is_over.wait(SIGN_OF_LIFE_S):
                with contextlib.suppress(OSError):
                    self.wfile.write(b"\n")

        thread = threading.Thread(target=give, name="control, signs of life", daemon=True)
        thread.start()
        try:
            yield
        finally:
            is_over.set()
            thread.join()

    def _say(self, answer: Answer) -> None:
        with contextlib.suppress(OSError):  # the asker has gone
            self.wfile.write(
                json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"
            )


def _receive(connection: socket.socket, descriptors: list[int]) -> bytes:
    """Return the line that is asked; open files that came with it are added to ``descriptors``."""
    asked = bytearray()
    while not asked.endswith(b"\n") and len(asked) < MAX_REQUEST_BYTES:
        block, came = receive_some(connection, MOST_DESCRIPTORS)
        descriptors += came
        if not block:
            break
        asked += block
    return bytes(asked)


def _is_allowed(connection: socket.socket) -> bool:
    """Return whether the user at the other end may steer the daemon."""
    return may_steer(user_of(connection))


def may_steer(user: int) -> bool:
    """Return whether a user (by number) may: the daemon's own, and root."""
    return user in (0, os.geteuid())


def ask(
    path: Path,
    command: str,
    *,
    silent_for_s: float = SILENT_FOR_S,
    within_s: float = math.inf,
    descriptors: Sequence[int] = (),
    **arguments: Any,
) -> Answer:
    """Ask the daemon behind the socket; it may take as long as it gives signs of life, or ``within_s``.

    ``descriptors``: open files that are handed over with the question, ``MOST_DESCRIPTORS`` at most.

    Raises :class:`NotRunningError` where none listens, :class:`NotAnsweringError` where it gives none for
    ``silent_for_s``, or no answer in time, :class:`~asr_daemon.errors.OperatorError` with the daemon's own
    sentence where it refused.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(silent_for_s)
        try:
            with short_name(path) as name:
                connection.connect(name)
            asked = json.dumps({"command": command, **arguments}).encode() + b"\n"
            send_line(connection, asked, descriptors)
            line = _first_line(connection, silent_for_s, time.monotonic() + within_s)
        except (FileNotFoundError, NotADirectoryError, ConnectionRefusedError):
            raise NotRunningError from None
        except PermissionError:
            raise OperatorError(
                "the running daemon belongs to another user: ask as that user or as root"
            ) from None
        except (TimeoutError, BlockingIOError):  # the latter: so many have asked that no more may wait
            raise NotAnsweringError from None
        except (BrokenPipeError, ConnectionResetError):
            line = b""
    told = line.decode("utf-8", "surrogateescape")  # names of files are bytes
    answer: Answer = json.loads(told) if told else {"ok": False, "error": "the daemon ended meanwhile"}
    if not answer.pop("ok"):
        error = OperatorError(answer["error"])
        error.exit_code = answer.get("exit_code", 1)  # type: ignore[misc]
        raise error
    return answer


def _first_line(connection: socket.socket, silent_for_s: float, until_s: float) -> bytes:
    """Return the first line that says something; b"" where the daemon has gone."""
    with connection.makefile("rb") as lines:
        while True:
            left_s = until_s - time.monotonic()
            if left_s <= 0:
                raise TimeoutError
            connection.settimeout(min(silent_for_s, left_s))
            line = lines.readline()
            if not line or line.strip():
                return bytes(line)
