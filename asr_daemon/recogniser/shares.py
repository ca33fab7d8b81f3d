"""How inboxes share a recogniser once they have places in it: by seconds of sound.

The claims see to it that each inbox gets its part of the places; here each gets its part of what is decoded
and computed meanwhile. Each has a clock of its own, as in :mod:`asr_daemon.queue.fairness`; a new one begins
at the time of now.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.recogniser.job import Job

URGED_WEIGHT = 4.0  # of what somebody waits for at a screen, beside an inbox's own weight


class Shares:
    """What each inbox got of the device; used under the pool's lock."""

    def __init__(self) -> None:
        self._clock_s: dict[str, float] = defaultdict(float)
        self._now_s = 0.0

    def late_s(self, job: Job) -> float:
        """Return how late it is for a recording's inbox: who is furthest behind is next."""
        return max(self._now_s, self._clock_s[job.share])

    def begin(self, job: Job) -> None:
        """It is that one's turn."""
        self._now_s = self.late_s(job)

    def serve(self, job: Job, sound_s: float) -> None:
        """So much sound of a recording goes through the device."""
        self._clock_s[job.share] = self.late_s(job) + sound_s / job.weight
