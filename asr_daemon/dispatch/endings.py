"""How claimed jobs ended that a recogniser has no longer: said in the history as soon as that can be."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import EngineUnavailableError, RecordingGoneError, Retry, WorkError
from asr_daemon.history.states import JobState

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.delivery.deliver import Deliverer
    from asr_daemon.dispatch.in_work import Ending, SessionState
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
    ) -> None:
        self._jobs = jobs
        self._deliverer = deliverer
        self._opener = opener
        self._state = state
        self._describe = describe
        self._on_engine_trouble = on_engine_trouble
        self._endings: list[Ending] = []

    def __bool__(self) -> bool:
        return bool(self._endings)

    def add(self, *endings: Ending) -> None:
        """Take endings, to be said by :meth:`say`."""
        self._endings += endings

    def say(self) -> bool:
        """Say them; whether there were any. Raises :class:`~asr_daemon.errors.HistoryUnavailableError`."""
        said = bool(self._endings)
        while self._endings:
            ending = self._endings[0]
            if ending.error is None:
                self._jobs.put_back(ending.job.id)
                del self._endings[0]
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
