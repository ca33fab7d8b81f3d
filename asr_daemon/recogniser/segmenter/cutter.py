"""From stretches of speech to segments: padding, no longer than allowed, with their samples.

Enters: windows of a recording and what the detector says of them. Leaves: :class:`Stretch` with samples.
Keeps no more than the longest segment and a window in memory, and cuts at the same places however the
recording is cut into windows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

    from asr_daemon.recogniser.segmenter.detector import Detector

SAMPLES_PER_MS = SAMPLE_RATE_HZ // 1000
_HOP_SAMPLES = 10 * SAMPLES_PER_MS
_SMOOTH_HOPS = 20  # a pause between words is about this long: 200 ms


@dataclass(frozen=True, slots=True)
class Stretch:
    """A segment to be recognised: ``samples`` are ``float32 [n_samples], 16 kHz mono``.

    ``bank`` is its filter bank, ``float32 [n_frames, 80]``, where segmenting needed that already; it may
    share memory with more of the recording.
    """

    start_ms: int
    end_ms: int
    samples: NDArray[np.float32]
    bank: torch.Tensor | None = None


class Cutter:
    """One recording's segments, window by window."""

    def __init__(self, detector: Detector, max_segment_s: float) -> None:
        self._detector = detector
        self._max_samples = int(max_segment_s * 1000) * SAMPLES_PER_MS
        self._audio = np.empty(0, np.float32)
        self._offset_samples = 0  # of the first sample in _audio
        self._used_samples = 0  # end of the last segment: the next may not begin before
        self._cut_open = False  # the speech that goes on was cut already: it continues at _used_samples

    @property
    def settled_ms(self) -> int:
        """No later segment begins before this."""
        return self._offset_samples // SAMPLES_PER_MS

    @property
    def growing_since_ms(self) -> int | None:
        """Where the segment begins that goes on at this moment, if any."""
        start = self._detector.open_start_samples
        return None if start is None else self._begin(start) // SAMPLES_PER_MS

    def heard_since(self, start_ms: int) -> NDArray[np.float32]:
        """Return everything from there on, as far as it is still kept."""
        return self._audio[max(0, start_ms * SAMPLES_PER_MS - self._offset_samples) :].copy()

    def feed(self, window: NDArray[np.float32]) -> list[Stretch]:
        """Take the next window; return the segments that are complete."""
        self._audio = np.concatenate([self._audio, window])
        stretches = [piece for span in self._detector.feed(window) for piece in self._close(*span)]
        stretches += self._cut_what_goes_on()
        self._forget()
        return stretches

    def finish(self) -> list[Stretch]:
        """Return the rest: the recording has ended."""
        return [piece for span in self._detector.finish() for piece in self._close(*span)]

    def _begin(self, start: int) -> int:
        """Return where a segment begins whose speech begins at ``start``."""
        if self._cut_open:
            return self._used_samples
        return max(start - self._detector.pad_before_samples, self._used_samples, 0)

    def _close(self, start: int, end: int) -> list[Stretch]:
        begin = self._begin(start)
        self._cut_open = False
        end = min(end + self._detector.pad_after_samples, self._known_samples())
        pieces = []
        while end - begin > self._max_samples:
            cut = self._quietest(begin)
            pieces.append(self._take(begin, cut))
            begin = cut
        if end > begin:
            pieces.append(self._take(begin, end))
        return pieces

    def _cut_what_goes_on(self) -> list[Stretch]:
        """Cut speech that has not ended as soon as it must be longer than a segment may be."""
        pieces: list[Stretch] = []
        start = self._detector.open_start_samples
        if start is None:
            return pieces
        begin = self._begin(start)
        # Only what is sure to belong to the segment counts, or the cuts would depend on the windows.
        end = min(self._detector.open_end_samples + self._detector.pad_after_samples, self._known_samples())
        while end - begin > self._max_samples:
            cut = self._quietest(begin)
            pieces.append(self._take(begin, cut))
            begin = cut
            self._cut_open = True
        return pieces

    def _known_samples(self) -> int:
        return self._offset_samples + len(self._audio)

    def _quietest(self, begin: int) -> int:
        """Return the middle of the quietest 200 ms in the second half of the longest segment allowed."""
        first = begin + self._max_samples // 2
        low = first - self._offset_samples
        block = self._audio[low : begin + self._max_samples - self._offset_samples]
        hops = block[: len(block) // _HOP_SAMPLES * _HOP_SAMPLES].reshape(-1, _HOP_SAMPLES)
        energy = np.square(hops, dtype=np.float64).mean(axis=1)
        width = min(_SMOOTH_HOPS, len(energy))
        smooth = np.convolve(energy, np.ones(width), mode="valid")
        return first + (int(smooth.argmin()) + width // 2) * _HOP_SAMPLES

    def _take(self, begin: int, end: int) -> Stretch:
        """Return the segment, on whole milliseconds so that its times say exactly what was recognised."""
        begin, end = begin // SAMPLES_PER_MS, -(-end // SAMPLES_PER_MS)
        low = begin * SAMPLES_PER_MS - self._offset_samples
        samples = self._audio[max(low, 0) : end * SAMPLES_PER_MS - self._offset_samples].copy()
        self._used_samples = end * SAMPLES_PER_MS
        bank = self._detector.bank
        part = bank.part(begin * SAMPLES_PER_MS, len(samples)) if bank is not None else None
        return Stretch(begin, end, samples, part)

    def _forget(self) -> None:
        """Drop what no later segment can need."""
        needed = self._detector.settled_samples - self._detector.pad_before_samples
        if self._cut_open:
            needed = max(needed, self._used_samples)
        needed = max(needed // SAMPLES_PER_MS * SAMPLES_PER_MS, self._offset_samples)
        if needed > self._offset_samples:
            self._audio = self._audio[needed - self._offset_samples :].copy()
            self._offset_samples = needed
            if self._detector.bank is not None:
                self._detector.bank.drop(needed)
