"""A recogniser that leaves the queue alone for a while, because it cannot be had."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch.in_work import Phase
from asr_daemon.errors import ModelMissingError, RecogniserNotStartedError
from asr_daemon.queue.jobs import WHEN_CLEARED_S

if TYPE_CHECKING:
    from asr_daemon.clock import Clock
    from asr_daemon.dispatch.in_work import SessionState
    from asr_daemon.errors import EngineUnavailableError, WorkError

log = structlog.get_logger()

LONGEST_BLOCK_S = 300.0


class Blocking:
    """Until when, and why; but for :meth:`end`, its session's thread's own."""

    def __init__(self, state: SessionState, clock: Clock, *, is_elsewhere: bool = False) -> None:
        """``is_elsewhere``: on another machine, which reads the whole model before it finds it damaged."""
        self._state = state
        self._is_elsewhere = is_elsewhere
        self._clock = clock
        self._until_s = 0.0
        self._block_s = WHEN_CLEARED_S
        self._ends = self._ends_seen = 0  # how often it was told that things are different
        self._lock = threading.Lock()  # of both, and of what they change

    @property
    def is_on(self) -> bool:
        """Whether the queue is left alone still; what is tried after that is tried with what is so now."""
        self._ends_seen = self._ends
        return self._clock.monotonic_s() < self._until_s

    def begin(self, error: EngineUnavailableError) -> None:
        """Leave the queue alone, longer each time that this cost a lot.

        Not at all where things have become different since it was tried.
        """
        self.say(error)
        with self._lock:
            if self._ends != self._ends_seen:
                return
            self._until_s = self._clock.monotonic_s() + self._block_s
            is_dear = isinstance(error, RecogniserNotStartedError)
            if is_dear or (self._is_elsewhere and isinstance(error, ModelMissingError)):
                self._block_s = min(LONGEST_BLOCK_S, 2 * self._block_s)

    def say(self, error: WorkError) -> None:
        """Say why nothing is begun."""
        if self._state.reason != str(error):
            log.error("queue_blocked", recogniser=self._state.name, error=error.code, problem=str(error))
        self._state.phase, self._state.reason = Phase.BLOCKED, error.sentence

    def forget(self) -> None:
        """It went well: the next trouble is the first."""
        self._block_s = WHEN_CLEARED_S

    def end(self) -> None:
        """Things are different now: try again at once. From any thread."""
        with self._lock:
            self._ends += 1
            self._until_s, self._block_s = 0.0, WHEN_CLEARED_S
