"""Windows of voices that nobody has: as alike as those of real meetings, for tests of who is who.

In meetings recorded from far away two windows of one speaker have a cosine of 0.57 on average, of two
speakers 0.30: the room is in all of them, the voice in its own, and the rest is noise.
"""

from __future__ import annotations

import itertools

import numpy as np

from asr_daemon.speakers.window import EMBEDDING_SIZE, Window

ROOM, VOICE, NOISE = 0.30, 0.27, 0.43
CELL_MS = 750


def unit(rows: np.ndarray) -> np.ndarray:
    """Return rows of length 1."""
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


class Room:
    """Speakers in one room; who is number 0 is the same in every room of the same seed."""

    def __init__(self, seed: int = 1, speakers: int = 60) -> None:
        self._chance = np.random.default_rng(seed)
        # at right angles, as voices of different people are where the room is taken off
        basis, _ = np.linalg.qr(self._chance.normal(size=(EMBEDDING_SIZE, speakers + 1)))
        self.room, self.voices = basis[:, 0], basis[:, 1:].T
        self._at_ms = 0
        self._segment = 0

    def segment(self, *said: tuple[int, int], pause_ms: int = 1000) -> list[Window]:
        """Return the windows of one segment: (speaker, ms) one after another, in whole 750 ms."""
        cells = [speaker for speaker, length_ms in said for _ in range(max(1, length_ms // CELL_MS))]
        noise = self._chance.normal(size=(len(cells), EMBEDDING_SIZE)) / np.sqrt(EMBEDDING_SIZE)
        sounds = np.sqrt(VOICE) * self.voices[cells] + np.sqrt(2 * NOISE) * noise
        if len(cells) == 1:
            length_ms = said[0][1]
            rows = [(0, length_ms, sounds[0])]
        else:
            pairs = enumerate(itertools.pairwise(sounds))
            rows = [(k * CELL_MS, (k + 2) * CELL_MS, (one + other) / 2) for k, (one, other) in pairs]
        windows = [
            Window(
                self._segment,
                self._at_ms + start,
                self._at_ms + end,
                unit(np.sqrt(ROOM) * self.room + voice).astype("<f2").tobytes(),
            )
            for start, end, voice in rows
        ]
        self._at_ms += rows[-1][1] + pause_ms
        self._segment += 1
        return windows
