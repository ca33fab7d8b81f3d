"""The states of a recording and of a job, as the history has them.

A recording is a file; a job is a content that is recognised under a profile. Several recordings may wait for
one job. A recording's state changes in :mod:`asr_daemon.history.recordings` alone, a job's in
:mod:`asr_daemon.queue.jobs`.
"""

from __future__ import annotations

import enum


class _Word(str, enum.Enum):
    """A state that is its own word, in the history and on the screen."""

    __str__ = str.__str__


class RecordingState(_Word):
    """How a file stands."""

    WAITING = "waiting"  # for its job, or for its transcript to be written
    DONE = "done"
    FAILED = "failed"
    GONE = "gone"  # it was taken away before its transcript was written
    CANCELLED = "cancelled"  # by a person; `retry` takes it up again
    SUPERSEDED = "superseded"  # another content lies at its path now


class JobState(_Word):
    """How a piece of work stands."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    QUARANTINED = "quarantined"
    WITHDRAWN = "withdrawn"  # nobody waits for it any more; whoever comes later takes it up where it was left

    @property
    def is_over(self) -> bool:
        """Whether there is a result: a text, or the reason why there is none."""
        return self in (JobState.DONE, JobState.FAILED, JobState.QUARANTINED)
