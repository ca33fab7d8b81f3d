"""One track being decoded by one ffmpeg process, each block with its place in time.

Enters: an open recording, the part of it and the track. Leaves: :class:`Block` after :class:`Block`, each at
16 kHz with all channels, in the order of time, where the container's clock says that it belongs: a late start
and gaps leave room, a clock that starts anew goes on counting.

A filter prints the container's clock before the sound that it belongs to (clock.py).
"""

from __future__ import annotations

import collections
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.ffmpeg import open_arguments
from asr_daemon.recogniser.sound.clock import Readings
from asr_daemon.recogniser.sound.layouts import LAYOUTS
from asr_daemon.recogniser.sound.process import FfmpegProcess
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from asr_daemon.recogniser.sound.at_once import Begun
    from asr_daemon.recogniser.sound.facts import Facts, Track
    from asr_daemon.recogniser.sound.parts import Part

BYTES_PER_SAMPLE = 4
KEPT_LINES = 200
LOGLEVEL = "repeat+level+"
# Of "[mov @ 0x5581] [error] stream 0: partial file" what is complained of. What is told without need, such as
# a title, has another level.
_COMPLAINT = re.compile(r"(?:\[[^\]]+ @ 0x[0-9a-f]+\] )*\[(?:warning|error|fatal|panic)\] (.*)")
BACKWARDS_S = -0.5  # a clock that falls back by more has started anew
_DECODER_ERRORS = re.compile(
    r"Error submitting packet to decoder|Error while decoding stream|Decoding error|CRC mismatch"
    r"|[Cc]orrupt|Invalid data found|[Ii]nvalid (?:EBML|block|sync|as first byte)|exceeds (?:max|containing)"
)
_CUT = re.compile(r"partial file|ended prematurely|[Tt]runcat(?:ed|ing)|Packet mismatch")
_GUESSED_LAYOUT = "Guessed Channel Layout"


@dataclass(frozen=True, slots=True)
class Block:
    """Sound that goes on without a gap: ``float32 [n_samples, n_channels], 16 kHz``."""

    start_samples: int
    samples: NDArray[np.float32]
    is_joined: bool = False  # another recording begins here: the clock started anew

    @property
    def end_samples(self) -> int:
        """Where it ends."""
        return self.start_samples + len(self.samples)


@dataclass(frozen=True, slots=True)
class _Change:
    """A reading of the container's clock that differs from the last."""

    sent: int  # samples before it
    ahead_s: float  # by how much the clock is ahead of them
    follows_error: bool


@dataclass
class Trouble:
    """What ffmpeg complained of."""

    errors: int = 0
    holes: int = 0  # places where the clock goes forward after an error
    lost_samples: int = 0  # in those
    is_cut: bool = False


def cpu_limit_s(most_samples: int) -> int:
    """Return the seconds of processor time that decoding may take."""
    return int(120 + most_samples / SAMPLE_RATE_HZ / 5)


