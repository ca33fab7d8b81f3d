"""Telling whoever watches that something changed, so that nobody has to ask again and again.

Enters: :meth:`Changes.happened`, from any thread, as often as it likes. Leaves: a version that grows; those
who wait for a later one wake up, not oftener than ``quiet_s``.
"""

from __future__ import annotations

import threading
import time

from asr_daemon.control.attendance import Attendance


class Changes:
    """A counter that can be waited for."""

    def __init__(self) -> None:
        self._version = 0
        self._is_over = False
        self._changed = threading.Condition()
        self.attendance = Attendance()  # of gateways, which tell whoever watches there

    def happened(self) -> None:
        """Say that something changed."""
        with self._changed:
            self._version += 1
            self._changed.notify_all()

    def end(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def rest(self, for_s: float) -> bool:
        """Wait that long; return whether it goes on: False, at once, when it is over."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._is_over, for_s)

    def after(self, seen: int, *, within_s: float, quiet_s: float = 0.0) -> int | None:
        """Return a version later than that, ``seen`` itself after the time, None when it is over.

        Waits ``quiet_s`` longer where something happened: several changes are told at once.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._version != seen, within_s)
            if self._is_over:
                return None
            if self._version == seen:
                return seen
        if quiet_s:
            time.sleep(quiet_s)
        with self._changed:
            return None if self._is_over else self._version
