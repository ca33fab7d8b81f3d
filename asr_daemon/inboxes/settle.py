"""Settled: a recording is worked on once nobody has touched it for its inbox's ``settle_s``.

Enters: what scans and events saw. Leaves: candidates that stayed the same for that long, looked at again when
they fell due. A file that changes waits anew; none is dropped but one that is gone. Time is the monotonic
clock's: setting the wall clock settles nothing.

A copy that pauses for longer than ``settle_s`` looks finished. Two things keep that from going wrong again
and again: the caller asks :func:`~asr_daemon.inboxes.fingerprint.is_open_for_writing` and defers, where the
kernel can tell; and a recording that changed after it was taken waits ``PATIENCE`` times as long from then
on.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.inboxes.candidate import Candidate

PATIENCE = 4  # settle windows that a recording waits which went on growing after a pause
REMEMBERED_S = 900.0  # how long after it was taken a recording counts as "went on growing"
LONGEST_DEFERRAL_S = 3600.0  # a program may keep a finished file open for ever: then it is taken all the same


@dataclass(slots=True)
class _Waiting:
    candidate: Candidate
    settle_s: float
    due_s: float


@dataclass(frozen=True, slots=True)
class _Remembered:
    signature: tuple[int, ...]
    since_s: float


class Settler:
    """The recordings that wait for quiet."""

    def __init__(self, clock: Callable[[], float], look: Callable[[Path], Candidate | None]) -> None:
        """Take a monotonic clock in seconds, and how to look at a path again (None where it is gone)."""
        self._clock = clock
        self._look = look
        self._waiting: dict[Path, _Waiting] = {}
        self._heap: list[tuple[float, int, Path]] = []  # a path's time here may be too early, never too late
        self._pushed = 0
        self._taken: dict[Path, _Remembered] = {}  # oldest first
        self._deferred: dict[Path, _Remembered] = {}

    def __len__(self) -> int:
        return len(self._waiting)

    def __contains__(self, path: object) -> bool:
        return path in self._waiting

    def observe(self, candidate: Candidate, settle_s: float) -> None:
        """Take note of a candidate as it is now: a new one waits, one that changed waits anew."""
        waiting = self._waiting.get(candidate.path)
        if waiting is not None:
            if waiting.candidate.restless_signature == candidate.restless_signature:
                return
            settle_s = max(settle_s, waiting.settle_s)
        elif self._went_on(candidate):
            settle_s *= PATIENCE
        self._arm(candidate, settle_s)

    def touch(self, path: Path) -> None:
        """Take note of an event: a recording that waits, waits anew."""
        if waiting := self._waiting.get(path):
            waiting.due_s = self._clock() + waiting.settle_s

    def forget(self, path: Path) -> None:
        """Drop a recording that is gone."""
        self._waiting.pop(path, None)
        self._deferred.pop(path, None)

    def defer(self, candidate: Candidate, settle_s: float) -> bool:
        """Put back what was taken but is still held open by its writer.

        Returns False, and puts nothing back, once this went on for ``LONGEST_DEFERRAL_S`` without a change.
        """
        now = self._clock()
        first = self._deferred.get(candidate.path)
        if first is None or first.signature != candidate.restless_signature:
            first = _Remembered(candidate.restless_signature, now)
        if now - first.since_s >= LONGEST_DEFERRAL_S:
            self._deferred.pop(candidate.path, None)
            return False
        self._deferred[candidate.path] = first
        self._arm(candidate, settle_s)
        return True

    def rest(self, candidate: Candidate, wait_s: float, settle_s: float) -> None:
        """Put back what could not be taken: for a while as it is; once it changes, as ever."""
        self._arm(candidate, settle_s, wait_s)

    def take_settled(self) -> list[Candidate]:
        """Return, and stop waiting for, the candidates that nobody touched for long enough."""
        now = self._clock()
        settled = []
        while self._heap and self._heap[0][0] <= now:
            _, _, path = heapq.heappop(self._heap)
            waiting = self._waiting.get(path)
            if waiting is None:
                continue
            if waiting.due_s > now:
                self._push(path, waiting.due_s)
            elif self._still_same(path, waiting):
                del self._waiting[path]
                self._remember(waiting.candidate, now)
                settled.append(waiting.candidate)
        return settled

    def next_due_s(self) -> float | None:
        """Return in how many seconds it is worth asking again (0: at once), or None with nothing waiting."""
        while self._heap and self._heap[0][2] not in self._waiting:
            heapq.heappop(self._heap)
        return max(0.0, self._heap[0][0] - self._clock()) if self._heap else None

    def paths_below(self, folder: Path) -> list[Path]:
        """Return the waiting recordings that lie below a folder (moved away, say). From any thread."""
        prefix = f"{folder}/"
        return [path for path in list(self._waiting) if str(path).startswith(prefix)]

    def _still_same(self, path: Path, waiting: _Waiting) -> bool:
        seen = self._look(path)
        if seen is None:
            self.forget(path)
            return False
        if seen.restless_signature != waiting.candidate.restless_signature:
            self._arm(seen, waiting.settle_s)
            return False
        return True

    def _arm(self, candidate: Candidate, settle_s: float, wait_s: float | None = None) -> None:
        due_s = self._clock() + (settle_s if wait_s is None else wait_s)
        self._waiting[candidate.path] = _Waiting(candidate, settle_s, due_s)
        self._push(candidate.path, due_s)

    def _push(self, path: Path, due_s: float) -> None:
        self._pushed += 1  # orders equal times without comparing paths
        heapq.heappush(self._heap, (due_s, self._pushed, path))

    def _remember(self, candidate: Candidate, now: float) -> None:
        self._taken.pop(candidate.path, None)
        self._taken[candidate.path] = _Remembered(candidate.restless_signature, now)
        while self._taken:
            oldest = next(iter(self._taken))
            if now - self._taken[oldest].since_s <= REMEMBERED_S:
                break
            del self._taken[oldest]

    def _went_on(self, candidate: Candidate) -> bool:
        before = self._taken.get(candidate.path)
        return (
            before is not None
            and before.signature != candidate.restless_signature
            and self._clock() - before.since_s <= REMEMBERED_S
        )
