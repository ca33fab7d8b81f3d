"""A question about windows, answered: who speaks when.

Windows that are long enough found speakers; speakers with next to no speech are absorbed; every window then
has a speaker, and where two speakers meet the change is put where the sound says. Deterministic.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.grouping.agglomerate import agglomerate, numbered
from asr_daemon.grouping.clusters import Clusters, merged, summed
from asr_daemon.grouping.heard import heard
from asr_daemon.grouping.turns import turns
from asr_daemon.speakers.grouped import Grouped, Voice
from asr_daemon.speakers.window import encoded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.grouping.heard import Floats, Heard, Integers
    from asr_daemon.speakers.grouped import Question, Turn

FOUNDING_S = 0.9  # a shorter window says little about a voice: it founds no speaker
LEAST_SHARE = 0.005  # of all speech; a speaker with less is absorbed ...
LEAST_MOST_S = 10.0  # ... but whoever speaks that long is somebody
NEIGHBOUR = 0.3  # in cosine: how much speaks for a short window's being its neighbour's


def group(question: Question) -> Grouped:
    """Answer a question."""
    windows = heard(question.windows)
    if not len(windows):
        return Grouped()
    founders = _founders(windows)
    labels = np.full(len(windows), -1, np.int64)
    labels[founders] = _speakers(windows.take(founders), question)
    voices = _means(windows, labels)
    labels = _all_assigned(windows, labels, voices)
    labels = numbered(labels)
    voices = _means(windows, labels)
    found = turns(windows, labels, voices)
    return Grouped(found, _voices(found, voices))


def _founders(windows: Heard) -> Integers:
    """Return which windows may found a speaker: the long ones, unless most of the speech is in short ones."""
    seconds = windows.seconds
    long = seconds >= FOUNDING_S
    if 2 * seconds[long].sum() < seconds.sum():
        return np.arange(len(windows))
    return np.flatnonzero(long)


def _speakers(windows: Heard, question: Question) -> Integers:
    """Return each window's speaker, -1 where that speaker hardly says anything."""
    start = agglomerate(windows)
    found = merged(Clusters(windows, start.labels))
    least_s = min(LEAST_MOST_S, LEAST_SHARE * float(found.seconds[found.is_there].sum()))
    _absorb(found, least_s)
    wanted, most = question.speakers_expected, question.max_speakers
    if wanted and found.count < wanted:
        found = _stopped_earlier(windows, start.labels, wanted, least_s)
    limit = wanted or most
    if limit and found.count > limit:
        found = merged(found, at_most=limit, least_margin=np.inf)
    return found.labels


def _absorb(clusters: Clusters, least_s: float) -> None:
    """Take out clusters with less speech than that; the largest stays."""
    largest = int(np.where(clusters.is_there, clusters.seconds, -np.inf).argmax())
    for k in np.flatnonzero(clusters.is_there & (clusters.seconds < least_s)):
        if k != largest:
            clusters.drop(int(k))


def _stopped_earlier(windows: Heard, labels: Integers, wanted: int, least_s: float) -> Clusters:
    """Return the clusters at the last moment of merging at which so many (or nearly) were somebody."""
    merging = Clusters(windows, labels)
    best, best_labels = -1, merging.labels
    while True:
        real = int((merging.is_there & (merging.seconds >= least_s)).sum())
        if best <= real <= wanted:
            best, best_labels = real, merging.labels.copy()
        if merging.count <= 1:
            break
        _, gone, kept = merging.best()
        merging.merge(gone, kept)
    chosen = Clusters(windows, numbered(best_labels))
    _absorb(chosen, least_s)
    return chosen


def _means(windows: Heard, labels: Integers) -> Floats:
    """Return each speaker's voice, ``float32 [K, 192]``, rows of length 1."""
    inside = labels >= 0
    sums = summed(windows.voices[inside], labels[inside], int(labels.max()) + 1).astype(np.float32)
    lengths: Floats = np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)
    return sums / lengths


def _all_assigned(windows: Heard, labels: Integers, voices: Floats) -> Integers:
    """Give windows without a speaker the one they sound like; who spoke last or next is likelier."""
    known = np.flatnonzero(labels >= 0)
    out = labels.copy()
    lost = np.flatnonzero(labels < 0)
    likeness = windows.voices[lost] @ voices.T
    likeness[:, ~np.isin(np.arange(len(voices)), labels[known])] = -np.inf
    after = np.searchsorted(known, lost)
    for row, (place, next_one) in enumerate(zip(lost, after, strict=True)):
        around = known[max(0, next_one - 1) : next_one + 1]
        gaps = np.maximum(
            windows.start_ms[around] - windows.end_ms[place], windows.start_ms[place] - windows.end_ms[around]
        )
        likeness[row, labels[around[gaps.argmin()]]] += NEIGHBOUR
        out[place] = likeness[row].argmax()
    return out


def _voices(found: Sequence[Turn], voices: Floats) -> tuple[Voice, ...]:
    spoken: dict[int, int] = {}
    for turn in found:
        spoken[turn.speaker] = spoken.get(turn.speaker, 0) + turn.end_ms - turn.start_ms
    return tuple(Voice(k, spoken[k], encoded(voices[k].tolist())) for k in sorted(spoken))
