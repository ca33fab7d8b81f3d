"""Read-only connections for those who look things up: they hold up neither the writer nor each other.

SQLite's write-ahead log lets every connection read what is committed while another one writes. A few are
kept open; who finds none free opens one more, which is closed afterwards.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from asr_daemon.history.connection import open_history_read_only

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.history.connection import History

KEPT = 4


class Readers:
    """Connections to look things up; any thread."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: list[History] = []
        self._lock = threading.Lock()
        self._is_closed = False

    @contextlib.contextmanager
    def reader(self) -> Iterator[History]:
        """Lend a connection; raises as :func:`open_history_read_only`."""
        with self._lock:
            history = self._free.pop() if self._free else None
        history = history or open_history_read_only(self._path)
        try:
            yield history
        except BaseException:  # what it may be in the middle of is not known
            history.close()
            raise
        with self._lock:
            is_kept = not self._is_closed and len(self._free) < KEPT
            if is_kept:
                self._free.append(history)
        if not is_kept:
            history.close()

    def close(self) -> None:
        """Close those that are free; those that are lent, when they come back."""
        with self._lock:
            self._is_closed = True
            free, self._free = self._free, []
        for history in free:
            history.close()
