"""Where a segment's windows lie, and their sound.

Enters: ``float32 [n_samples], -1..1, 16 kHz mono`` of one segment. Leaves: places, and windows that are all
1.5 s long: a shorter segment is repeated until it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.recogniser.features import HOP_SAMPLES
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

Place = tuple[int, int]  # (start, end) in samples of a segment

WINDOW_SAMPLES = SAMPLE_RATE_HZ * 3 // 2
LEAST_SAMPLES = SAMPLE_RATE_HZ // 10  # less is a click, not a voice
_LEAST_REST_SAMPLES = SAMPLE_RATE_HZ // 10  # less speech behind the last window gets none of its own


def places(length_samples: int, step_samples: int) -> list[Place]:
    """Return the (start, end) of each window of a segment, in samples; none where it is too short.

    They are ``step_samples`` apart; the last one ends with the segment.
    """
    if length_samples < LEAST_SAMPLES:
        return []
    last = length_samples - WINDOW_SAMPLES
    if last <= 0:
        return [(0, length_samples)]
    starts = list(range(0, last + 1, step_samples))
    if last - starts[-1] >= _LEAST_REST_SAMPLES:
        starts.append(last)
    return [(start, start + WINDOW_SAMPLES) for start in starts]


def middle(one: Place, other: Place) -> Place:
    """Return the window half-way between two, on the filter bank's grid."""
    start = (one[0] + other[0]) // 2 // HOP_SAMPLES * HOP_SAMPLES
    return start, start + WINDOW_SAMPLES


def sound(samples: NDArray[np.float32], place: Place) -> NDArray[np.float32]:
    """Return a window's ``float32 [24000]``; a short one goes round in a circle."""
    start, end = place
    return np.resize(samples[start:end], WINDOW_SAMPLES)
