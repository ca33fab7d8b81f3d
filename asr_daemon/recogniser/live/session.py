"""One live session: its sound, the sentence that grows, what is still to be said, and its reader.

Enters: sound, piece by piece, from the ear's thread; what was recognised, from the device's. Leaves: events
on the session's socket. Whoever calls holds :attr:`LiveSession.lock`.
"""

from __future__ import annotations

import collections
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.errors import LiveNotReadError, LiveNotSoundError
from asr_daemon.recogniser.live.agreement import Agreement
from asr_daemon.recogniser.live.outbox import Outbox
from asr_daemon.recogniser.live.sniff import LOOK_AT_BYTES, what_it_is
from asr_daemon.recogniser.segmenter.cutter import SAMPLES_PER_MS, Cutter
from asr_daemon.transcripts import live

if TYPE_CHECKING:
    import socket

    from numpy.typing import NDArray

    from asr_daemon.dispatch.protocol import Listen
    from asr_daemon.errors import WorkError
    from asr_daemon.recogniser.families.family import Request, Spoken
    from asr_daemon.recogniser.postprocess import Postprocessor
    from asr_daemon.recogniser.segmenter.cutter import Stretch
    from asr_daemon.recogniser.segmenter.detector import Detector
    from asr_daemon.transcripts.transcript import Segment

MOST_UNSAID_S = 60.0  # of sentences that wait for the device: then no more sound is taken
HEARD_EVERY_MS = 1000
NEW_SOUND_MS = 450  # that a further reading is worth: half a second, come in pieces
LEAST_READ_MS = 400  # of a sentence, before anybody reads it
_FULL_SCALE = 32768.0


@dataclass(frozen=True, slots=True, eq=False)
class Sentence:
    """A sentence that is over, and when that was noticed (seconds of the monotonic clock)."""

    session: LiveSession
    stretch: Stretch
    since_s: float


@dataclass(frozen=True, slots=True, eq=False)
class Growing:
    """A sentence that is being spoken: what of it is to be read now."""

    session: LiveSession
    agreement: Agreement
    samples: NDArray[np.float32]
    heard_ms: int


