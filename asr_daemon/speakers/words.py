"""Who said which words: each word goes to who speaks at its time, and a segment is cut where that changes.

Enters: a recording's segments and turns. Leaves: :class:`Said`, each a segment or a piece of one, with one
speaker. A change lies where the sound says it to about half a second; if there is a pause between two words
that near, it is there. Numbers written in one (``2025年3月15日``) are not cut.
"""

from __future__ import annotations

import bisect
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from asr_daemon.speakers.grouped import Turn
    from asr_daemon.transcripts.transcript import Segment
    from asr_daemon.transcripts.writers.pieces import Piece

NEAR_MS = 600  # how far from where turns say a change may be put: less than a window's half
_PAUSE_MS = 120  # shorter ones are between any two words
_PRICE_MS = 60  # of pause, that each nat of an ill place to cut counts against


@dataclass(frozen=True, slots=True)
class Said:
    """What one speaker says without a break in one segment; None where nobody is known to speak.

    ``segment`` has the index of the segment that it is of; several may share one.
    """

    segment: Segment
    speaker: int | None
    is_overlapped: bool = False


def attributed(segments: Sequence[Segment], turns: Sequence[Turn]) -> tuple[Said, ...]:
    """Return all segments with their speakers, in order, cut where the speaker changes."""
    ordered = sorted(turns, key=lambda turn: (turn.start_ms, turn.end_ms))
    starts = [turn.start_ms for turn in ordered]
    found: list[Said] = []
    for segment in segments:
        low = bisect.bisect_left(starts, segment.start_ms - NEAR_MS)
        high = bisect.bisect_right(starts, segment.end_ms + NEAR_MS)
        around = ordered[max(0, low - 1) : high]
        found += _cut(segment, around)
    return tuple(found)


def changes_near(turns: Sequence[Turn]) -> Callable[[int, int], bool]:
    """Return what says whether somebody else begins to speak between two times, or near them."""
    ordered = sorted(turns, key=lambda turn: (turn.start_ms, turn.end_ms))
    starts = [turn.start_ms for turn in ordered]

    def changes(start_ms: int, end_ms: int) -> bool:
        low = bisect.bisect_left(starts, start_ms - NEAR_MS)
        high = bisect.bisect_right(starts, end_ms + NEAR_MS)
        return len({turn.speaker for turn in ordered[max(0, low - 1) : high]}) > 1

    return changes


def speaker_at(start_ms: int, end_ms: int, turns: Sequence[Turn]) -> Turn | None:
    """Return the turn that has most of that time, else the nearest one; None of no turns."""

    def nearness(turn: Turn) -> tuple[int, int]:
        shared_ms = min(end_ms, turn.end_ms) - max(start_ms, turn.start_ms)
        return shared_ms, -turn.start_ms  # below 0: how far away, negative

    return max(turns, key=nearness, default=None)


def _cut(segment: Segment, turns: Sequence[Turn]) -> list[Said]:
    whole = speaker_at(segment.start_ms, segment.end_ms, turns)
    if whole is None:
        return [Said(segment, None)]
    if len({turn.speaker for turn in turns}) == 1:  # mostly, and pieces are most of the cost
        return [Said(segment, whole.speaker, _is_overlapped(segment, turns))]
    every = pieces(segment, segment.hotwords_hit)
    owners = [speaker_at(piece.start_ms, piece.end_ms, turns) or whole for piece in every]
    firsts = [0, *(k for k in range(1, len(every)) if owners[k].speaker != owners[k - 1].speaker)]
    if len(firsts) == 1:
        return [Said(segment, (owners or [whole])[0].speaker, _mostly_overlapped(owners or [whole]))]
    borders = [0, *_moved(every, firsts), len(every)]
    said = []
    for first, (low, high) in zip(firsts, itertools.pairwise(borders), strict=True):
        part = _part(segment, every, low, high)
        said.append(Said(part, owners[first].speaker, _mostly_overlapped(owners[low:high])))
    return said


