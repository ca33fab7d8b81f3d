"""From recognised batches to words for the daemon, beside the device: while it computes the next batch.

Enters: batches with what the model said. Leaves: finished segments, job by job, and failures. One thread, in
the order of the batches. A recording's segments count as under way (receipts.py) from the moment that they
come here, so that a kill costs a recording one batch, as if this were done at once.
"""

from __future__ import annotations

import queue
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.errors import OutOfMemoryError
from asr_daemon.speakers.window import windows_to_text

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.recogniser.engine import Engine
    from asr_daemon.recogniser.families.family import Spoken
    from asr_daemon.recogniser.job import Job
    from asr_daemon.recogniser.pool import Pool, Waiting
    from asr_daemon.recogniser.receipts import Receipts
    from asr_daemon.speakers.window import Window

MOST_BATCHES = 2  # that may wait here: then the device waits, for memory's sake


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """A batch, with what was said in each segment and the windows of its voices, and how long that took."""

    batch: Sequence[Waiting]
    spoken: Sequence[Spoken]
    voices: Sequence[tuple[Window, ...]]
    asr_s: float
    voices_s: float


class Teller:
    """The thread that writes and tells; ``voice_model`` is whose the windows are."""

    def __init__(self, engine: Engine, pool: Pool, receipts: Receipts, voice_model: str = "") -> None:
        self._engine = engine
        self._pool = pool
        self._receipts = receipts
        self._voice_model = voice_model
        self._batches: queue.Queue[Heard | None] = queue.Queue(MOST_BATCHES)
        self._thread = threading.Thread(target=self._work, name="teller", daemon=True)

    def start(self) -> None:
        """Begin to work, until :meth:`finish`."""
        self._thread.start()

    def add(self, heard: Heard) -> None:
        """Take a batch; waits where much waits."""
        for order in {one.job.order for one in heard.batch}:
            self._receipts.expect(order)
        self._batches.put(heard)

    def finish(self) -> None:
        """Return when everything was told; nothing may be added any more."""
        self._batches.put(None)
        self._thread.join()

    def _work(self) -> None:
        while (heard := self._batches.get()) is not None:
            total_samples = sum(len(one.stretch.samples) for one in heard.batch) or 1
            for job in dict.fromkeys(one.job for one in heard.batch):
                mine = [
                    each
                    for each in zip(heard.batch, heard.spoken, heard.voices, strict=True)
                    if each[0].job is job
                ]
                share = sum(len(one.stretch.samples) for one, _, _ in mine) / total_samples
                job.spent("asr", heard.asr_s * share)
                if job.profile.speaker_model:
                    job.spent("voices", heard.voices_s * share)
                try:
                    self._tell(job, mine)
                except Exception as error:  # noqa: BLE001 (the border of a job)
                    job.fail(error)
                    self._pool.drop(job)
                self._receipts.arrived(job.order)

    def _tell(self, job: Job, mine: Sequence[tuple[Waiting, Spoken, tuple[Window, ...]]]) -> None:
        """Tell a job of its own; what did not fit into memory fails it, once the rest is said."""
        began = time.perf_counter()
        fitted = [each for each in mine if "out_of_memory" not in each[1].flags]
        segments = [
            job.postprocessor.segment(one.index, one.stretch.start_ms, one.stretch.end_ms, said)
            for one, said, _ in fitted
        ]
        voices = [(one.index, windows_to_text(windows)) for one, _, windows in fitted if windows]
        job.spent("text", time.perf_counter() - began)
        if segments:
            job.recognised(sorted(segments, key=lambda segment: segment.index), voices, self._voice_model)
        if len(segments) < len(mine):
            raise OutOfMemoryError(
                f"Not even a second of it fits into the memory of {self._engine.device}.",
                evidence=self._engine.decoder.memory_error,
            )
