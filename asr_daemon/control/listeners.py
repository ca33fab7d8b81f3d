"""How many wait at the gateway's socket to be told of something, so that they leave room for those who ask.

Each who watches, or waits for a transcript, has a connection and a thread of the daemon for hours. Enters:
whose it is. Leaves: a place among them, or the refusal.
"""

from __future__ import annotations

import collections
import contextlib
import threading
from typing import TYPE_CHECKING

from asr_daemon.control.refused import RefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST = 400  # of all the connections
MOST_OF_ONE = 250  # of one access: a department's, with all its browsers


class Listeners:
    """Counts them; any thread."""

    def __init__(self) -> None:
        self._of: collections.Counter[str] = collections.Counter()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def place(self, name: str) -> Iterator[None]:
        """Be one of them; raises :class:`RefusedError` where there are too many."""
        with self._lock:
            if self._of[name] >= MOST_OF_ONE or self._of.total() >= MOST:
                raise RefusedError("unavailable", "too many wait for news already", "系统正忙，请稍后再试。")
            self._of[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._of[name] -= 1
                self._of += collections.Counter()  # drops those that are zero
