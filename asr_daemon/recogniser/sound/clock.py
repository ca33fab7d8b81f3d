"""The container's clock while ffmpeg decodes: a filter that prints it, and what is believed of the prints.

ffmpeg's ``asetpts`` filter prints where a frame's time stamp departs from the number of samples before it,
and it does so before any of that frame's sound is written; so nothing needs to be read twice. Before each
pair stands a number that nobody else knows: ffmpeg's warnings quote what the recording's author wrote.
"""

from __future__ import annotations

import re
import secrets

# Prints the number of samples so far and how far the clock is ahead of them, wherever that changes by more
# than 50 ms (what containers with milliseconds, and clocks that drift, need by way of room).
_CLOCK = (
    r"asetpts=st(0\,PTS*TB-N/SR)\;"
    r"if(eq(N\,0)+gt(abs(ld(0)-ld(1))\,0.05)\,print({nonce}\,24)+print(N/SR\,24)+print(ld(0)\,24)+st(1\,if(isnan(ld(0))\,0\,ld(0))))\;"
    r"N/SR/TB"
)
_PRINTED = re.compile(r"-?(?:\d+\.\d+|nan|inf)")
_WHOLE = 3  # the nonce and a pair


class Readings:
    """Reads the filter's prints out of what ffmpeg warns of."""

    def __init__(self) -> None:
        self._nonce = secrets.randbelow(10**12) + 10**12
        self._printed: list[float] = []

    @property
    def filter(self) -> str:
        """The filter, for ``-af``."""
        return _CLOCK.format(nonce=self._nonce)

    def is_print(self, words: str) -> bool:
        """Whether that is a number that the filter may have printed."""
        return _PRINTED.fullmatch(words) is not None

    def hear(self, words: str) -> tuple[float, float] | None:
        """Take in a number; return seconds of sound and how far the clock is ahead once a pair is whole."""
        number = float(words)
        if number == self._nonce or self._printed:
            self._printed.append(number)
        if len(self._printed) < _WHOLE:
            return None
        _, sent_s, ahead_s = self._printed
        self._printed.clear()
        return sent_s, ahead_s
