"""Lines over a Unix stream socket, a descriptor with a line where there is one (SCM_RIGHTS).

A descriptor travels with the first byte of its line. What is received and not taken is closed.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asr_daemon.files.passing import receive_some, send_line

if TYPE_CHECKING:
    import socket

MOST_LINE_BYTES = 64 << 20  # a transcript of many hours with the times of its words
MOST_ASK_BYTES = 2 << 20  # what is asked: a hotword list, at most


class WireError(OSError):
    """The other end sent more than a line may hold, or more descriptors than one."""


class Wire:
    """One end; a thread at a time."""

    def __init__(self, end: socket.socket, most_line_bytes: int = MOST_LINE_BYTES) -> None:
        self._socket = end
        self._most = most_line_bytes
        self._bytes = bytearray()
        self._seen = 0  # of them, that hold no end of line
        self._descriptor: int | None = None

    def fileno(self) -> int:
        """Return the socket's descriptor, for ``select``."""
        return self._socket.fileno()

    def settle(self, within_s: float) -> None:
        """Give every step that long; later ones raise ``TimeoutError``."""
        self._socket.settimeout(within_s)

    def send(self, line: bytes, descriptor: int | None = None) -> None:
        """Send a line, with a descriptor (it stays open here); raises ``OSError``."""
        send_line(self._socket, line, () if descriptor is None else (descriptor,))

    def receive(self) -> bytes | None:
        """Return the next line without its end, None where the other end is gone.

        Raises :class:`WireError`, and ``TimeoutError`` by the socket's own time-out.
        """
        while (end := self._bytes.find(b"\n", self._seen)) < 0:
            self._seen = len(self._bytes)
            if self._seen > self._most:
                raise WireError("the line is too long")
            data, descriptors = receive_some(self._socket, 2)
            self._keep(descriptors)
            if not data:
                return None
            self._bytes += data
        line = bytes(self._bytes[:end])
        del self._bytes[: end + 1]
        self._seen = 0
        return line

    def _keep(self, descriptors: list[int]) -> None:
        for descriptor in descriptors[1:] if self._descriptor is None else descriptors:
            os.close(descriptor)
        if self._descriptor is None and descriptors:
            self._descriptor = descriptors[0]

    def take_descriptor(self) -> int | None:
        """Return the descriptor that came with the last line; the caller closes it."""
        descriptor, self._descriptor = self._descriptor, None
        return descriptor

    def close(self) -> None:
        """Close the end, and a descriptor that was not taken."""
        if (descriptor := self.take_descriptor()) is not None:
            os.close(descriptor)
        self._socket.close()
