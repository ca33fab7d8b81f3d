"""The windows of a question as arrays, in order of time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.speakers.window import EMBEDDING_SIZE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asr_daemon.speakers.window import Window

    Floats = NDArray[np.float32]
    Integers = NDArray[np.int64]

TOUCH_MS = 60  # windows that share less than this do not count as overlapping


@dataclass(frozen=True, slots=True, eq=False)
class Heard:
    """N windows; ``voices`` is ``float32 [N, 192]``, rows of length 1; the others are ``[N]``."""

    voices: Floats
    start_ms: Integers
    end_ms: Integers
    segment: Integers

    def __len__(self) -> int:
        return len(self.start_ms)

    @property
    def seconds(self) -> Floats:
        """How long each is."""
        return ((self.end_ms - self.start_ms) / 1000).astype(np.float32)

    def take(self, places: Integers) -> Heard:
        """Return some of them."""
        return Heard(self.voices[places], self.start_ms[places], self.end_ms[places], self.segment[places])

    def overlapping(self) -> tuple[Integers, Integers, Floats]:
        """Return the pairs (first, second) of windows that share sound, and how many seconds each pair does.

        Their voices are alike because their sound is the same: they are no evidence of one speaker.
        """
        firsts, seconds, shared = [], [], []
        for apart in range(1, min(len(self), 8)):
            share_ms = self.end_ms[:-apart] - self.start_ms[apart:]
            found = np.flatnonzero(share_ms > TOUCH_MS)
            if not len(found):
                break
            firsts.append(found)
            seconds.append(found + apart)
            shared.append(share_ms[found] / 1000)
        if not firsts:
            nothing = np.empty(0, np.int64)
            return nothing, nothing, np.empty(0, np.float32)
        return np.concatenate(firsts), np.concatenate(seconds), np.concatenate(shared).astype(np.float32)


def heard(windows: Sequence[Window]) -> Heard:
    """Return the windows that can be compared: those whose embedding is not nothing."""
    ordered = sorted(windows, key=lambda one: (one.start_ms, one.end_ms, one.embedding))
    raw = np.frombuffer(b"".join(one.embedding for one in ordered), "<f2")
    voices = raw.reshape(-1, EMBEDDING_SIZE).astype(np.float32)
    lengths = np.linalg.norm(voices, axis=1)
    good = np.isfinite(lengths) & (lengths > 0)
    places = np.array([(one.start_ms, one.end_ms, one.segment) for one in ordered], np.int64).reshape(-1, 3)
    return Heard(voices[good] / lengths[good, None], places[good, 0], places[good, 1], places[good, 2])
