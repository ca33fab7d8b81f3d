"""Clusters of windows by their sums, and how alike two of them are once noise is taken out.

A window's embedding is its speaker's voice and as much noise again. The mean cosine between two clusters,
divided by the geometric mean of the cosines within them, is free of it: about 1 for two halves of one
speaker's speech, however noisy the room. Measured on real meetings (far microphone): 0.77 to 1.0 for one
speaker, 0.1 to 0.70 for two. Pairs of windows that share sound count nowhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.sparse import csr_array

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asr_daemon.grouping.heard import Floats, Heard, Integers

SAME_VOICE = 0.72  # of clusters with much speech: halfway between the ranges above
SAME_VOICE_ONE_WINDOW = 0.5  # of a single window, whose noise does not average out
ONE_WINDOW_S = 1.5
USUAL_WITHIN = 0.5  # mean cosine of two windows of one speaker in one recording
USUAL_PAIRS = 4.0  # that many pairs' worth that is trusted, where a cluster has few of its own
_LEAST_WITHIN = 0.05


class Clusters:
    """K clusters, of which some are merged into others; row ``k`` of everything is cluster ``k``'s."""

    def __init__(self, heard: Heard, labels: Integers) -> None:
        """``labels`` ``[N]`` are 0 .. K-1; -1 belongs nowhere."""
        self.labels = labels.copy()
        count = int(labels.max(initial=-1)) + 1
        inside = labels >= 0
        self.sums = summed(heard.voices[inside], labels[inside], count)
        self.counts = np.bincount(labels[inside], minlength=count).astype(np.float64)
        seconds = np.bincount(labels[inside], heard.seconds[inside], minlength=count)
        first, second, shared_s = heard.overlapping()
        both = inside[first] & inside[second]
        first, second, shared_s = first[both], second[both], shared_s[both]
        cosines = np.einsum("nd,nd->n", heard.voices[first], heard.voices[second])
        pairs = labels[first] * count + labels[second]
        self._shared_sums = _both_ways(pairs, cosines, count)
        self._shared_counts = _both_ways(pairs, np.ones(len(pairs)), count)
        self._shared_seconds = _both_ways(pairs, shared_s, count)
        self.seconds = seconds - np.diag(self._shared_seconds) / 2
        self.is_there = self.counts > 0
        self._margins = np.full((count, count), -np.inf)
        for k in range(count):
            self._margins[k] = self._row(k)
        np.fill_diagonal(self._margins, -np.inf)

    @property
    def count(self) -> int:
        """How many there are."""
        return int(self.is_there.sum())

    def best(self) -> tuple[float, int, int]:
        """Return the pair to merge first: by how much it is alike enough (below 0: it is not), gone, kept."""
        place = int(self._margins.argmax())
        one, other = divmod(place, len(self._margins))
        return float(self._margins[one, other]), max(one, other), min(one, other)

    def merge(self, gone: int, kept: int) -> None:
        """Make two clusters one."""
        self.labels[self.labels == gone] = kept
        self.sums[kept] += self.sums[gone]
        self.counts[kept] += self.counts[gone]
        self.seconds[kept] += self.seconds[gone] - self._shared_seconds[gone, kept]
        for table in (self._shared_sums, self._shared_counts, self._shared_seconds):
            table[kept] += table[gone]
            table[:, kept] += table[:, gone]
            table[gone] = table[:, gone] = 0.0
        self._forget(gone)
        row = self._row(kept)
        row[kept] = -np.inf
        self._margins[kept] = self._margins[:, kept] = row

    def drop(self, gone: int) -> None:
        """Take a cluster out: its windows belong nowhere."""
        self.labels[self.labels == gone] = -1
        self._forget(gone)

    def _forget(self, gone: int) -> None:
        self.is_there[gone] = False
        self._margins[gone] = self._margins[:, gone] = -np.inf

    def _within(self) -> Floats:
        """Return the mean cosine within each cluster, ``[K]``; of few pairs, drawn towards the usual one."""
        squares = np.einsum("kd,kd->k", self.sums, self.sums)
        pairs = (self.counts * (self.counts - 1) - np.diag(self._shared_counts)) / 2
        sums = (squares - self.counts - np.diag(self._shared_sums)) / 2
        within = (sums + USUAL_PAIRS * USUAL_WITHIN) / (np.maximum(pairs, 0) + USUAL_PAIRS)
        kept: Floats = np.maximum(within, _LEAST_WITHIN).astype(np.float32)
        return kept

    def _row(self, k: int) -> Floats:
        """Return by how much each cluster is alike enough to ``k``, ``[K]``."""
        every = self.counts * self.counts[k]
        sums = self.sums @ self.sums[k]
        pairs = every - self._shared_counts[k]
        apart = np.where(pairs > 0, sums - self._shared_sums[k], sums)
        between = apart / np.maximum(np.where(pairs > 0, pairs, every), 1)
        within = self._within()
        alike = between / np.sqrt(within * within[k])
        less = np.minimum(self.seconds, self.seconds[k])
        certainty = 1 - np.minimum(1, ONE_WINDOW_S / np.maximum(less, 0.1))
        wanted = SAME_VOICE_ONE_WINDOW + (SAME_VOICE - SAME_VOICE_ONE_WINDOW) * certainty
        return np.where(self.is_there, alike - wanted, -np.inf).astype(np.float32)


def summed(voices: Floats, labels: Integers, count: int) -> NDArray[np.float64]:
    """Return the sum of each cluster's voices, ``[count, d]``; ``labels`` are 0 .. count-1."""
    members = csr_array((np.ones(len(labels)), labels, np.arange(len(labels) + 1)), (len(labels), count))
    sums: NDArray[np.float64] = members.T @ voices.astype(np.float64)
    return sums


def _both_ways(pairs: Integers, values: NDArray[Any], count: int) -> NDArray[np.float64]:
    """Return the sums of pairs' values, ``[count, count]``, symmetric; a pair is first * count + second."""
    table = np.bincount(pairs, values, minlength=count * count).reshape(count, count).astype(np.float64)
    return np.add(table, table.T)


def merged(clusters: Clusters, at_most: int = 0, least_margin: float = 0.0) -> Clusters:
    """Merge what is alike enough, and then, where ``at_most`` is given, down to that many."""
    while clusters.count > 1:
        margin, gone, kept = clusters.best()
        if margin < least_margin and not (at_most and clusters.count > at_most):
            break
        clusters.merge(gone, kept)
    return clusters
