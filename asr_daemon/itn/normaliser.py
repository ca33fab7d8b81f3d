"""The normaliser: finds spoken numbers, and writes those whose reading is certain."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.itn.normalised import Normalised, Span

if TYPE_CHECKING:
    from collections.abc import Iterable

_DIGITS = str.maketrans("零〇一幺二三四五六七八九", "001123456789")
_DIGIT_STRING = re.compile("[零〇一幺二三四五六七八九]{4,}")


class Normaliser:
    """Writes spoken numbers in digits; ``protect`` holds words that stay as they are spoken."""

    def __init__(self, protect: Iterable[str] = ()) -> None:
        self._protect = tuple(protect)

    def normalise(self, text: str) -> Normalised:
        """Return ``text`` with its digit strings written; pure, linear, never empty for a text that is not."""
        pieces: list[str] = []
        spans: list[Span] = []
        done = length = 0
        for match in _DIGIT_STRING.finditer(text):
            if any(word in text[max(0, match.start() - len(word)) : match.end() + len(word)] for word in self._protect):
                continue
            kept = text[done : match.start()]
            digits = match.group().translate(_DIGITS)
            start = length + len(kept)
            length = start + len(digits)
            spans.append(Span(match.start(), match.end(), start, length, "digits", "digit_string"))
            pieces += (kept, digits)
            done = match.end()
        pieces.append(text[done:])
        return Normalised(text, "".join(pieces), tuple(spans))
