"""What the main thread does while the others work: systemd's watchdog, fed from their progress.

It waits for nobody: not for a lock, not for the history, not for a share. What `systemctl status` shows is
found by a thread of the schedule and only passed on here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import AsrDaemonError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from asr_daemon.service.heartbeats import Heartbeats
    from asr_daemon.service.sd_notify import Notifier

log = structlog.get_logger()


class Watchdog:
    """Tells systemd how it goes."""

    def __init__(self, notifier: Notifier, heartbeats: Heartbeats) -> None:
        self.status_line = ""
        self._notifier = notifier
        self._heartbeats = heartbeats
        self._stuck: frozenset[str] = frozenset()

    def tick(self, dead_threads: Callable[[], Iterable[str]]) -> None:
        """Feed it, unless a thread is stuck.

        Raises :class:`~asr_daemon.errors.AsrDaemonError` where a thread has died: that ends the daemon.
        Either way systemd starts it anew.
        """
        for name in dead_threads():
            raise AsrDaemonError(f"the {name} thread ended unexpectedly")
        if self.status_line:
            self._notifier.status(self.status_line)
        stuck = self._heartbeats.stuck()
        for name in stuck.keys() - self._stuck:
            log.error("thread_stuck", thread=name, for_s=round(stuck[name]))
        self._stuck = frozenset(stuck)
        if not stuck:
            self._notifier.watchdog()
