"""What a hotword list changed in a recording: two transcripts of it, side by side.

Enters: the segments without and with the list. Leaves: :class:`Change`, each with its time and a little of
the text around it (report.py makes text of them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rapidfuzz.distance import Levenshtein

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from asr_daemon.transcripts.transcript import Segment

CONTEXT_CHARS = 6
JOIN_CHARS = 1  # changes no further apart than this are shown as one


@dataclass(frozen=True, slots=True)
class Change:
    """One place where the transcripts differ."""

    start_ms: int  # of the segment
    end_ms: int
    left: str  # text before, at most CONTEXT_CHARS
    before: str  # without the list
    after: str  # with it
    right: str
    hotwords: tuple[str, ...]  # of the list, in what came out


def find_changes(
    without: Sequence[Segment], with_list: Sequence[Segment], hotwords: Iterable[str] = ()
) -> tuple[Change, ...]:
    """Return the changes in the order of time. Segments are paired by their times."""
    words = tuple(dict.fromkeys(hotwords))
    old = {(segment.start_ms, segment.end_ms): segment.text for segment in without}
    new = {(segment.start_ms, segment.end_ms): segment.text for segment in with_list}
    changes: list[Change] = []
    for start_ms, end_ms in sorted({*old, *new}):
        before, after = old.get((start_ms, end_ms), ""), new.get((start_ms, end_ms), "")
        for left, right, new_left, new_right in _whole_words(_spans(before, after), after, words):
            reach = after[max(0, new_left - CONTEXT_CHARS) : new_right + CONTEXT_CHARS]
            changes.append(
                Change(
                    start_ms=start_ms,
                    end_ms=end_ms,
                    left=before[max(0, left - CONTEXT_CHARS) : left],
                    before=before[left:right],
                    after=after[new_left:new_right],
                    right=before[right : right + CONTEXT_CHARS],
                    hotwords=tuple(word for word in words if word in reach and word not in before),
                )
            )
    return tuple(changes)


@dataclass(frozen=True, slots=True)
class Stretch:
    """A piece of a text."""

    text: str
    is_changed: bool  # the other transcript says something else there
    is_hotword: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A segment in both transcripts; one that only the other has is empty here."""

    start_ms: int
    end_ms: int
    before: tuple[Stretch, ...]
    after: tuple[Stretch, ...]


def side_by_side(
    without: Sequence[Segment],
    with_list: Sequence[Segment],
    words_before: Iterable[str],
    words_after: Iterable[str],
) -> tuple[Pair, ...]:
    """Return both texts in the order of time, with what differs and each one's hotwords in it."""
    before_words, after_words = tuple(dict.fromkeys(words_before)), tuple(dict.fromkeys(words_after))
    old = {(segment.start_ms, segment.end_ms): segment.text for segment in without}
    new = {(segment.start_ms, segment.end_ms): segment.text for segment in with_list}
    pairs = []
    for start_ms, end_ms in sorted({*old, *new}):
        before, after = old.get((start_ms, end_ms), ""), new.get((start_ms, end_ms), "")
        spans = list(_whole_words(_spans(before, after), after, after_words))
        pairs.append(
            Pair(
                start_ms,
                end_ms,
                _stretches(before, [(low, high) for low, high, _, _ in spans], before_words),
                _stretches(after, [(low, high) for _, _, low, high in spans], after_words),
            )
        )
    return tuple(pairs)


def _stretches(text: str, changed: Iterable[tuple[int, int]], words: Iterable[str]) -> tuple[Stretch, ...]:
    marks = [[False, False] for _ in text]
    places = [match.span() for word in words if word for match in re.finditer(re.escape(word), text)]
    for kind, spans in enumerate((changed, places)):
        for low, high in spans:
            for mark in marks[low:high]:
                mark[kind] = True
    found: list[Stretch] = []
    for letter, (is_changed, is_hotword) in zip(text, marks, strict=True):
        last = found[-1] if found else None
        if last is not None and (last.is_changed, last.is_hotword) == (is_changed, is_hotword):
            found[-1] = Stretch(last.text + letter, is_changed, is_hotword)
        else:
            found.append(Stretch(letter, is_changed, is_hotword))
    return tuple(found)


def _whole_words(
    spans: list[tuple[int, int, int, int]], after: str, words: Iterable[str]
) -> Iterator[tuple[int, int, int, int]]:
    """Widen each span to the hotwords that it changed a part of, as far as the next span lets it."""
    places = [match.span() for word in words for match in re.finditer(re.escape(word), after)]
    for number, (start, end, new_start, new_end) in enumerate(spans):
        floor = spans[number - 1][3] if number else 0
        ceiling = spans[number + 1][2] if number + 1 < len(spans) else len(after)
        touched = [place for place in places if place[0] < new_end and place[1] > new_start]
        low = max(floor, min([new_start, *(place[0] for place in touched)]))
        high = min(ceiling, max([new_end, *(place[1] for place in touched)]))
        yield start - (new_start - low), end + (high - new_end), low, high


def _spans(before: str, after: str) -> list[tuple[int, int, int, int]]:
    """Return (start, end, new start, new end) of what differs, near ones joined."""
    spans: list[tuple[int, int, int, int]] = []
    for step in Levenshtein.opcodes(before, after):
        if step.tag == "equal":
            continue
        start, end, new_start, new_end = step.src_start, step.src_end, step.dest_start, step.dest_end
        if spans and start - spans[-1][1] <= JOIN_CHARS:
            spans[-1] = (spans[-1][0], end, spans[-1][2], new_end)
        else:
            spans.append((start, end, new_start, new_end))
    return spans
