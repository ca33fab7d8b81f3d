"""How much a cue may show, and for how long: none so short that nobody can read it.

Enters: the pieces of each cue, in order. Leaves: cues with their times. A cue that would be gone in less than
``SHORTEST_MS``, because the next one begins, begins a little earlier where there is silence before it; else
it joins the neighbour that is nearer to it, and where both are full the next begins a little later. None
overlap.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from asr_daemon.transcripts.writers.pieces import Piece

LINE_COLUMNS = 40  # 20 Chinese characters; a Latin letter takes half of one's width
CUE_COLUMNS = 2 * LINE_COLUMNS
CUE_MS = 7000
SHORTEST_MS = 700
READABLE_MS = 1000  # a cue is shown for so long, where nothing follows
EARLY_MS = 500  # before its first word
NEAR_MS = 1500  # no cue joins one that is further away


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: its lines, and when it is shown (ms from the start of the recording)."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]
    speaker: str = ""


def columns(text: str) -> int:
    """Return how wide a text is shown, a Chinese character being 2."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def join_short(groups: Iterable[Sequence[Piece]], duration_ms: int) -> list[list[Piece]]:
    """Return the cues' pieces, with those in one that would be too short alone."""
    found: list[list[Piece]] = []
    for group in groups:
        if found and _is_short(found, group[0].start_ms):
            _join_last(found, group)
        else:
            found.append(list(group))
    if len(found) > 1 and _is_short(found, max(found[-1][-1].end_ms, duration_ms)):
        last = found.pop()
        is_near = last[0].start_ms - found[-1][-1].end_ms < NEAR_MS
        found[-1:] = [_joined(found[-1], last)] if is_near and _fit(found[-1], last) else [found[-1], last]
    return found


def _is_short(found: Sequence[Sequence[Piece]], until_ms: int) -> bool:
    """Whether the last cue, shown until then, is gone too soon, the silence before it made use of."""
    start_ms = found[-1][0].start_ms
    if until_ms < start_ms:  # the times contradict each other
        return False
    free_ms = max(found[-2][-1].end_ms, found[-2][0].start_ms + SHORTEST_MS) if len(found) > 1 else 0
    return until_ms - max(start_ms - EARLY_MS, min(free_ms, start_ms)) < SHORTEST_MS


def _join_last(found: list[list[Piece]], following: Sequence[Piece]) -> None:
    """Add the cue that follows one too short: to that one, or behind it where that one joined another."""
    short = found.pop()
    gap_after_ms = following[0].start_ms - short[-1].end_ms
    gap_before_ms = short[0].start_ms - found[-1][-1].end_ms if found else NEAR_MS
    fits_before = gap_before_ms < NEAR_MS and bool(found) and _fit(found[-1], short)
    if _fit(short, following) and not (fits_before and gap_before_ms < gap_after_ms):
        found.append(_joined(short, following))
        return
    if fits_before:
        found[-1] = _joined(found[-1], short)
    else:
        found.append(short)
    found.append(list(following))


def _fit(first: Sequence[Piece], second: Sequence[Piece]) -> bool:
    """Whether two cues are readable as one."""
    width = sum(columns(piece.text) for piece in (*first, *second)) + 1
    return width <= CUE_COLUMNS and second[-1].end_ms - first[0].start_ms <= CUE_MS


def _joined(first: Sequence[Piece], second: Sequence[Piece]) -> list[Piece]:
    """Return two cues' pieces as one's: what was apart stays apart by a blank, or by its marks."""
    *before, last = first
    has_mark = unicodedata.category(last.text.rstrip()[-1:] or "x").startswith("P")
    return [*before, replace(last, text=last.text if has_mark else f"{last.text} ", cut_price=0.0), *second]


def timed(shown: Sequence[Cue], duration_ms: int) -> list[Cue]:
    """Return cues, which come with when they are said, with when they are shown; none without a line."""
    shown = [each for each in shown if each.lines]
    found: list[Cue] = []
    for number, said in enumerate(shown):
        start_ms, end_ms = said.start_ms, said.end_ms
        is_last = number + 1 == len(shown)
        following_ms = max(end_ms, duration_ms) if is_last else shown[number + 1].start_ms
        start = max(start_ms, found[-1].end_ms if found else 0)
        end = max(end_ms, min(start + READABLE_MS, following_ms))
        end = max(start + 1, min(end, following_ms))
        if end - start < SHORTEST_MS:
            start = _earlier(found, end - SHORTEST_MS, shown[number - 1].end_ms)
            end = start + SHORTEST_MS if end - start < SHORTEST_MS else end
        found.append(replace(said, start_ms=start, end_ms=end))
    return found


def _earlier(found: list[Cue], wanted_ms: int, said_ms: int) -> int:
    """Return a time to begin at, as early as wanted if possible.

    The cue before may be gone sooner for it: once it was readable, and its last word said (``said_ms``).
    """
    if not found:
        return max(0, wanted_ms)
    last = found[-1]
    free_ms = max(wanted_ms, last.start_ms + SHORTEST_MS, said_ms)
    if free_ms < last.end_ms:
        found[-1] = replace(last, end_ms=free_ms)
    return max(wanted_ms, found[-1].end_ms)
