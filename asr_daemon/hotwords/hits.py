"""Which hotwords a segment holds, and who put them there.

Enters: a segment's raw text, its corrections and the list. Leaves: :class:`Hit` in the order of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asr_daemon.transcripts.transcript import Correction


@dataclass(frozen=True, slots=True)
class Hit:
    """A hotword in a segment; one that is there several times counts once for each way."""

    word: str
    by: Literal["model", "correction"]


def find_hits(raw_text: str, corrections: Sequence[Correction], hotwords: Iterable[str]) -> tuple[Hit, ...]:
    """Return the hotwords that the corrected text holds.

    Spaces and the case of Latin letters do not count; a Latin word counts only as a whole word. A hotword
    that a correction touches was put there by it.
    """
    text, by_correction = _corrected(raw_text, corrections)
    folded = text.casefold()
    found: dict[tuple[int, Hit], None] = {}
    for word in dict.fromkeys(hotwords):
        if not _may_hold(folded, word):
            continue
        for match in _pattern(word).finditer(text):
            touched = any(by_correction[match.start() : match.end()])
            found.setdefault((match.start(), Hit(word, "correction" if touched else "model")))
    return tuple(dict.fromkeys(hit for _, hit in sorted(found, key=lambda item: item[0])))


def _corrected(raw_text: str, corrections: Sequence[Correction]) -> tuple[str, list[bool]]:
    """Return the text after the corrections and, for each character, whether one put it there."""
    text, touched, at = "", [False] * 0, 0
    for correction in sorted(corrections, key=lambda one: one.raw_start):
        kept = raw_text[at : correction.raw_start]
        text += kept + correction.after
        touched += [False] * len(kept) + [True] * len(correction.after)
        at = correction.raw_end
    rest = raw_text[at:]
    return text + rest, touched + [False] * len(rest)


def _may_hold(folded: str, word: str) -> bool:
    """Say quickly of most words of a long list that they are not there."""
    return word.split(maxsplit=1)[0].casefold() in folded if word.strip() else False


def _pattern(word: str) -> re.Pattern[str]:
    pieces = r"\s*".join(map(re.escape, word.split()))
    before = r"(?<![A-Za-z0-9])" if word[0].isascii() and word[0].isalnum() else ""
    after = r"(?![A-Za-z0-9])" if word[-1].isascii() and word[-1].isalnum() else ""
    return re.compile(before + pieces + after, re.IGNORECASE)
