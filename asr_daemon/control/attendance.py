"""Which gateways are there: each keeps a connection open as long as it serves.

Enters: what a gateway says of itself. Leaves: the list, for status, metrics and check.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from asr_daemon.control import messages as m

if TYPE_CHECKING:
    from collections.abc import Generator

    from asr_daemon.control.changes import Changes

log = structlog.get_logger()

HEARTBEAT_S = 5.0  # how soon one that went without a word is missed


class Attendance:
    """Those that are there; any thread."""

    def __init__(self) -> None:
        self._there: dict[int, m.Attend] = {}
        self._lock = threading.Lock()
        self._count = 0

    @property
    def now(self) -> list[m.Attend]:
        """Return them, the longest there first."""
        with self._lock:
            return list(self._there.values())

    def serve(self, ask: m.Ask, changes: Changes) -> Generator[m.Told, None, None]:
        """Count one as there until its connection ends, which sending to it tells."""
        assert isinstance(ask.request, m.Attend)  # noqa: S101 (it is called for that)
        with self._lock:
            self._count += 1
            number = self._count
            self._there[number] = ask.request
        told = {"listen": ask.request.listen, "tls": ask.request.tls, "user": ask.request.user}
        log.info("gateway_attends", process=ask.request.pid, **told)
        try:
            yield m.Done()
            while changes.rest(HEARTBEAT_S):
                yield m.Done()
        finally:
            with self._lock:
                del self._there[number]
            log.info("gateway_left", process=ask.request.pid)