class LiveSession:
    """A session's state."""

    def __init__(
        self, order: Listen, end: socket.socket, request: Request, detector: Detector, steps: Postprocessor
    ) -> None:
        end.setblocking(False)
        self.order = order
        self.request = request
        self.postprocessor = steps
        self.socket = end
        self.lock = threading.RLock()
        self.outbox = Outbox(end)
        self.unsaid: collections.deque[Sentence] = collections.deque()
        self.has_heard_all = False  # no more sound comes
        self.is_over = False  # nothing more is said; what waits for the reader is still sent
        self.why: WorkError | None = None  # it ended before its end
        self.segments = 0  # that were said
        self._cutter = Cutter(detector, order.profile.max_segment_s)
        self._rest = b""  # half a sample, or what is looked at first
        self._is_sound = False
        self._heard_samples = 0
        self._unsaid_s = 0.0
        self._told_ms = 0
        self._growing: Agreement | None = None
        self.read_at_s = 0.0  # when a sentence was read last
        self._read_ms = 0  # and how far that heard

    # ------------------------------------------------------------------ sound

    @property
    def takes_sound(self) -> bool:
        """Whether there is room for more."""
        return not self.has_heard_all and not self.is_over and self._unsaid_s < MOST_UNSAID_S

    @property
    def heard_ms(self) -> int:
        """How much was heard."""
        return self._heard_samples // SAMPLES_PER_MS

    def hear(self, data: bytes, now_s: float) -> None:
        """Take bytes as they came."""
        data = self._rest + data
        if not self._is_sound and len(data) < LOOK_AT_BYTES:
            self._rest = data
            return
        self._look(data)
        if self.is_over:
            return
        whole = len(data) // live.BYTES_PER_SAMPLE * live.BYTES_PER_SAMPLE
        self._rest = data[whole:]
        samples = np.frombuffer(data[:whole], "<i2").astype(np.float32) / np.float32(_FULL_SCALE)
        self._heard_samples += len(samples)
        self._keep(self._cutter.feed(samples), now_s)
        if self.heard_ms - self._told_ms >= HEARD_EVERY_MS:
            self._tell_heard()

    def finish(self, now_s: float) -> None:
        """The sound has ended."""
        self._look(self._rest)
        if self.is_over:
            return
        if len(self._rest) >= live.BYTES_PER_SAMPLE:  # less than is looked at
            self.hear(b"", now_s)
        self.has_heard_all = True
        self._keep(self._cutter.finish(), now_s)
        self._end_if_all_said()

    def _look(self, first: bytes) -> None:
        if self._is_sound:
            return
        self._is_sound = True
        if other := what_it_is(first[:LOOK_AT_BYTES]):
            self.fail(LiveNotSoundError(f"This is {other}. {LiveNotSoundError()}"))

    def _keep(self, stretches: list[Stretch], now_s: float) -> None:
        for stretch in stretches:
            self.unsaid.append(Sentence(self, stretch, now_s))
            self._unsaid_s += len(stretch.samples) / live.SAMPLE_RATE_HZ
            self._growing = None

    # ------------------------------------------------------------------ reading along

    @property
    def wants_reading(self) -> bool:
        """Whether there is something new of a sentence that is being spoken."""
        if not self.order.interim or self.unsaid or self.is_over or self.has_heard_all:
            return False
        start_ms = self._cutter.growing_since_ms
        if start_ms is None or self.heard_ms - start_ms < LEAST_READ_MS:
            return False
        is_read = self._growing is not None and self._growing.start_ms == start_ms
        return not is_read or self.heard_ms - self._read_ms >= NEW_SOUND_MS

    def growing(self, now_s: float) -> Growing:
        """Return what is to be read of it."""
        start_ms = self._cutter.growing_since_ms
        assert start_ms is not None  # noqa: S101 (it wants a reading)
        if self._growing is None or self._growing.start_ms != start_ms:
            self._growing = Agreement(start_ms)
        self.read_at_s, self._read_ms = now_s, self.heard_ms
        samples = self._cutter.heard_since(self._growing.from_ms)
        return Growing(self, self._growing, samples, self.heard_ms)

    # ------------------------------------------------------------------ saying

    def say_interim(self, growing: Growing, spoken: Spoken) -> None:
        """Say how a sentence reads, unless it is over by now, or the reader is behind."""
        if self.is_over or self._growing is not growing.agreement:
            return
        reading = growing.agreement.take(spoken, growing.heard_ms)
        if reading.text and self.outbox.is_empty:
            start_ms = growing.agreement.start_ms
            told = live.Interim(self.segments, start_ms, reading.stable, reading.text, growing.heard_ms)
            self.outbox.add(live.encode(told))

    def say_final(self, sentence: Sentence, segment: Segment, speaker: str = "") -> None:
        """Say the oldest sentence that was not said; an empty one is passed over."""
        if self.is_over:
            return
        self.unsaid.popleft()
        self._unsaid_s -= len(sentence.stretch.samples) / live.SAMPLE_RATE_HZ
        if segment.text.strip():
            told = live.Final(
                self.segments,
                segment.start_ms,
                segment.end_ms,
                segment.text,
                segment.raw_text,
                segment.tokens,
                speaker,
            )
            self.segments += 1
            self.outbox.add(live.encode(told))
        self._tell_heard()
        self._end_if_all_said()

    def fail(self, error: WorkError) -> None:
        """End before the end."""
        if not self.is_over:
            self.is_over, self.why = True, error
            self.unsaid.clear()
            self.outbox.end_with(live.encode(live.Failed(error.code, str(error))))

    def _tell_heard(self) -> None:
        self._told_ms = self.heard_ms
        if self.outbox.is_empty:
            self.outbox.add(live.encode(live.Heard(self._settled_ms(), self.heard_ms)))
        elif self.outbox.is_full:
            self.fail(LiveNotReadError())

    def _settled_ms(self) -> int:
        if self.unsaid:
            return self.unsaid[0].stretch.start_ms
        return self.heard_ms if self.has_heard_all else self._cutter.settled_ms

    def _end_if_all_said(self) -> None:
        if self.has_heard_all and not self.unsaid and not self.is_over:
            self.is_over = True
            self.outbox.add(live.encode(live.Ended()))
