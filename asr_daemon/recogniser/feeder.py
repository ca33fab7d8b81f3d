"""Decoding and segmenting on the CPU, ahead of the device: some threads, the recordings take turns.

Enters: jobs. Leaves: segments in the pool; each job hears of its segments, its progress and its end. A turn
is one window; inboxes share them (shares.py). Of an inbox the recording that got least so far is next: a
short one never waits for a long one's end. Every fourth turn is the oldest's: it moves, however many short
ones come.
A recording is in the hands of one thread at a time, so that its segments keep their order. A job's error ends
that job alone.
"""

from __future__ import annotations

import collections
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from asr_daemon.recogniser.pool import Waiting
from asr_daemon.recogniser.segmenter.cutter import Cutter
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding
from asr_daemon.recogniser.sound.gain import AutoGain
from asr_daemon.recogniser.sound.level import LevelMeter
from asr_daemon.recogniser.sound.speech_band import levels_dbfs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    import numpy as np
    from numpy.typing import NDArray

    from asr_daemon.recogniser.families.family import Input
    from asr_daemon.recogniser.job import Job
    from asr_daemon.recogniser.pool import Pool
    from asr_daemon.recogniser.segmenter.cutter import Stretch
    from asr_daemon.recogniser.segmenter.detector import Detector

OLDEST_TURN = 4


class Feeder:
    """The decoding threads."""

    def __init__(
        self,
        pool: Pool,
        begin_detector: Callable[[Job], Detector],
        prepare: Callable[[NDArray[np.float32], torch.Tensor | None], Input | None],
        ffmpeg: str,
        max_duration_s: float,
        *,
        threads: int = 1,
    ) -> None:
        self._prepare = prepare
        self._pool = pool
        self._begin_detector = begin_detector
        self._ffmpeg = Path(ffmpeg)
        self._max_duration_s = max_duration_s
        self._arrived: collections.deque[Job] = collections.deque()
        self._under_way: dict[Job, Iterator[None]] = {}
        self._in_hand: set[Job] = set()
        self._choosing = threading.Lock()
        self._turns = 0
        self._threads = [
            threading.Thread(target=self._work, name=f"feeder {number}", daemon=True)
            for number in range(threads)
        ]

    def start(self) -> None:
        """Begin to work, until the pool is closed."""
        for thread in self._threads:
            thread.start()

    def add(self, job: Job) -> None:
        """Take a recording; its first turn is the next."""
        self._arrived.append(job)
        self._pool.wake()

    def _work(self) -> None:
        if len(self._threads) > 1:  # they share the cores themselves
            torch.set_num_threads(1)
        while (job := self._next()) is not None:
            self._advance(job)
            with self._choosing:
                self._in_hand.discard(job)
            self._pool.wake()

    def _next(self) -> Job | None:
        """Return the recording whose turn it is, which is then in hand; waits for one, None at the end."""
        chosen: list[Job] = []
        is_open = self._pool.wait_for(lambda: bool(chosen) or self._choose(chosen))
        return chosen[0] if is_open else None

    def _choose(self, chosen: list[Job]) -> bool:
        with self._choosing:
            while self._arrived:
                job = self._arrived.popleft()
                self._under_way[job] = self._feed(job)
            ready = [
                job
                for job in self._under_way
                if job not in self._in_hand and (not job.is_open or self._pool.has_room(job))
            ]
            chosen += sorted(ready, key=self._lateness)[:1]
            self._turns += len(chosen)
            self._in_hand.update(chosen)
            return bool(chosen)

    def _lateness(self, job: Job) -> tuple[float, int]:
        is_oldests = self._turns % OLDEST_TURN == OLDEST_TURN - 1
        return self._pool.late_s(job), job.order if is_oldests else job.decoded_ms

    def _advance(self, job: Job) -> None:
        """Give a recording its turn."""
        try:
            next(self._under_way[job])
        except StopIteration:
            self._end(job)
        except Exception as error:  # noqa: BLE001 (the border of a job)
            job.fail(error)
            self._pool.drop(job)
            self._end(job)

    def _end(self, job: Job) -> None:
        job.close_recording()
        with self._choosing:
            del self._under_way[job]

    def _feed(self, job: Job) -> Iterator[None]:
        """Decode and segment a recording, turn by turn."""
        decoding = Decoding(job.fd, self._ffmpeg, self._max_duration_s)
        job.on_end(decoding.close)
        begun = _Begun(self._begin_detector(job), job.profile.max_segment_s, 0)
        level, gain = LevelMeter(), AutoGain(begun.aim)
        before = time.perf_counter()
        for piece in decoding.pieces():
            between = time.perf_counter()
            job.spent("decode", between - before)
            if piece.is_new:  # what time lies between is in no segment
                self._put(job, begun.finish())
                start_ms = piece.start_samples * 1000 // SAMPLE_RATE_HZ
                begun = _Begun(self._begin_detector(job), job.profile.max_segment_s, start_ms)
            levels = levels_dbfs(piece.samples)
            level.feed(piece.samples, levels)
            stretches = begun.feed(gain.apply(piece.samples, levels))
            job.spent("vad", time.perf_counter() - between)
            self._put(job, stretches)
            job.decoded(round(decoding.decoded_s * 1000), round((decoding.announced_s or 0) * 1000))
            yield
            before = time.perf_counter()
        if not job.is_open:
            return
        self._put(job, begun.finish())
        findings = decoding.findings
        details = findings.details(level.loudest_dbfs, job.speech_ms)
        job.decoding_complete(round(decoding.decoded_s * 1000), (*findings.flags, *level.flags()), details)

    def _put(self, job: Job, stretches: list[Stretch]) -> None:
        todo = job.found([(stretch.start_ms, stretch.end_ms) for stretch in stretches])
        began = time.perf_counter()
        waiting = [
            Waiting(job, index, replace(stretch, bank=None), self._prepare(stretch.samples, stretch.bank))
            for index, stretch in zip(todo, stretches, strict=True)
            if index is not None
        ]
        job.spent("features", time.perf_counter() - began)
        self._pool.put(waiting)


class _Begun:
    """The cutting of sound that goes on without a gap; begins that many ms into the recording."""

    def __init__(self, detector: Detector, max_segment_s: float, start_ms: int) -> None:
        self.aim = detector.aim
        self._cutter = Cutter(detector, max_segment_s)
        self._start_ms = start_ms

    def feed(self, window: NDArray[np.float32]) -> list[Stretch]:
        """Return the segments that are complete."""
        return self._placed(self._cutter.feed(window))

    def finish(self) -> list[Stretch]:
        """Return the rest."""
        return self._placed(self._cutter.finish())

    def _placed(self, stretches: list[Stretch]) -> list[Stretch]:
        if not self._start_ms:
            return stretches
        return [
            replace(one, start_ms=one.start_ms + self._start_ms, end_ms=one.end_ms + self._start_ms)
            for one in stretches
        ]
