"""What leaves a recogniser before its end: nobody waits for it any more, or its time is over for now.

Enters: what is in work. Leaves: jobs that are queued again or withdrawn, with what was recognised of them;
no attempt is spent. What nobody waits for is stopped at once; what only goes on later (outside its inbox's
hours, or while others have the card) once the segments that are on the device are committed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch import protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.clock import Clock
    from asr_daemon.dispatch.in_work import SessionState
    from asr_daemon.dispatch.keeper import Recogniser
    from asr_daemon.queue.jobs import Jobs

log = structlog.get_logger()

SEGMENT_WITHIN_S = 60.0  # longer is not waited for a segment


class Leaving:
    """Stops work of one recogniser; ``taken_by`` says who has its card, "" nobody."""

    def __init__(self, jobs: Jobs, state: SessionState, clock: Clock, taken_by: Callable[[], str]) -> None:
        self._jobs = jobs
        self._state = state
        self._clock = clock
        self._taken_by = taken_by
        self._noticed: dict[int, tuple[int, float]] = {}  # by order: what was committed, and when that was

    def stop(self, recogniser: Recogniser | None) -> None:
        """Stop what is to stop now."""
        orders = {work.job.id: order for order, work in self._state.in_work.items()}
        if not orders:
            self._noticed.clear()
            return
        for job in self._jobs.unwanted(orders):
            self._stop(orders.pop(job), recogniser, "recognition_cancelled")
        others = self._taken_by()
        held_back = {orders[job] for job in self._jobs.turns.held_back(orders, all_of_them=bool(others))}
        self._noticed = {order: seen for order, seen in self._noticed.items() if order in held_back}
        for order in held_back:
            committed, now_s = self._state.in_work[order].committed, self._clock.monotonic_s()
            before, since_s = self._noticed.setdefault(order, (committed, now_s))
            if committed > before or now_s - since_s >= SEGMENT_WITHIN_S:
                self._stop(order, recogniser, "recognition_put_off", why="others" if others else "hours")

    def _stop(self, order: int, recogniser: Recogniser | None, event: str, **told: str) -> None:
        work = self._state.in_work[order]
        self._jobs.put_back(work.job.id)
        del self._state.in_work[order]
        log.info(
            event,
            job=work.job.id,
            inbox=work.inbox,
            file=work.name,
            recogniser=self._state.name,
            recognised_ms=work.recognised_ms,
            **told,
        )
        if recogniser is not None:
            recogniser.send(protocol.Cancel(order))
