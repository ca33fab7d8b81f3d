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

# How many recordings at once that are larger than so many bytes: there is room for others beside them.
PLACES: tuple[tuple[int, int], ...] = ((4, 64 << 20), (8, 8 << 20), (12, -1))
MOST_AT_ONCE = PLACES[-1][0]
SUSPECT_PATIENCE_S = 600.0  # a suspect waits for a recogniser to be free; after that, one is set free for it


class Claims:
    """The claims of one recogniser.

    ``fair_share`` says how many recordings at once are its part, ``taken_by`` who else has its card.
    """

    def __init__(
        self,
        jobs: Jobs,
        opener: Opener,
        state: SessionState,
        fair_share: Callable[[], int],
        taken_by: Callable[[], str] = lambda: "",
    ) -> None:
        self._jobs = jobs
        self._opener = opener
        self._in_work = state.in_work
        self._live = state.live
        self._fair_share = fair_share
        self._taken_by = taken_by

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
            most_bytes=self._most_bytes(),
            only_urged=bool(self._taken_by()),
            patience_s=None if taken or self._live else SUSPECT_PATIENCE_S,
        )

    def _most_bytes(self) -> int | None:
        """Return how large the next one may be: above that, all places are taken."""
        sizes = [work.size_bytes for work in self._in_work.values()]
        full = (above for places, above in PLACES if sum(size > above for size in sizes) >= places)
        return min(full, default=None)
