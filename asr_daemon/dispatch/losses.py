"""How often in a row a recording was in work on a machine that was lost: some recordings take machines along.

Kept in memory: a daemon that is started anew counts from the beginning.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.dispatch.in_work import InWork

LOSSES_AN_ATTEMPT = 3
MOST_KEPT = 10_000  # those that were lost and finished elsewhere are not told of


class Losses:
    """The counts of all recognisers; from any thread."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}
        self._lock = threading.Lock()

    def is_an_attempt(self, work: InWork) -> bool:
        """Count that its machine was lost; return whether that makes an attempt, and count anew then.

        Nothing is held against a recording of which a segment was committed there.
        """
        with self._lock:
            count = self._counts.pop(work.job.id, 0) + 1
            if work.committed or count >= LOSSES_AN_ATTEMPT:
                return not work.committed
            self._counts[work.job.id] = count
            if len(self._counts) > MOST_KEPT:
                del self._counts[next(iter(self._counts))]
            return False
