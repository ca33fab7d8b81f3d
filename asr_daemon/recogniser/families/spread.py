"""A batch shared out over the cores: each worker takes a part of its segments through the whole model.

Threads inside an operation wait for one another some 1,500 times a batch; workers once. A batch of one
segment has all threads. Enters and leaves what a family does (family.py).
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from asr_daemon.recogniser.families.family import Family, Input, Request, Spoken

MOST_WORKERS = 4  # each holds a part's activations; more cores than that are threads of a worker


class Spread:
    """See :class:`~asr_daemon.recogniser.families.family.Family`; that family must be safe from threads."""

    def __init__(self, family: Family, threads: int) -> None:
        self.family = family
        self._threads = threads
        self._workers = min(threads, MOST_WORKERS)
        self._pool = ThreadPoolExecutor(self._workers, thread_name_prefix="recognition")

    @property
    def device(self) -> str:
        """The device really used."""
        return self.family.device

    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> Input:
        """Return the family's input of one segment."""
        return self.family.prepare(samples, bank)

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise one batch; raises what the first part raises that fails, once all have ended."""
        parts = share_out(segments, self._workers)
        if len(parts) == 1:
            torch.set_num_threads(self._threads)
            return self.family.transcribe(segments, request)
        running = [self._pool.submit(self._part, part, request) for part in parts]
        for each in running:
            each.exception()  # waits: what is tried next has the memory to itself
        return [spoken for each in running for spoken in each.result()]

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return what the family says."""
        return self.family.unknown_hotwords(request)

    def _part(self, part: Sequence[Input], request: Request) -> list[Spoken]:
        torch.set_num_threads(self._threads // self._workers)
        return self.family.transcribe(part, request)


def share_out(segments: Sequence[Input], most: int) -> list[Sequence[Input]]:
    """Return at most ``most`` runs of neighbours (they are alike in length), of nearly equal sums."""
    total = sum(segment.length_samples for segment in segments)
    parts: list[list[Input]] = [[]]
    before = 0
    for segment in segments:
        middle = before + segment.length_samples / 2
        if parts[-1] and middle * most > total * len(parts):
            parts.append([])
        parts[-1].append(segment)
        before += segment.length_samples
    return list(parts)