def _is_overlapped(segment: Segment, turns: Sequence[Turn]) -> bool:
    """Whether another speaks as well, most of a segment's time."""
    along_ms = sum(
        max(0, min(segment.end_ms, turn.end_ms) - max(segment.start_ms, turn.start_ms))
        for turn in turns
        if turn.is_overlapped
    )
    return 2 * along_ms > segment.end_ms - segment.start_ms


def _mostly_overlapped(owners: Sequence[Turn]) -> bool:
    return 2 * sum(turn.is_overlapped for turn in owners) > len(owners)


def _moved(every: Sequence[Piece], firsts: Sequence[int]) -> list[int]:
    """Return where each change but the first is put: the longest pause near it; each part keeps a piece."""
    moved: list[int] = []
    for number in range(1, len(firsts)):
        at = firsts[number]
        lowest = (moved[-1] if moved else 0) + 1
        highest = (firsts[number + 1] if number + 1 < len(firsts) else len(every)) - 1
        said_ms = every[at].start_ms

        def worth(place: int, at: int = at) -> tuple[float, int]:
            pause_ms = every[place].start_ms - every[place - 1].end_ms
            worth_ms = pause_ms - _PRICE_MS * every[place - 1].cut_price
            return (worth_ms if worth_ms >= _PAUSE_MS or place == at else -1e9), -abs(place - at)

        near = [k for k in range(lowest, highest + 1) if abs(every[k].start_ms - said_ms) <= NEAR_MS]
        moved.append(max(near, key=worth, default=max(lowest, min(at, highest))))
    return moved


def _part(segment: Segment, every: Sequence[Piece], low: int, high: int) -> Segment:
    """Return the pieces ``low`` to ``high`` of a segment as one of its own."""
    lengths = list(itertools.accumulate((len(piece.text) for piece in every), initial=0))
    begin, end = lengths[low], lengths[high]
    cut_ms = [segment.start_ms, *(piece.start_ms for piece in every[1:]), segment.end_ms]
    start_ms, end_ms = cut_ms[low], cut_ms[high]
    if high < len(every):
        end_ms = min(end_ms, max(every[high - 1].end_ms, start_ms))
    tokens = tuple(
        token
        for token in segment.tokens
        if (low == 0 or token.start_ms >= start_ms) and (high == len(every) or token.start_ms < cut_ms[high])
    )
    raw_begin, raw_end = _raw_range(
        segment, start_ms if low else None, cut_ms[high] if high < len(every) else None
    )
    return replace(
        segment,
        start_ms=start_ms,
        end_ms=end_ms,
        raw_text=segment.raw_text[raw_begin:raw_end],
        text=segment.text[begin:end],
        tokens=tokens,
        spans=tuple(
            replace(
                span,
                start=span.start - begin,
                end=span.end - begin,
                raw_start=span.raw_start - raw_begin,
                raw_end=span.raw_end - raw_begin,
            )
            for span in segment.spans
            if begin <= span.start and span.end <= end
        ),
        corrections=tuple(
            replace(each, raw_start=each.raw_start - raw_begin, raw_end=each.raw_end - raw_begin)
            for each in segment.corrections
            if raw_begin <= each.raw_start and each.raw_end <= raw_end
        ),
        hotwords_hit=tuple(word for word in segment.hotwords_hit if word in segment.text[begin:end]),
    )


def _raw_range(segment: Segment, start_ms: int | None, end_ms: int | None) -> tuple[int, int]:
    """Return the offsets in ``raw_text`` of the tokens between two times; None is the segment's own end.

    Where there are no tokens the raw text stays with the first part.
    """
    if not segment.tokens:
        return (0, len(segment.raw_text)) if start_ms is None else (len(segment.raw_text),) * 2
    begin, end, at = 0, len(segment.raw_text), 0
    for token in segment.tokens:
        found = segment.raw_text.find(token.text, at)
        at = found if found >= 0 else at
        if start_ms is not None and token.start_ms < start_ms:
            begin = at + len(token.text)
        if end_ms is not None and token.start_ms < end_ms:
            end = at + len(token.text)
        at += len(token.text)
    return begin, (end if end_ms is not None else len(segment.raw_text))
