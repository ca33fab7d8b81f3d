"""Which job a recogniser may take next: places for long recordings and for short ones, and suspects alone.

Several recordings are given to a recogniser at once, so that short ones share its batches. Long ones leave
places free for short ones, which never wait for their end. While somebody speaks live, suspects wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.dispatch.in_work import SessionState
    from asr_daemon.dispatch.opening import Opener
    from asr_daemon.queue.job import Job
    from asr_daemon.queue.jobs import Jobs

# How many recordings, and how large the file in bytes may be that takes a place below that number.
PLACES: tuple[tuple[int, int | None], ...] = ((4, None), (8, 64 << 20), (12, 8 << 20))
MOST_AT_ONCE = PLACES[-1][0]
SUSPECT_PATIENCE_S = 600.0  # a suspect waits for a recogniser to be free; after that, one is set free for it


class Claims:
    """The claims of one recogniser; ``fair_share`` says how many recordings at once are its part."""

    def __init__(
        self, jobs: Jobs, opener: Opener, state: SessionState, fair_share: Callable[[], int]
    ) -> None:
        self._jobs = jobs
        self._opener = opener
        self._in_work = state.in_work
        self._live = state.live
        self._fair_share = fair_share

    def has_place(self) -> bool:
        """Whether another recording may be taken beside what is in work."""
        taken = len(self._in_work)
        if not taken:
            return True
        if taken >= MOST_AT_ONCE or any(work.job.is_suspect for work in self._in_work.values()):
            return False  # a suspect has the recogniser to itself
        if not self._live and self._jobs.has_overdue_suspect(SUSPECT_PATIENCE_S, self._opener.away()):
            return False  # in a long queue, no recogniser would be free for it for days
        return taken < self._fair_share()

    def next(self, recogniser: str) -> Job | None:
        """Claim what is due and fits the next place; None where nothing does."""
        taken = len(self._in_work)
        return self._jobs.claim(
            recogniser,
            fresh_only=taken > 0 or bool(self._live),  # nothing ends the recogniser of whoever speaks
            away=self._opener.away(),
            most_bytes=next(most_bytes for places, most_bytes in PLACES if taken < places),
        )
