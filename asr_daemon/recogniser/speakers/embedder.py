"""A recording's segments into windows with embeddings: the stage that recognition of speakers adds.

Enters: segments as they are found, ``float32 [n_samples], -1..1, 16 kHz mono`` each. Leaves: a
:class:`~asr_daemon.speakers.window.Window` for each 1.5 s. Segments of several recordings may share a batch.
"""

from __future__ import annotations

import itertools
import math
import operator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ
from asr_daemon.recogniser.speakers.features import voice_features
from asr_daemon.recogniser.speakers.windows import middle, places, sound
from asr_daemon.speakers.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asr_daemon.recogniser.speakers.network import SpeakerNetwork
    from asr_daemon.recogniser.speakers.windows import Place

STEP_ON_CARD_MS = 750
# A window in int8 costs a core as much as recognising a seventh of a second in int8, and one in float32 as
# a quarter of a second in float32 (paraformer-zh's size). So windows lie apart on a processor at first;
# between two that are not alike, and only there, others follow. In int8 that is one more round, not several:
# a small batch costs nearly as much as a large one. But a short recording has too few then to tell who is
# somebody, so that in int8 what begins in the first half minute is heard as on a card: of excerpts so short
# the wrong speaker has 3.4% of the speech, in place of more than 4% (bench_speakers.py; in float32 4.6%).
STEP_IN_INT8_MS, FINEST_IN_INT8_MS = 3000, 1500
STEP_IN_FLOAT32_MS, FINEST_IN_FLOAT32_MS = 4500, 750
DENSE_UNTIL_MS = 30_000
ALIKE = 0.5  # cosine of two windows between which nobody else is looked for
_BATCH_ON_CARD = 128
_BATCH_ON_PROCESSOR = 8  # activations of so many windows stay near the core
_BATCH_IN_INT8 = 32
_LEAST_SHARED = 8  # fewer cost nearly as much as so many
MOST_WORKERS = 4  # as recognition's own


@dataclass(frozen=True, slots=True, eq=False)
class Spoken:
    """A segment: its number, where it begins in the recording, and its samples."""

    segment: int
    start_ms: int
    samples: NDArray[np.float32]


class Embedder:
    """The network with its windows; used by one thread. ``step_ms`` 0: what suits the device.

    On a processor each of ``threads`` workers takes a batch through the whole network: threads inside an
    operation would wait for one another some hundred times a batch.
    """

    def __init__(
        self, network: SpeakerNetwork, step_ms: int = 0, threads: int = 1, finest_ms: int = 0
    ) -> None:
        """Windows are ``step_ms`` apart, and down to ``finest_ms`` (0: no further) where voices differ.

        Without ``step_ms``, those of a recording's beginning are as far apart in int8 as on a card.
        """
        self._network = network
        is_processor = network.device.type == "cpu"
        self.dense_until_ms = 0
        if not step_ms and is_processor:
            step_ms, finest_ms = STEP_IN_FLOAT32_MS, FINEST_IN_FLOAT32_MS
            if network.in_int8:
                step_ms, finest_ms = STEP_IN_INT8_MS, FINEST_IN_INT8_MS
                self.dense_until_ms = DENSE_UNTIL_MS
        self.step_ms, self.finest_ms = step_ms or STEP_ON_CARD_MS, finest_ms
        on_processor = _BATCH_IN_INT8 if network.in_int8 else _BATCH_ON_PROCESSOR
        self._batch = on_processor if is_processor else _BATCH_ON_CARD
        self._workers = min(threads, MOST_WORKERS) if is_processor else 1
        self._pool = (
            ThreadPoolExecutor(self._workers, thread_name_prefix="voices") if self._workers > 1 else None
        )

    def embed(self, segments: Sequence[Spoken], windows_at_once: int = 0) -> list[tuple[Window, ...]]:
        """Return each segment's windows, in order of time; none where it is too short to be a voice."""
        found: list[dict[Place, NDArray[np.float32]]] = [{} for _ in segments]
        todo = [
            (number, place)
            for number, one in enumerate(segments)
            for place in places(len(one.samples), self._step_ms(one) * SAMPLE_RATE_HZ // 1000)
        ]
        while todo:
            sounds = (sound(segments[number].samples, place) for number, place in todo)
            for (number, place), row in zip(
                todo, self._rows(list(sounds), windows_at_once or self._batch), strict=True
            ):
                found[number][place] = row
            touched = dict.fromkeys(number for number, _ in todo)
            todo = [(number, place) for number in touched for place in self._between(found[number])]
        return [
            tuple(
                _window(one, place, row.astype("<f2").tobytes())
                for place, row in sorted(mine.items(), key=operator.itemgetter(0))
                if np.isfinite(row).all() and row.any()
            )
            for one, mine in zip(segments, found, strict=True)
        ]

    def _step_ms(self, one: Spoken) -> int:
        return STEP_ON_CARD_MS if one.start_ms < self.dense_until_ms else self.step_ms

    def _between(self, found: dict[Place, NDArray[np.float32]]) -> list[Place]:
        """Return where more windows are wanted: between neighbours that are not alike."""
        if not self.finest_ms:
            return []
        least = self.finest_ms * SAMPLE_RATE_HZ // 1000
        return [
            middle(one, other)
            for one, other in itertools.pairwise(sorted(found))
            if other[0] - one[0] >= 2 * least and not float(found[one] @ found[other]) >= ALIKE
        ]

    def _rows(self, sounds: Sequence[NDArray[np.float32]], size: int) -> list[NDArray[np.float32]]:
        """Return the embedding ``float32 [192]`` of each window."""
        if self._pool is not None:  # as many for each worker: none waits for another's last batch
            rounds = math.ceil(len(sounds) / (size * self._workers))
            size = min(size, max(_LEAST_SHARED, math.ceil(len(sounds) / (rounds * self._workers))))
        batches = [sounds[low : low + size] for low in range(0, len(sounds), size)]
        every = (
            map(self._embedded, batches) if self._pool is None else self._pool.map(self._embedded, batches)
        )
        return [row for rows in every for row in rows]

    def _embedded(self, sounds: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        if self._pool is not None:
            torch.set_num_threads(1)
        samples = torch.from_numpy(np.stack(sounds)).to(self._network.device)
        rows: NDArray[np.float32] = self._network.embed(voice_features(samples)).numpy()
        return rows


def _window(one: Spoken, place: Place, embedding: bytes) -> Window:
    start_ms, end_ms = (one.start_ms + at * 1000 // SAMPLE_RATE_HZ for at in place)
    return Window(one.segment, start_ms, end_ms, embedding)
