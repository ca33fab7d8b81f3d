"""From windows to clusters: average linkage within blocks of some ten minutes, then by noise-free likeness.

Memory and time grow with the recording's length, not with its square: a block's clusters are what goes on.
A shorter recording is one block. No step draws a random number.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.cluster.hierarchy import fcluster, linkage

from asr_daemon.grouping.clusters import Clusters, merged

if TYPE_CHECKING:
    from asr_daemon.grouping.heard import Heard, Integers

BLOCK_WINDOWS = 800
SURELY_SAME = 0.5  # cosine distance up to which average linkage alone decides
MOST_OF_BLOCK = 50  # clusters that a block hands on
MOST_WAITING = 400  # clusters of several blocks, before they are merged with one another


def agglomerate(heard: Heard) -> Clusters:
    """Return clusters of all windows, merged as far as they are alike."""
    labels = np.full(len(heard), -1, np.int64)
    waiting = 0
    for low in range(0, len(heard), BLOCK_WINDOWS):
        places = np.arange(low, min(low + BLOCK_WINDOWS, len(heard)))
        block = heard.take(places)
        clusters = Clusters(block, linked(block))
        if len(heard) > BLOCK_WINDOWS:
            clusters = merged(clusters, at_most=MOST_OF_BLOCK)
        labels[places] = numbered(clusters.labels) + waiting
        waiting += clusters.count
        if waiting > MOST_WAITING:
            known = heard.take(np.arange(places[-1] + 1))
            together = merged(Clusters(known, labels[: len(known)]), at_most=MOST_WAITING // 2)
            labels[: len(known)] = numbered(together.labels)
            waiting = together.count
    return Clusters(heard, labels)


def linked(heard: Heard) -> Integers:
    """Return the labels of average linkage, 0 .. K-1: many clusters, each surely of one voice."""
    if len(heard) < 2:  # noqa: PLR2004 (nothing to link)
        return np.zeros(len(heard), np.int64)
    tree = linkage(heard.voices, "average", metric="cosine")
    return numbered(fcluster(tree, SURELY_SAME, "distance"))


def numbered(labels: Integers) -> Integers:
    """Return labels as 0 .. K-1 in order of first use; -1 stays."""
    known, firsts = np.unique(labels, return_index=True)
    order = known[np.argsort(firsts)]
    new = {int(label): number for number, label in enumerate(order[order >= 0])}
    return np.array([new.get(int(label), -1) for label in labels], np.int64)
