"""Where a text is parted, so that no number, date or context reaches across: at marks, and at given pauses.

A mark belongs to what stands before it. 、 is no border: 三月五号、六号 is one enumeration; neither is a mark
between Latin letters or figures (``3.5``, ``12,000``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_MARKS = re.compile(r"[，。！？；\n]+|[,;!?](?![0-9A-Za-z])")


def pieces(text: str, borders: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield the half-open pieces of ``text``, in order; ``borders`` are offsets, those outside do not count."""
    cuts = {match.end() for match in _MARKS.finditer(text)}
    cuts.update(border for border in borders if 0 < border < len(text))
    start = 0
    for cut in sorted(cuts):
        yield start, cut
        start = cut
    if start < len(text):
        yield start, len(text)
