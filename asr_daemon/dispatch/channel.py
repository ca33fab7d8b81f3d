"""The line between daemon and recogniser: messages and descriptors over one Unix stream socket.

Used by both ends; knows nothing of torch. A descriptor travels with the first byte of its line (SCM_RIGHTS),
so descriptors and the lines that bring one arrive in the same order, however the stream is cut.
"""

from __future__ import annotations

import collections
import contextlib
import os
import select
import socket
import threading
from typing import TYPE_CHECKING

from asr_daemon.dispatch.protocol import Listen, Recognise, decode, encode
from asr_daemon.files.passing import receive_some, send_line

if TYPE_CHECKING:
    from asr_daemon.dispatch.protocol import Message

_MOST_DESCRIPTORS = 16


class Channel:
    """One end of the line. :meth:`send` may be called from any thread, :meth:`receive` from one."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._sending = threading.Lock()
        self._bytes = bytearray()
        self._descriptors: collections.deque[int] = collections.deque()
        self._is_over = False

    def fileno(self) -> int:
        """Return the socket's descriptor, for ``select``."""
        return self._socket.fileno()

    def send(self, message: Message, fd: int | None = None) -> None:
        """Send one message, with a descriptor where it is given (it stays open here).

        Raises ``OSError`` (``BrokenPipeError`` mostly) where the other end is gone.
        """
        with self._sending:
            send_line(self._socket, encode(message), () if fd is None else (fd,))

    def receive(self, timeout_s: float | None = None) -> tuple[Message, int | None] | None:
        """Return the next message and its descriptor (the caller's to close); None after the time-out.

        Raises ``EOFError`` once the other end is closed and every whole line was returned, ``ValueError``
        where a line is no message.
        """
        while (line := self._take_line()) is None:
            if self._is_over:
                raise EOFError
            readable, _, _ = select.select([self._socket], [], [], timeout_s)
            if not readable:
                return None
            self._fill()
        message = decode(line)
        brings_one = isinstance(message, (Recognise, Listen))
        fd = self._descriptors.popleft() if brings_one and self._descriptors else None
        return message, fd

    def finish(self) -> None:
        """Send nothing more: the other end reads what there is, then the end, and may still speak."""
        with contextlib.suppress(OSError):  # it is gone already
            self._socket.shutdown(socket.SHUT_WR)

    def close(self) -> None:
        """Close this end and every descriptor that was not taken."""
        self._socket.close()
        while self._descriptors:
            os.close(self._descriptors.popleft())

    def _take_line(self) -> bytes | None:
        end = self._bytes.find(b"\n")
        if end < 0:
            return None
        line = bytes(self._bytes[:end])
        del self._bytes[: end + 1]
        return line

    def _fill(self) -> None:
        try:
            data, fds = receive_some(self._socket, _MOST_DESCRIPTORS)
        except ConnectionResetError:
            data, fds = b"", []
        self._descriptors.extend(fds)
        self._bytes += data
        self._is_over = not data
