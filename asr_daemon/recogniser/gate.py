"""The hallucination gate: a text that is not to be believed is recognised once more, in another way.

Enters: a segment as it was recognised. Leaves: the same for all that is credible. The rest is read a second
time, without hotwords and in halves, and the better of the two readings stays:

1. A second reading that failed is none. One without any text replaces nothing, or real speech would vanish:
   the first stays, in doubt, and the flag "second_reading_empty" tells what the second said.
2. The reading with fewer reasons to doubt it stays; of equals the first.

Flags say what was found ("repetition", "text_on_silence", "too_fast"), "redecoded" where the second reading
stays, and "hallucination_suspected" where the text that stays is in doubt.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.recogniser.decoder import joined
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.recogniser.sound.speech_band import levels_dbfs
from asr_daemon.recogniser.suspicion import LEVEL_SAMPLES, reasons

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from asr_daemon.recogniser.decoder import Decoder
    from asr_daemon.recogniser.families.family import Request, Spoken

REDECODED = "redecoded"
EMPTY_AGAIN = "second_reading_empty"
SUSPECTED = "hallucination_suspected"
LEAST_CUT_SAMPLES = 4 * SAMPLE_RATE_HZ  # shorter segments are not cut
_FAILURES = frozenset({"failed", "out_of_memory"})


class Gate:
    """Looks at every segment; used by the device's thread."""

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def check(self, samples: NDArray[np.float32], first: Spoken, request: Request) -> Spoken:
        """Return the reading that stays, of a segment of ``float32 [n_samples], 16 kHz mono``."""
        doubts = reasons(first.text, samples)
        if not doubts or _FAILURES.intersection(first.flags):
            return first
        second = self._read_again(samples, request)
        if second is None:
            return replace(first, flags=(*first.flags, *doubts, SUSPECTED))
        if not second.text:
            return replace(first, flags=(*first.flags, *doubts, EMPTY_AGAIN, SUSPECTED))
        doubts_again = reasons(second.text, samples)
        if len(doubts_again) < len(doubts):
            suspected = (SUSPECTED,) if doubts_again else ()
            return replace(second, flags=(*second.flags, *doubts, REDECODED, *suspected))
        return replace(first, flags=(*first.flags, *doubts, SUSPECTED))

    def _read_again(self, samples: NDArray[np.float32], request: Request) -> Spoken | None:
        """Return the reading without hotwords and in halves; None where it failed or would be the same."""
        plain = replace(request, hotwords=())
        cut = quietest_near_middle(samples)
        if cut is None and plain == request:
            return None
        parts = [samples] if cut is None else [samples[:cut], samples[cut:]]
        spoken = self._decoder.transcribe([self._decoder.prepare(part) for part in parts], plain)
        if any(_FAILURES.intersection(part.flags) for part in spoken):
            return None
        if cut is None:
            return spoken[0]
        before, after = spoken
        return joined(before, after, cut * 1000 // SAMPLE_RATE_HZ)


def quietest_near_middle(samples: NDArray[np.float32]) -> int | None:
    """Return where the middle third of a segment is quietest (200 ms of it); None where it is too short."""
    if len(samples) < LEAST_CUT_SAMPLES:
        return None
    levels = levels_dbfs(samples)
    first = len(levels) // 3
    smooth = np.convolve(levels[first : 2 * first], np.ones(4), mode="valid")
    return (first + int(smooth.argmin()) + 2) * LEVEL_SAMPLES
