"""What a machine has to say, until the bridge asks for it; bounded, so that who speaks waits."""

from __future__ import annotations

import collections
import threading

MOST_WAITING_BYTES = 8 << 20  # then the child waits
MOST_AT_ONCE_BYTES = 90_000  # Ray keeps an answer below 100 kB out of its object store


class Outbox:
    """Lines in order; any thread puts, one takes."""

    def __init__(self) -> None:
        self._lines: collections.deque[bytes] = collections.deque()
        self._waiting_bytes = 0
        self._changed = threading.Condition()

    def put(self, line: bytes) -> None:
        """Add a line; waits while much waits."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting_bytes < MOST_WAITING_BYTES)
            self._lines.append(line)
            self._waiting_bytes += len(line)
            self._changed.notify_all()

    def take(self, timeout_s: float) -> bytes:
        """Return the next lines, one at least, together; b"" where none came in that time."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._lines), timeout_s)
            taken: list[bytes] = []
            size = 0
            while self._lines and (not taken or size + len(self._lines[0]) <= MOST_AT_ONCE_BYTES):
                taken.append(self._lines.popleft())
                size += len(taken[-1])
            self._waiting_bytes -= size
            self._changed.notify_all()
            return b"".join(taken)
