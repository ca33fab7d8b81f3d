"""How long a recording lasts, about, before it is decoded: from its size, by what others of its suffix had.

What it is charged for is what was recognised of it; an estimate decides no more than who begins sooner.
"""

from __future__ import annotations

import statistics
from collections import defaultdict
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Bytes a second of usual recordings, as long as none of that suffix was finished.
USUAL_BYTES_PER_S = {
    ".wav": 96_000,
    ".aiff": 96_000,
    ".flac": 50_000,
    ".amr": 1_600,
    ".opus": 4_000,
    ".ogg": 8_000,
    ".mp4": 150_000,
    ".mkv": 250_000,
    ".mov": 500_000,
    ".avi": 500_000,
}
USUAL = 16_000  # of anything else: mp3 and m4a at 128 kbit/s
LEAST_MS, MOST_MS = 1_000, 48 * 3_600_000
LEAST_KNOWN = 3  # finished recordings of a suffix that tell more than what is usual


class Lengths:
    """What sizes mean; :meth:`learn` anew now and then."""

    def __init__(self) -> None:
        self._rates: dict[str, float] = {}

    def learn(self, finished: Iterable[tuple[str, int, int]]) -> None:
        """Take up finished recordings: name, size in bytes, length in ms.

        The middle one of a suffix counts: a single file that says little in many bytes, or much in few,
        changes nothing for the others.
        """
        seen: dict[str, list[float]] = defaultdict(list)
        for name, size_bytes, duration_ms in finished:
            if size_bytes > 0 and duration_ms > 0:
                seen[suffix(name)].append(size_bytes * 1000 / duration_ms)
        self._rates = {
            each: statistics.median(rates) for each, rates in seen.items() if len(rates) >= LEAST_KNOWN
        }

    def expected_ms(self, name: str, size_bytes: int) -> int:
        """Return how long a recording is, about."""
        kind = suffix(name)
        rate = self._rates.get(kind) or USUAL_BYTES_PER_S.get(kind, USUAL)
        return min(MOST_MS, max(LEAST_MS, round(size_bytes * 1000 / rate)))


def suffix(name: str) -> str:
    """Return the suffix that tells the format."""
    return PurePath(name).suffix.lower()
