"""The tracks of one recording on one time axis, mixed window by window.

Enters: a stream for each track. Leaves: (start in samples, mono, whether it starts anew) in the order of
time; what no track has is left out. Holds a window of every track at most.
"""

from __future__ import annotations

import collections
from typing import TYPE_CHECKING, Protocol

import numpy as np

from asr_daemon.recogniser.sound.mixing import Mixer, Source
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from asr_daemon.recogniser.sound.facts import Track
    from asr_daemon.recogniser.sound.stream import Block, Trouble

DECISION_SAMPLES = 30 * SAMPLE_RATE_HZ  # that much is mixed at once, however the windows are
# A gap as long as a pause between sentences ends a segment; a shorter one (a lost packet) is silence in it.
BREAK_SAMPLES = SAMPLE_RATE_HZ * 3 // 10


class Stream(Protocol):
    """One track being read (stream.py by ffmpeg, plain_wave.py without); iterate once."""

    @property
    def track(self) -> Track:
        """Which one."""

    @property
    def layout(self) -> str:
        """Its name, as ffmpeg calls it; "" where none is real."""

    @property
    def trouble(self) -> Trouble:
        """What was complained of."""

    @property
    def end_samples(self) -> int:
        """How far it was read."""

    @property
    def words(self) -> collections.deque[str]:
        """What ffmpeg said last."""

    @property
    def status(self) -> int | None:
        """How ffmpeg ended."""

    def __iter__(self) -> Iterator[Block]:
        """Yield what it holds, in the order of time."""

    def close(self) -> None:
        """End it; safe from any thread, and more than once."""


class _Reader:
    """One track's blocks, taken up to a place in time."""

    def __init__(self, stream: Stream) -> None:
        self.stream = stream
        self._blocks = iter(stream)
        self._waiting: collections.deque[Block] = collections.deque()
        self._ended = False

    def next_start(self) -> int | None:
        """Return where the track goes on; None at its end."""
        self._look()
        return self._waiting[0].start_samples if self._waiting else None

    def take(self, end: int) -> list[Block]:
        """Return the blocks before ``end``; what reaches beyond waits."""
        taken = []
        while (start := self.next_start()) is not None and start < end:
            block = self._waiting.popleft()
            if block.end_samples > end:
                cut = end - block.start_samples
                self._waiting.append(type(block)(end, block.samples[cut:]))
                block = type(block)(block.start_samples, block.samples[:cut], block.is_joined)
            taken.append(block)
        return taken

    def _look(self) -> None:
        if not self._waiting and not self._ended:
            block = next(self._blocks, None)
            if block is None:
                self._ended = True
            else:
                self._waiting.append(block)


class Tracks:
    """All tracks of a part of a recording that are read."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self.streams = tuple(streams)
        self.channels = sum(stream.track.channels for stream in streams)
        self.heard_channels = 0

    @property
    def silent_for_ever(self) -> list[Stream]:
        """The tracks of which nothing could be decoded, although something was there."""
        return [
            stream
            for stream in self.streams
            if not stream.end_samples and (stream.status or stream.trouble.errors)
        ]

    def close(self) -> None:
        """End their processes; safe from any thread."""
        for stream in self.streams:
            stream.close()

    def mixed(self) -> Iterator[tuple[int, NDArray[np.float32], bool]]:
        """Yield the mix."""
        readers = [_Reader(stream) for stream in self.streams]
        mixer: Mixer | None = None
        last_end = 0
        while starts := [start for reader in readers if (start := reader.next_start()) is not None]:
            if mixer is None:  # by now every track has said whether its layout is real
                mixer = Mixer([Source(stream.track.channels, stream.layout) for stream in self.streams])
            begin = min(starts) // DECISION_SAMPLES * DECISION_SAMPLES
            taken = [reader.take(begin + DECISION_SAMPLES) for reader in readers]
            for low, high, is_joined in _covered(taken):
                is_new = is_joined or low - last_end >= BREAK_SAMPLES
                if low > last_end and not is_new:
                    yield last_end, np.zeros(low - last_end, np.float32), False
                yield low, mixer.mix(_side_by_side(taken, self.streams, low, high)), is_new
                last_end = high
            self.heard_channels = int(mixer.heard.sum())


def _covered(taken: list[list[Block]]) -> list[tuple[int, int, bool]]:
    """Return the stretches that some track has: (begin, end, whether it joins another recording)."""
    alone = len(taken) == 1  # where one clock of several starts anew, the others' sound goes on
    spans = sorted(
        (block.start_samples, block.end_samples, alone and block.is_joined)
        for track in taken
        for block in track
    )
    found: list[tuple[int, int, bool]] = []
    for low, high, is_joined in spans:
        if found and low <= found[-1][1] and not is_joined:
            found[-1] = (found[-1][0], max(found[-1][1], high), found[-1][2])
        else:
            found.append((low, high, is_joined))
    return found


def _side_by_side(
    taken: list[list[Block]], streams: Sequence[Stream], low: int, high: int
) -> NDArray[np.float32]:
    """Return all channels of a stretch, ``float32 [n_channels, high - low]``, finite."""
    found = np.empty((sum(stream.track.channels for stream in streams), high - low), np.float32)
    first = 0
    for blocks, stream in zip(taken, streams, strict=True):
        rows = found[first : first + stream.track.channels]
        first, at = first + stream.track.channels, 0
        for block in blocks:
            begin, end = max(low, block.start_samples), min(high, block.end_samples)
            if begin < end:
                rows[:, at : begin - low] = 0
                at = end - low
                rows[:, begin - low : at] = block.samples[
                    begin - block.start_samples : end - block.start_samples
                ].T
        rows[:, at:] = 0
    if not np.isfinite(np.einsum("ij,ij->", found, found)):  # a float recording may hold what is no number
        np.nan_to_num(found, copy=False, nan=0.0, posinf=0.0, neginf=0.0)
    return found