class TrackStream:
    """One track's decoding; iterate once. :meth:`close` may be called from another thread."""

    def __init__(
        self,
        fd: int,
        ffmpeg: Path,
        part: Part,
        facts: Facts,
        track: Track,
        most_samples: int,
        begun: Begun | None = None,
    ) -> None:
        """Decode from the start, or go on with what ``begun`` has begun."""
        self.track = track
        self.layout = track.layout  # "" once ffmpeg says that it only guessed
        self.trouble = Trouble()
        self.end_samples = 0  # of what was yielded so far
        self.words: collections.deque[str] = collections.deque(maxlen=KEPT_LINES)
        self._fd, self._ffmpeg, self._part = fd, ffmpeg, part
        self._start_s = facts.start_s
        self._readings = Readings() if begun is None else begun.readings
        self._process = FfmpegProcess(self._hear) if begun is None else begun.process
        self._begun = begun
        self._most_samples = most_samples
        announced_s = facts.duration_s
        self._latest_samples = (
            most_samples
            if announced_s is None
            else min(most_samples, int((announced_s + 1) * SAMPLE_RATE_HZ))
        )
        self._received = 0  # samples from ffmpeg
        self._shift = 0  # samples of gaps before what is received next
        self._ahead_s: float | None = None  # how far the clock was ahead of them, at the last reading
        self._offset_s = 0.0  # from the clock to ours, since it started anew
        self._changes: collections.deque[_Change] = collections.deque()
        self._is_in_error = False  # something could not be read, and the clock has not changed since
        self._rest = b""  # less than a sample
        if begun is not None:
            for line in begun.words:
                self._hear(line)
            begun.process.hear = self._hear

    @property
    def status(self) -> int | None:
        """How ffmpeg ended."""
        return self._process.status

    def __iter__(self) -> Iterator[Block]:
        """Yield the blocks, of some seconds at most."""
        is_over = False
        try:
            if self._begun is None and not self._process.start(
                self._command, self._fd, cpu_limit_s(self._most_samples)
            ):
                return
            self._process.listen()
            if self._begun is not None:
                yield from self._placed(self._begun.sound)
            while raw := self._process.read():
                yield from self._placed(raw)
            is_over = True
        finally:
            if not is_over:
                self._process.close()
            self._process.end()

    def close(self) -> None:
        """End ffmpeg; safe from any thread, and more than once."""
        self._process.close()

    def _command(self, _aside: int) -> list[str]:
        shape = ("aformat=channel_layouts=" + self.track.layout,) if self.track.layout in LAYOUTS else ()
        zero = ("-start_at_zero",) if self._start_s is None else ()
        options = ("-copyts", *zero, *self._part.input_options)
        return [
            *open_arguments(self._ffmpeg, self._fd, self._part.span, options, LOGLEVEL + "warning"),
            "-map", f"0:a:{self.track.number}", "-vn", "-sn", "-dn", "-map_metadata", "-1",
            "-af", ",".join((self._readings.filter, *shape)),  # else another layout than announced may come
            "-ar", str(SAMPLE_RATE_HZ), "-c:a", "pcm_f32le", "-f", "f32le", "pipe:1",
        ]  # fmt: skip

    def _hear(self, line: str) -> None:
        complaint = _COMPLAINT.match(line)
        words = complaint.group(1) if complaint else ""
        if self._readings.is_print(words):
            if (pair := self._readings.hear(words)) is not None:
                self._clock_changed(*pair)
            return
        self.words.append(line)
        if _DECODER_ERRORS.search(words):
            self.trouble.errors += 1
            self._is_in_error = True
        if _CUT.search(words):
            self.trouble.is_cut = True
        if _GUESSED_LAYOUT in words:
            self.layout = ""

    def _clock_changed(self, sent_s: float, ahead_s: float) -> None:
        """Note that after so many seconds of sound the clock is so far ahead of them."""
        if np.isfinite(ahead_s) and np.isfinite(sent_s):
            change = _Change(
                round(sent_s * SAMPLE_RATE_HZ), ahead_s - (self._start_s or 0.0), self._is_in_error
            )
            self._changes.append(change)
            self._is_in_error = False

    def _placed(self, raw: bytes) -> Iterator[Block]:
        """Yield the samples of a chunk where they belong."""
        width = BYTES_PER_SAMPLE * self.track.channels
        raw = self._rest + raw if self._rest else raw
        whole = len(raw) // width * width
        self._rest = raw[whole:]
        samples = np.frombuffer(raw[:whole] if self._rest else raw, "<f4").reshape(-1, self.track.channels)
        while len(samples):
            is_joined = False
            while self._changes and self._changes[0].sent <= self._received:
                is_joined |= self._set_clock(self._changes.popleft())
            upto = self._changes[0].sent - self._received if self._changes else len(samples)
            piece, samples = samples[:upto], samples[upto:]
            block = Block(self._received + self._shift, piece, is_joined)
            self._received += len(piece)
            self.end_samples = block.end_samples
            yield block

    def _set_clock(self, change: _Change) -> bool:
        """Take a new reading of the clock; return whether another recording begins with it.

        Time goes forward only: a clock that fell back starts anew, or drifts; one that jumped beyond what
        the container announces is not believed. Both go on counting from here.
        """
        here = self._received + self._shift
        sent, ahead_s = change.sent, change.ahead_s
        before, self._ahead_s = self._ahead_s, ahead_s
        is_other_kind = before is not None and sent == 0 < self._received  # ffmpeg counts anew, too
        falls_back = before is not None and ahead_s - before < BACKWARDS_S
        gap = sent + round((ahead_s + self._offset_s) * SAMPLE_RATE_HZ) - here
        if is_other_kind or falls_back or here + gap > self._latest_samples:
            self._offset_s = (here - sent) / SAMPLE_RATE_HZ - ahead_s
        elif gap > 0:
            self._shift += gap
            if change.follows_error and before is not None:
                self.trouble.holes += 1
                self.trouble.lost_samples += gap
        return falls_back
