"""Labels of windows into turns: where in a segment the speaker changes, and where somebody speaks along.

Neighbouring windows share half of their sound. A window across a change sounds like a mixture of both voices,
in proportion; so each half window is a cell, each window says how its two cells together sound, and the
likeliest sequence of cells is taken (Viterbi). Only changes between speakers with some speech are moved, and
only by about a window: what clustering said stands.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.grouping.heard import TOUCH_MS
from asr_daemon.speakers.grouped import Turn

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asr_daemon.grouping.heard import Floats, Heard, Integers

ESTABLISHED_WINDOWS = 4  # a voice made of fewer windows fits those too well to be weighed against others
SURENESS = 40.0  # cosine to log-likelihood: 0.1 of cosine counts as 4
CHANGE = 2.0  # log-likelihood that a change of speakers costs
WITHIN = 0.5  # mean cosine within a voice: a mean voice without its noise is that long, squared
ALONG = 0.3  # of the louder voice: from this share on a second voice is said to speak along


def turns(heard: Heard, labels: Integers, voices: Floats) -> tuple[Turn, ...]:
    """Return the turns of all segments, in order; ``labels`` ``[N]``, ``voices`` ``float32 [K, 192]``."""
    counts = np.bincount(labels, minlength=len(voices))
    found: list[Turn] = []
    order = np.lexsort((heard.start_ms, heard.segment))
    borders = np.flatnonzero(np.diff(heard.segment[order])) + 1
    segments = sorted(np.split(order, borders), key=lambda places: int(heard.start_ms[places[0]]))
    for places in segments:
        found += _joined(_segment(heard.take(places), labels[places], voices, counts))
    return tuple(found)


def _segment(heard: Heard, labels: Integers, voices: Floats, counts: Integers) -> list[Turn]:
    """Return the cells of one segment as turns; where windows lie apart, half of the gap goes to either."""
    gaps = heard.start_ms[1:] - heard.end_ms[:-1]
    apart = np.flatnonzero(gaps > -TOUCH_MS) + 1
    is_along = _along(heard, labels, voices, counts)
    pieces: list[Turn] = []
    for run in np.split(np.arange(len(heard)), apart):
        borders = [*heard.start_ms[run].tolist(), 0, int(heard.end_ms[run[-1]])]
        borders[-2] = (borders[-3] + borders[-1]) // 2
        if pieces:
            middle = (pieces[-1].end_ms + borders[0]) // 2
            pieces[-1] = replace(pieces[-1], end_ms=middle)
            borders[0] = middle
        chosen = _likeliest(heard.take(run), _allowed(labels[run], counts), voices)
        for number, speaker in enumerate(chosen):
            window = run[min(number, len(run) - 1)]
            alone = set(chosen[max(0, number - 1) : number + 2]) != {speaker}
            pieces.append(
                Turn(borders[number], borders[number + 1], speaker, bool(is_along[window]) and not alone)
            )
    return [piece for piece in pieces if piece.end_ms > piece.start_ms]


def _allowed(labels: Integers, counts: Integers) -> list[list[int]]:
    """Return the speakers that may have each cell of a run; there is one cell more than windows.

    The cell that begins with a window of a hardly established voice is that voice's.
    """
    allowed = []
    for cell in range(len(labels) + 1):
        own = int(labels[min(cell, len(labels) - 1)])
        near = {int(one) for one in labels[max(0, cell - 2) : cell + 2] if counts[one] >= ESTABLISHED_WINDOWS}
        allowed.append(sorted(near | {own}) if counts[own] >= ESTABLISHED_WINDOWS else [own])
    return allowed


def _likeliest(heard: Heard, allowed: list[list[int]], voices: Floats) -> list[int]:
    """Return the speaker of each cell (Viterbi over the speakers that each may have)."""
    if all(len(one) == 1 for one in allowed):
        return [one[0] for one in allowed]
    scores = np.zeros(len(allowed[0]))
    steps = []
    for number, window in enumerate(heard.voices):
        before, after = allowed[number], allowed[number + 1]
        first, second = voices[before] * np.sqrt(WITHIN), voices[after] * np.sqrt(WITHIN)
        start, end = heard.start_ms[number], heard.end_ms[number]
        until = heard.start_ms[number + 1] if number + 1 < len(heard) else (start + end) // 2
        share = float((until - start) / (end - start))
        mixed = share * first[:, None] + (1 - share) * second[None]
        fits = mixed @ window - (mixed**2).sum(axis=-1) / 2
        changes = np.not_equal.outer(before, after)
        total = scores[:, None] + SURENESS * fits - CHANGE * changes
        steps.append(total.argmax(axis=0))
        scores = total.max(axis=0)
    place = int(scores.argmax())
    chosen = [allowed[-1][place]]
    for number in range(len(steps) - 1, -1, -1):
        place = int(steps[number][place])
        chosen.append(allowed[number][place])
    return chosen[::-1]


def _along(heard: Heard, labels: Integers, voices: Floats, counts: Integers) -> NDArray[np.bool_]:
    """Return in which windows a second, established voice sounds as well, ``[N]``."""
    others = np.flatnonzero(counts >= ESTABLISHED_WINDOWS)
    out = np.zeros(len(heard), np.bool_)
    for place, (window, label) in enumerate(zip(heard.voices, labels, strict=True)):
        rest = others[others != label]
        if len(rest):
            alike = voices[rest] @ voices[label]
            own, theirs = float(voices[label] @ window), voices[rest] @ window
            shares = (theirs - alike * own) / np.maximum(own - alike * theirs, 1e-3)
            out[place] = bool((shares > ALONG).any())
    return out


def _joined(pieces: list[Turn]) -> list[Turn]:
    """Join neighbours that say the same."""
    out: list[Turn] = []
    for piece in pieces:
        if out and out[-1].speaker == piece.speaker and out[-1].is_overlapped == piece.is_overlapped:
            out[-1] = replace(out[-1], end_ms=piece.end_ms)
        else:
            out.append(piece)
    return out
