"""One recording under way in the child: what was found of it, what is done, and when it is finished."""

from __future__ import annotations

import os
import threading
import traceback
from typing import TYPE_CHECKING

from asr_daemon.dispatch.protocol import Failed, Finished, Progress, Recognise, Recognised, Segmented
from asr_daemon.errors import InternalError, JobError, OutOfMemoryError, WorkError
from asr_daemon.recogniser.memory import is_out_of_memory
from asr_daemon.recogniser.shares import URGED_WEIGHT

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.dispatch.protocol import Message
    from asr_daemon.recogniser.families.family import Request
    from asr_daemon.recogniser.postprocess import Postprocessor
    from asr_daemon.transcripts.transcript import Segment

LITTLE_SPEECH = 0.1  # of a recording's length
LITTLE_SAID = frozenset({"no_speech", "very_quiet"})


class Job:
    """A recording and its state; touched by the decoding thread and the device's thread.

    Ends once: finished, failed or cancelled; nothing is said of it afterwards.
    """

    def __init__(
        self,
        order: Recognise,
        request: Request,
        fd: int,
        postprocessor: Postprocessor,
        send: Callable[[Message], None],
    ) -> None:
        self.id = order.job  # for the log
        self.order = order.order
        self.name = order.name
        self.profile = order.profile
        self.share = f"{order.inbox}/urged" if order.is_urged else order.inbox
        self.weight = order.weight * (URGED_WEIGHT if order.is_urged else 1.0)
        self.request = request
        self.fd = fd
        self.postprocessor = postprocessor
        self.timings_ms: dict[str, float] = {}
        self._done = frozenset(tuple(place) for place in order.done)
        self._send = send
        self._lock = threading.RLock()
        self._is_open = True
        self._outstanding: dict[int, int] = {}  # index -> start_ms
        self._segment_count = 0
        self.speech_ms = 0  # in the segments found so far
        self._duration_ms = 0
        self._decoded_ms = 0
        self._flags: tuple[str, ...] | None = None  # set when decoding is complete
        self._on_end: Callable[[], None] = lambda: None

    @property
    def is_open(self) -> bool:
        """Whether anything is still to be done for it."""
        return self._is_open

    @property
    def decoded_ms(self) -> int:
        """How far decoding is."""
        return self._decoded_ms

    def on_end(self, callback: Callable[[], None]) -> None:
        """Call this when the job ends in whatever way (at once, if it has)."""
        with self._lock:
            self._on_end = callback
            if not self._is_open:
                callback()

    def found(self, places: list[tuple[int, int]]) -> list[int | None]:
        """Report the next stretches (start_ms, end_ms); return the index of each, None where it is done."""
        with self._lock:
            indices = range(self._segment_count, self._segment_count + len(places))
            self._segment_count += len(places)
            self.speech_ms += sum(end - start for start, end in places)
            segments = tuple((index, *place) for index, place in zip(indices, places, strict=True))
            todo = [None if segment in self._done else segment[0] for segment in segments]
            self._outstanding.update({index: start for index, start, _ in segments if index in todo})
            if segments:
                self._tell(Segmented(self.order, segments))
            return todo

    def decoded(self, decoded_ms: int, announced_ms: int) -> None:
        """Report how far decoding is; ``announced_ms`` is 0 while unknown."""
        with self._lock:
            self._decoded_ms = decoded_ms
            self._duration_ms = max(announced_ms, decoded_ms if announced_ms else 0)
            self._progress()

    def decoding_complete(
        self, duration_ms: int, flags: tuple[str, ...], details: tuple[str, ...] = ()
    ) -> None:
        """Report the recording's end; ``details`` of its sound are said where there is little to read."""
        with self._lock:
            self._duration_ms = self._decoded_ms = duration_ms
            flags = flags if self._segment_count else (*flags, "no_speech")
            is_little = self.speech_ms < LITTLE_SPEECH * duration_ms or LITTLE_SAID.intersection(flags)
            self._flags = (*flags, *details) if is_little else flags
            self._progress()
            self._finish_if_done()

    def recognised(
        self, segments: list[Segment], voices: Sequence[tuple[int, str]] = (), voice_model: str = ""
    ) -> None:
        """Report finished segments, with the windows of those that have any (as they cross the channel)."""
        with self._lock:
            for segment in segments:
                self._outstanding.pop(segment.index, None)
            told = (tuple(voices), voice_model) if voices else ()
            self._tell(Recognised(self.order, tuple(segments), *told))
            self._progress()
            self._finish_if_done()

    def fail(self, error: Exception) -> None:
        """End the job with that error; call it where the error was caught."""
        told = error if isinstance(error, WorkError) else _as_job_error(error)
        self._tell(Failed(self.order, told.code, str(told), told.evidence))
        self.end()

    def spent(self, stage: str, seconds: float) -> None:
        """Add to a stage's time."""
        with self._lock:
            self.timings_ms[stage] = self.timings_ms.get(stage, 0.0) + seconds * 1000

    def end(self) -> None:
        """Close the job and its recording; safe more than once."""
        with self._lock:
            if not self._is_open:
                return
            self._is_open = False
            self._on_end()

    def close_recording(self) -> None:
        """Close the descriptor; only the decoding thread does, when it no longer reads."""
        os.close(self.fd)

    def _progress(self) -> None:
        before = min(self._outstanding.values(), default=self._decoded_ms)
        self._tell(Progress(self.order, self._duration_ms, self._decoded_ms, before))

    def _finish_if_done(self) -> None:
        if self._flags is None or self._outstanding or not self._is_open:
            return
        timings = {stage: round(spent) for stage, spent in self.timings_ms.items()}
        self._tell(Finished(self.order, self._duration_ms, self._segment_count, self._flags, timings))
        self.end()

    def _tell(self, message: Message) -> None:
        with self._lock:
            if self._is_open:
                self._send(message)


def _as_job_error(error: Exception) -> JobError:
    kind = OutOfMemoryError if is_out_of_memory(error) else InternalError
    return kind(f"{type(error).__name__}: {error}", evidence=traceback.format_exc())
