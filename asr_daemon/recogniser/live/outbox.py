"""Lines to a reader who may not read: nothing here waits, and what waits for the reader is bounded.

Enters: lines, from any thread that holds the session's lock. Leaves: the same on a socket, in order, whole.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socket

MOST_BYTES = 256 << 10  # beside what the kernel holds: some hundred sentences


class Outbox:
    """What is to be sent on one socket, which does not block."""

    def __init__(self, end: socket.socket) -> None:
        self._socket = end
        self._lines: collections.deque[bytes] = collections.deque()
        self._sent = 0  # bytes of the first line that are on their way
        self._bytes = 0
        self.is_broken = False  # the other end has gone

    @property
    def is_empty(self) -> bool:
        """Whether everything was sent."""
        return not self._lines

    @property
    def is_full(self) -> bool:
        """Whether the reader is behind by more than it may be."""
        return self._bytes > MOST_BYTES

    def add(self, line: bytes) -> None:
        """Send a line, now or as soon as the reader takes it."""
        self._lines.append(line)
        self._bytes += len(line)
        self.flush()

    def end_with(self, line: bytes) -> None:
        """Forget what waits, but for the rest of a line that is on its way, and let this be the last."""
        begun = self._lines[0] if self._lines and self._sent else None
        self._lines.clear()
        if begun is not None:
            self._lines.append(begun)
        self._lines.append(line)
        self._bytes = sum(map(len, self._lines))
        self.flush()

    def flush(self) -> None:
        """Send what the reader takes at once."""
        while self._lines and not self.is_broken:
            try:
                self._sent += self._socket.send(memoryview(self._lines[0])[self._sent :])
            except BlockingIOError:
                return
            except OSError:
                self.is_broken = True
                return
            if self._sent == len(self._lines[0]):
                self._bytes -= len(self._lines.popleft())
                self._sent = 0
