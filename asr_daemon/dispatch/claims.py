"""Which job a recogniser may take next: places for long recordings and for short ones, and suspects alone.

Several recordings are given to a recogniser at once, so that short ones share its batches. Long ones leave
places free for short ones, which never wait for their end. While somebody speaks live, suspects wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.queue.turns import Sizes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from asr_daemon.dispatch.in_work import SessionState
    from asr_daemon.dispatch.opening import Opener
    from asr_daemon.queue.job import Job
    from asr_daemon.queue.jobs import Jobs

# How many recordings at once that are larger than so many bytes: there is room for others beside them.
PLACES: tuple[tuple[int, int], ...] = ((4, 64 << 20), (8, 8 << 20), (12, -1))
MOST_AT_ONCE = PLACES[-1][0]
FOR_NEWCOMERS = 4  # more, for inboxes that have nothing in work, and for who waits at a screen
SUSPECT_PATIENCE_S = 600.0  # a suspect waits for a recogniser to be free; after that, one is set free for it


class Claims:
    """The claims of one recogniser.

    ``fair_share`` says how many recordings at once are its part, ``taken_by`` who else has its card,
    ``sizes`` how large they may be (None: it takes none).
    """

    def __init__(
        self,
        jobs: Jobs,
        opener: Opener,
        state: SessionState,
        fair_share: Callable[[], int],
        taken_by: Callable[[], str] = lambda: "",
        sizes: Callable[[], Sizes | None] = Sizes,
    ) -> None:
        self._jobs = jobs
        self._opener = opener
        self._in_work = state.in_work
        self._live = state.live
        self._fair_share = fair_share
        self._taken_by = taken_by
        self._sizes = sizes

    def has_place(self) -> bool:
        """Whether another recording may be taken beside what is in work."""
        taken, sizes = len(self._in_work), self._sizes()
        if sizes is None:
            return False
        if not taken:
            return True
        if taken >= MOST_AT_ONCE + FOR_NEWCOMERS or any(w.job.is_suspect for w in self._in_work.values()):
            return False  # a suspect has the recogniser to itself
        # in a long queue, no recogniser would be free for an overdue suspect for days
        away = self._opener.away()
        return bool(self._live) or not self._jobs.has_overdue_suspect(SUSPECT_PATIENCE_S, away, sizes)

    def next(self, recogniser: str) -> Job | None:
        """Claim what is due and fits the next place; None where nothing does.

        Where all places are taken, who has nothing in work here gets one more, and who waits at a screen.
        """
        taken = len(self._in_work)
        if taken < MOST_AT_ONCE and (not taken or taken < self._fair_share()):
            job = self._claim(recogniser, most_bytes=self._most_bytes())
            if job is not None or not taken:
                return job
        return self._claim(recogniser, without={work.job.inbox for work in self._in_work.values()})

    def _claim(
        self, recogniser: str, *, most_bytes: int | None = None, without: Collection[str] = ()
    ) -> Job | None:
        is_busy, sizes = bool(self._in_work or self._live), self._sizes()
        if sizes is None:
            return None
        bounds = [each for each in (most_bytes, sizes.most_bytes) if each is not None]
        return self._jobs.claim(
            recogniser,
            fresh_only=is_busy,  # nothing ends the recogniser of whoever speaks
            away=self._opener.away(),
            most_bytes=min(bounds, default=None),
            above_bytes=sizes.above_bytes,
            only_urged=bool(self._taken_by()),
            patience_s=None if is_busy else SUSPECT_PATIENCE_S,
            without=without,
        )

    def _most_bytes(self) -> int | None:
        """Return how large the next one may be: above that, all places are taken."""
        sizes = [work.size_bytes for work in self._in_work.values()]
        full = (above for places, above in PLACES if sum(size > above for size in sizes) >= places)
        return min(full, default=None)
