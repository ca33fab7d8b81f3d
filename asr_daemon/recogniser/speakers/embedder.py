"""A recording's segments into windows with embeddings: the stage that recognition of speakers adds.

Enters: segments as they are found, ``float32 [n_samples], -1..1, 16 kHz mono`` each. Leaves: a
:class:`~asr_daemon.speakers.window.Window` for each 1.5 s. Segments of several recordings may share a batch.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ
from asr_daemon.recogniser.speakers.features import voice_features
from asr_daemon.recogniser.speakers.windows import places, sound
from asr_daemon.speakers.window import Window

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from asr_daemon.recogniser.speakers.network import SpeakerNetwork

STEP_ON_CARD_MS = 750
# A window costs a core as much as recognising a third to half a second (paraformer-zh's size, float32 and
# int8). Measured against a whole run of that size: every 750 ms 41% more (63% of int8), every 2250 ms 18%
# (27%), every 3000 ms 14% (22%). Fewer windows put more words with the wrong speaker: 3.0% at 750 ms, 4.7% at
# 2250 ms (confusion on real meetings, bench_speakers.py).
STEP_ON_PROCESSOR_MS = 2250
_BATCH_ON_CARD = 128
_BATCH_ON_PROCESSOR = 8  # activations of so many windows stay near the core
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

    def __init__(self, network: SpeakerNetwork, step_ms: int = 0, threads: int = 1) -> None:
        self._network = network
        is_processor = network.device.type == "cpu"
        usual_ms = STEP_ON_PROCESSOR_MS if is_processor else STEP_ON_CARD_MS
        self.step_ms = step_ms or usual_ms
        self._step_samples = self.step_ms * SAMPLE_RATE_HZ // 1000
        self._batch = _BATCH_ON_PROCESSOR if is_processor else _BATCH_ON_CARD
        workers = min(threads, MOST_WORKERS) if is_processor else 1
        self._pool = ThreadPoolExecutor(workers, thread_name_prefix="voices") if workers > 1 else None

    def embed(self, segments: Sequence[Spoken], windows_at_once: int = 0) -> list[tuple[Window, ...]]:
        """Return each segment's windows, in order of time; none where it is too short to be a voice."""
        found: list[list[Window]] = [[] for _ in segments]
        todo = [
            (number, place)
            for number, one in enumerate(segments)
            for place in places(len(one.samples), self._step_samples)
        ]
        size = windows_at_once or self._batch
        batches = [todo[low : low + size] for low in range(0, len(todo), size)]

        def embedded(batch: Sequence[tuple[int, tuple[int, int]]]) -> NDArray[np.float16]:
            return self._rows([sound(segments[number].samples, place) for number, place in batch])

        every = map(embedded, batches) if self._pool is None else self._pool.map(embedded, batches)
        for batch, rows in zip(batches, every, strict=True):
            for (number, place), row in zip(batch, rows, strict=True):
                if np.isfinite(row).all() and row.any():
                    found[number].append(_window(segments[number], place, row.tobytes()))
        return [tuple(windows) for windows in found]

    def _rows(self, windows: Sequence[NDArray[np.float32]]) -> NDArray[np.float16]:
        """Return ``float16 [n, 192]``, little-endian."""
        if self._pool is not None:
            torch.set_num_threads(1)
        samples = torch.from_numpy(np.stack(windows)).to(self._network.device)
        return self._network.embed(voice_features(samples)).numpy().astype("<f2")


def _window(one: Spoken, place: tuple[int, int], embedding: bytes) -> Window:
    start_ms, end_ms = (one.start_ms + at * 1000 // SAMPLE_RATE_HZ for at in place)
    return Window(one.segment, start_ms, end_ms, embedding)
