"""Segments that wait for the device, of all recordings under way, and the batches they make.

Enters: segments from the decoding threads, which wait here while enough is waiting already (that is what
bounds memory). Leaves: batches of one request, of like lengths, never over the bound in padded seconds.
"""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.recogniser.shares import Shares
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.recogniser.families.family import Input, Request
    from asr_daemon.recogniser.job import Job
    from asr_daemon.recogniser.segmenter.cutter import Stretch


@dataclass(frozen=True, slots=True, eq=False)
class Waiting:
    """A segment that is to be recognised."""

    job: Job
    index: int
    stretch: Stretch
    ready: Input | None  # as the model takes it; None where it is too short for any

    @property
    def request(self) -> Request:
        """What it shares a batch with."""
        return self.job.request

    @property
    def length_s(self) -> float:
        """Seconds of sound."""
        return len(self.stretch.samples) / SAMPLE_RATE_HZ


def batch_around(oldest: Waiting, others: Sequence[Waiting], bound_s: float, most: int) -> list[Waiting]:
    """Return the batch in which ``oldest`` goes: itself and those nearest to it in length.

    ``bound_s`` bounds the padded seconds (longest x number), ``most`` the number; a single segment may be
    longer than the bound, a batch of several never is.
    """
    like = sorted(
        (one for one in others if one is not oldest and one.request == oldest.request),
        key=lambda one: abs(one.length_s - oldest.length_s),
    )
    batch, longest_s = [oldest], oldest.length_s
    for one in like:
        longest_with_s = max(longest_s, one.length_s)
        if len(batch) == most or longest_with_s * (len(batch) + 1) > bound_s:
            break
        batch.append(one)
        longest_s = longest_with_s
    return sorted(batch, key=lambda one: one.length_s)


class Pool:
    """The waiting segments; filled by the decoding threads, emptied by the device's one."""

    def __init__(self, most_s: float) -> None:
        self._most_s = most_s
        self._waiting: list[Waiting] = []
        self._waiting_s = 0.0
        self._waiting_of: collections.Counter[Job] = collections.Counter()
        self._shares = Shares()
        self._served: dict[Job, int] = {}  # when each job's segments went into a batch last, by count
        self._batches = 0
        self._changed = threading.Condition()
        self._is_closed = False

    @property
    def is_waiting(self) -> bool:
        """Whether segments wait."""
        return bool(self._waiting)

    def late_s(self, job: Job) -> float:
        """Return how late it is for the inbox of that job; to be asked within :meth:`wait_for`."""
        return self._shares.late_s(job)

    def has_room(self, job: Job) -> bool:
        """Return whether segments of that job may come: enough waits already, unless none of it does."""
        return not self._waiting_of[job] or self._waiting_s < self._most_s

    def wait_for(self, is_ready: Callable[[], bool]) -> bool:
        """Wait until something is ready to be done about the pool; False once it is closed."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or is_ready())
            return not self._is_closed

    def wake(self) -> None:
        """Let everybody who waits look again."""
        with self._changed:
            self._changed.notify_all()

    def put(self, segments: Sequence[Waiting]) -> None:
        """Add segments of one job; those of a job that ended meanwhile are dropped."""
        with self._changed:
            self._keep([*self._waiting, *(one for one in segments if one.job.is_open)])
            self._changed.notify_all()

    def take(self, bound_s: float, most: int, is_over: Callable[[], bool]) -> list[Waiting]:
        """Return the next batch, waiting for one; empty when ``is_over`` or the pool is closed.

        It is built around the first segment of the inbox that got least, and of its job that was served
        longest ago: inboxes share the device, and jobs take turns.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._is_closed or is_over() or bool(self._waiting))
            if self._is_closed or is_over() or not self._waiting:
                return []
            first = min(
                self._waiting, key=lambda one: (self._shares.late_s(one.job), self._served.get(one.job, 0))
            )
            batch = batch_around(first, self._waiting, bound_s, most)
            self._shares.begin(first.job)
            for one in batch:
                self._shares.serve(one.job, one.length_s)
            self._batches += 1
            served = {job: batch for job, batch in self._served.items() if job.is_open}
            self._served = served | {one.job: self._batches for one in batch}
            taken = set(map(id, batch))
            self._keep([one for one in self._waiting if id(one) not in taken])
            self._changed.notify_all()
            return batch

    def drop(self, job: Job) -> None:
        """Forget the segments of a job that ended."""
        with self._changed:
            self._keep([one for one in self._waiting if one.job is not job])
            self._changed.notify_all()

    def _keep(self, waiting: list[Waiting]) -> None:
        self._waiting = waiting
        self._waiting_s = sum(one.length_s for one in waiting)
        self._waiting_of = collections.Counter(one.job for one in waiting)

    def close(self) -> None:
        """Let everybody who waits go."""
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
