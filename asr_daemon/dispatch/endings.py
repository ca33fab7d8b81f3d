"""How claimed jobs ended that a recogniser has no longer: said in the history as soon as that can be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch.in_work import Ending
from asr_daemon.errors import (
    ClusterAwayError,
    EngineUnavailableError,
    MachineLostError,
    RecogniserCrashedError,
    RecordingGoneError,
    Retry,
    WorkError,
)
from asr_daemon.history.states import JobState
from asr_daemon.queue.memory_ladder import Rung

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.dispatch.in_work import InWork, SessionState
    from asr_daemon.dispatch.losses import Losses
    from asr_daemon.dispatch.opening import Opener
    from asr_daemon.queue.job import Job
    from asr_daemon.queue.jobs import Jobs

log = structlog.get_logger()


class Endings:
    """The endings of one recogniser's jobs; nothing is begun while one cannot be said."""

    def __init__(
        self,
        jobs: Jobs,
        deliverer: Deliverer,
        opener: Opener,
        state: SessionState,
        describe: Callable[[int], str],
        on_engine_trouble: Callable[[EngineUnavailableError], None],
        losses: Losses,
        wake_all: Callable[[], None],
    ) -> None:
        """``wake_all`` is called where something is queued again that others may take at once."""
        self._jobs = jobs
        self._deliverer = deliverer
        self._opener = opener
        self._state = state
        self._describe = describe
        self._on_engine_trouble = on_engine_trouble
        self._losses = losses
        self._wake_all = wake_all
        self._endings: list[Ending] = []

    def __bool__(self) -> bool:
        return bool(self._endings)

    def add(self, *endings: Ending) -> None:
        """Take endings, to be said by :meth:`say`."""
        self._endings += endings

    def lose(self, works: Sequence[InWork], error: WorkError) -> None:
        """Take those that were in work when their recogniser was lost.

        Which of several was it? Each is tried again, alone; nobody's fault is a machine that is gone, unless
        one recording takes several along.
        """
        for work in works:
            blamed: WorkError | None = error
            if isinstance(error, ClusterAwayError):
                blamed = None
            elif isinstance(error, MachineLostError):
                told = f"Several machines in a row were lost while they had this recording; the last: {error}"
                is_attempt = self._losses.is_an_attempt(work)
                blamed = RecogniserCrashedError(told, evidence=error.evidence) if is_attempt else None
            # The kernel ends who takes the machine's memory, and on the CPU it would be more of that.
            ending = Ending(work.job, blamed, at_once=len(works) > 1, last_rung=Rung.FRESH_PROCESS)
            self._endings.append(ending)

    def say(self) -> bool:
        """Say them; whether there were any. Raises :class:`~asr_daemon.errors.HistoryUnavailableError`."""
        said = bool(self._endings)
        while self._endings:
            ending = self._endings[0]
            if ending.error is None:
                self._jobs.put_back(ending.job.id)
                del self._endings[0]
                self._wake_all()
            else:
                state = self._jobs.fail(
                    ending.job.id, ending.error, at_once=ending.at_once, last_rung=ending.last_rung
                )
                del self._endings[0]
                self._tell(ending.job, ending.error, state)
        return said

    def _tell(self, job: Job, error: WorkError, state: JobState) -> None:
        first = job.waiting[0]
        self._state.count_failure(error.code)
        say = log.info if error.retry is Retry.WHEN_CLEARED else log.warning
        say(
            "recognition_failed",
            job=job.id,
            inbox=first.inbox,
            file=self._opener.shown(first),
            recogniser=self._state.name,
            error=error.code,
            problem=str(error),
            attempt=job.attempts,
            state=str(state),
        )
        if state is JobState.QUARANTINED:
            self._keep_description(job)
        if isinstance(error, EngineUnavailableError):
            self._on_engine_trouble(error)
        if state is not JobState.QUEUED or isinstance(error, RecordingGoneError):
            self._deliverer.deliver_job(job.id)

    def _keep_description(self, job: Job) -> None:
        """Keep, with the quarantined recording's evidence, what it looks like from outside."""
        try:
            _, descriptor = self._opener.open_first(list(job.waiting))
        except WorkError:  # it is gone, or cannot be read: that is said elsewhere
            return
        try:
            words = self._describe(descriptor)
        finally:
            os.close(descriptor)
        self._jobs.add_evidence(job.id, words)
