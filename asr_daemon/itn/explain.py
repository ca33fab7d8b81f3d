"""Says of a normalised text what was written in place of what, and by which rule."""

from __future__ import annotations

import unicodedata
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.itn.normalised import Normalised

_WIDE = ("W", "F", "A")


def _columns(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    return sum(2 if unicodedata.east_asian_width(character) in _WIDE else 1 for character in text)


def _padded(text: str, columns: int) -> str:
    return text + " " * (columns - _columns(text))


def explain(normalised: Normalised) -> str:
    """Return a line per span: raw, written, kind and rule; the empty string where nothing was written."""
    rows = [
        (
            normalised.raw[span.raw_start : span.raw_end],
            normalised.text[span.start : span.end],
            span.kind,
            span.rule,
        )
        for span in normalised.spans
    ]
    if not rows:
        return ""
    raw, written, kind = (max(_columns(row[column]) for row in rows) for column in range(3))
    return "\n".join(
        f"{_padded(row[0], raw)}  →  {_padded(row[1], written)}  {_padded(row[2], kind)}  {row[3]}"
        for row in rows
    )
