"""The bridge's end of its line to the daemon: says what is offered, hears who is wanted."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING

from asr_daemon.control.listening import short_name
from asr_daemon.dispatch.channel import Channel
from asr_daemon.dispatch.cluster_messages import Hire, Refused, decode, encode
from asr_daemon.files.passing import receive_some, send_line

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.dispatch.cluster_messages import Hello, Offer

_MOST_DESCRIPTORS = 16


class DaemonLine:
    """One connection; say from any thread, hear from one. Both raise ``OSError`` at its end."""

    def __init__(self, path: Path) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._saying = threading.Lock()
        self._bytes = bytearray()
        self._descriptors: list[int] = []
        try:
            with short_name(path) as name:
                self._socket.connect(name)
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._socket.fileno()

    def say(self, message: Hello | Offer) -> None:
        """Say it."""
        with self._saying:
            send_line(self._socket, encode(message))

    def hear(self) -> list[Refused | tuple[Hire, Channel]]:
        """Return what the daemon said, once there is something."""
        data, descriptors = receive_some(self._socket, _MOST_DESCRIPTORS)
        self._descriptors += descriptors
        if not data:
            raise ConnectionResetError("the daemon is gone")
        self._bytes += data
        *lines, rest = self._bytes.split(b"\n")
        self._bytes = rest
        heard: list[Refused | tuple[Hire, Channel]] = []
        for line in lines:
            message = decode(bytes(line))
            if isinstance(message, Refused):
                heard.append(message)
            elif isinstance(message, Hire) and self._descriptors:
                heard.append((message, Channel(socket.socket(fileno=self._descriptors.pop(0)))))
        return heard

    def close(self) -> None:
        """Hang up."""
        with contextlib.suppress(OSError):
            self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.pop())
