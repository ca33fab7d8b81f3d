"""What a voice activity detector is to the rest: windows in, stretches of speech out, in samples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from asr_daemon.recogniser.features import RunningFilterBank
    from asr_daemon.recogniser.sound.gain import Aim


class Detector(Protocol):
    """Finds speech in one recording; state carries over windows. One instance per recording."""

    @property
    def bank(self) -> RunningFilterBank | None:
        """The filter bank of what was fed, if it needs one: recognition sees the same."""

    @property
    def aim(self) -> Aim:
        """How loud it wants speech."""

    @property
    def pad_before_samples(self) -> int:
        """What to keep before the start of speech, where there is room."""

    @property
    def pad_after_samples(self) -> int:
        """What to keep after the end of speech; shorter than the silence that ends a stretch."""

    @property
    def open_start_samples(self) -> int | None:
        """Start of the speech that goes on at this moment, if any."""

    @property
    def open_end_samples(self) -> int:
        """The speech that goes on reaches at least to here."""

    @property
    def settled_samples(self) -> int:
        """Nothing that is reported later starts before this sample."""

    def feed(self, window: NDArray[np.float32]) -> list[tuple[int, int]]:
        """Take ``float32 [n_samples], 16 kHz``; return the (start, end) of speech that ended, in samples."""

    def finish(self) -> list[tuple[int, int]]:
        """Return the rest: the recording has ended."""
