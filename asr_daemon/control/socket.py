"""The Unix socket by which commands reach a running daemon: a JSON request and a JSON answer a connection.

Only the daemon's own user and root may ask. A request is ``{"command": NAME, ...}``; the answer
``{"ok": true, ...}`` or ``{"ok": false, "error": "one sentence", "exit_code": 1}``.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import socketserver
import struct
import threading
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

log = structlog.get_logger()

MAX_REQUEST_BYTES = 8 * 1024 * 1024
ANSWER_TIMEOUT_S = 120.0

Answer = dict[str, Any]


class NotRunningError(OperatorError):
    """No daemon is running on this state folder."""


class ControlServer:
    """Answers requests in threads of its own until closed."""

    def __init__(self, path: Path, answer: Callable[[Answer], Answer]) -> None:
        self._path = path
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # of a daemon that was killed; the lock is ours
        self._server = _Server(os.fspath(path), _Handler, answer)
        path.chmod(0o600)
        self._thread = threading.Thread(target=self._server.serve_forever, name="control", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._server.shutdown()
        self._server.server_close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


class _Server(socketserver.ThreadingUnixStreamServer):
    daemon_threads = True

    def __init__(self, path: str, handler: type[_Handler], answer: Callable[[Answer], Answer]) -> None:
        self.answer = answer
        super().__init__(path, handler)


class _Handler(socketserver.StreamRequestHandler):
    server: _Server
    timeout = ANSWER_TIMEOUT_S

    def handle(self) -> None:
        if not self._is_allowed():
            self._say(
                {"ok": False, "error": "only the service's own user and root may steer it", "exit_code": 1}
            )
            return
        line = self.rfile.readline(MAX_REQUEST_BYTES)
        try:
            answer = {"ok": True, **self.server.answer(json.loads(line))}
        except OperatorError as error:
            answer = {"ok": False, "error": str(error), "exit_code": error.exit_code}
        except Exception as error:
            log.exception("control_request_failed")
            answer = {"ok": False, "error": f"{type(error).__name__}: {error}", "exit_code": 1}
        self._say(answer)

    def _say(self, answer: Answer) -> None:
        with contextlib.suppress(OSError):  # the asker has gone
            self.wfile.write(
                json.dumps(answer, ensure_ascii=False).encode("utf-8", "surrogateescape") + b"\n"
            )

    def _is_allowed(self) -> bool:
        credentials = self.request.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        _, user, _ = struct.unpack("3i", credentials)
        return user in (0, os.geteuid())


def ask(path: Path, command: str, **arguments: Any) -> Answer:
    """Ask the daemon behind the socket.

    Raises :class:`NotRunningError` where none listens, and :class:`~asr_daemon.errors.OperatorError` with
    the daemon's own sentence where it refused.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(ANSWER_TIMEOUT_S)
        try:
            connection.connect(os.fspath(path))
        except (FileNotFoundError, ConnectionRefusedError):
            raise NotRunningError from None
        except PermissionError:
            raise OperatorError(
                "the running daemon belongs to another user: ask as that user or as root"
            ) from None
        try:
            connection.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            line = connection.makefile("rb").readline()
        except (BrokenPipeError, ConnectionResetError):
            line = b""
    answer: Answer = json.loads(line) if line else {"ok": False, "error": "the daemon ended meanwhile"}
    if not answer.pop("ok"):
        error = OperatorError(answer["error"])
        error.exit_code = answer.get("exit_code", 1)  # type: ignore[misc]
        raise error
    return answer
