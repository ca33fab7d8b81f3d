"""A segment's text in pieces that belong together on the screen, each with the time it is spoken at.

A piece is a Chinese character, a word of another script, or a whole converted span (``2025年3月15日``), with
the punctuation that clings to it. The times are those of the tokens that the text came from: ``tokens`` lie
in ``raw_text``, and ``spans`` lead from there to ``text``.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.words import cut_prices

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asr_daemon.transcripts.transcript import Segment

_WORD = re.compile(r"[A-Za-z0-9À-ɏͰ-ӿ'’._%+-]+|\s+|.", re.DOTALL)
_OPENING = "“‘（《「『【〈([{"


@dataclass(frozen=True, slots=True)
class Piece:
    """Unbreakable text, and when it is spoken (ms from the start of the recording)."""

    text: str
    start_ms: int
    end_ms: int
    cut_price: float = 0.0  # of a cut behind it, see words.py


@dataclass(frozen=True, slots=True)
class _Chunk:
    """A stretch of ``text`` that is not to be cut, with the stretch of ``raw_text`` that it came from."""

    start: int
    end: int
    raw_start: int
    raw_end: int


def pieces(segment: Segment, whole: Iterable[str] = ()) -> list[Piece]:
    """Return the segment's text in pieces, in order; their texts concatenated give ``segment.text``.

    Where tokens are missing or do not fit the text, the times are shared out over the segment by length.
    ``whole``: words that are dear to cut.
    """
    if not segment.text.strip():
        return []
    prices = cut_prices(segment.text, whole)
    found = timed_pieces(segment)
    ends = itertools.accumulate(len(piece.text) for piece in found)
    return [replace(piece, cut_price=prices[end]) for piece, end in zip(found, ends, strict=True)]


def timed_pieces(segment: Segment) -> list[Piece]:
    """Return what :func:`pieces` does without prices, which are most of its cost."""
    chunks = _chunks(segment)
    times = _raw_times(segment) if chunks else None
    if chunks is None or times is None:
        return _shared_out(segment)
    timed: list[tuple[str, tuple[int, int] | None]] = []
    for chunk in chunks:
        spoken = [time for time in times[chunk.raw_start : chunk.raw_end] if time is not None]
        text = segment.text[chunk.start : chunk.end]
        timed.append((text, (spoken[0][0], spoken[-1][1]) if spoken else None))
    return _cling(timed, segment)


def _is_silent(character: str) -> bool:
    """Return whether a character is space, punctuation or a symbol: nothing that a token stands for."""
    return character.isspace() or unicodedata.category(character)[0] in "PS"


def _chunks(segment: Segment) -> list[_Chunk] | None:
    """Return the text's chunks in order, or None where spans and texts contradict each other."""
    found: list[_Chunk] = []
    at = raw_at = 0
    for span in (*segment.spans, None):
        end = span.start if span else len(segment.text)
        raw_end = span.raw_start if span else len(segment.raw_text)
        if end < at or raw_end < raw_at:
            return None
        unchanged = _unchanged(segment, at, end, raw_at, raw_end)
        if unchanged is None:
            return None
        found += unchanged
        if span:
            found.append(_Chunk(span.start, span.end, span.raw_start, span.raw_end))
            at, raw_at = span.end, span.raw_end
            if at > len(segment.text) or raw_at > len(segment.raw_text):
                return None
    return [chunk for chunk in found if chunk.end > chunk.start]


def _unchanged(segment: Segment, at: int, end: int, raw_at: int, raw_end: int) -> list[_Chunk] | None:
    """Return the words of a stretch outside all spans; its two texts may differ in spaces and punctuation."""
    found = []
    for match in _WORD.finditer(segment.text, at, end):
        raw_start = raw_at
        for character in match.group():
            while raw_at < raw_end and segment.raw_text[raw_at].isspace() and not character.isspace():
                raw_at += 1
            if raw_at < raw_end and segment.raw_text[raw_at].casefold() == character.casefold():
                raw_at += 1
            elif not _is_silent(character):
                return None
        found.append(_Chunk(match.start(), match.end(), raw_start, raw_at))
    return found if not segment.raw_text[raw_at:raw_end].strip() else None


def _raw_times(segment: Segment) -> list[tuple[int, int] | None] | None:
    """Return for each character of ``raw_text`` when its token is spoken (None for spaces)."""
    times: list[tuple[int, int] | None] = [None] * len(segment.raw_text)
    at = 0
    last_ms = segment.start_ms
    for token in segment.tokens:
        while at < len(times) and segment.raw_text[at].isspace():
            at += 1
        if not token.text or not segment.raw_text.startswith(token.text, at):
            return None
        start_ms = min(max(token.start_ms, last_ms), segment.end_ms)
        last_ms = min(max(token.end_ms, start_ms), segment.end_ms)
        times[at : at + len(token.text)] = [(start_ms, last_ms)] * len(token.text)
        at += len(token.text)
    return times if segment.tokens and not segment.raw_text[at:].strip() else None


def _shared_out(segment: Segment) -> list[Piece]:
    """Return the words with the segment's time shared out by their length; spans are kept whole."""
    words = [match.span() for match in _WORD.finditer(segment.text)]
    whole = [
        (span.start, span.end) for span in segment.spans if 0 <= span.start < span.end <= len(segment.text)
    ]
    merged: list[tuple[int, int]] = []
    for start, end in sorted({*words, *whole}):
        if merged and start < merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    lengths = [
        sum(not _is_silent(character) for character in segment.text[start:end]) for start, end in merged
    ]
    bounds_ms = [
        segment.start_ms + (segment.end_ms - segment.start_ms) * spoken // max(1, sum(lengths))
        for spoken in itertools.accumulate(lengths, initial=0)
    ]
    timed = [
        (segment.text[start:end], (bounds_ms[number], bounds_ms[number + 1]) if lengths[number] else None)
        for number, (start, end) in enumerate(merged)
    ]
    return _cling(timed, segment)


def _cling(timed: list[tuple[str, tuple[int, int] | None]], segment: Segment) -> list[Piece]:
    """Return pieces: what has no time of its own, and all punctuation, joins its neighbour."""
    found: list[Piece] = []
    ahead = ""
    for text, time in timed:
        is_opening = text[-1:] in _OPENING
        is_mark = all(_is_silent(character) for character in text)
        if is_opening or (not found and (is_mark or time is None)):
            ahead += text
        elif is_mark or time is None:
            if ahead:
                ahead += text
            else:
                found[-1] = Piece(found[-1].text + text, found[-1].start_ms, found[-1].end_ms)
        else:
            start_ms = max(time[0], found[-1].end_ms) if found else time[0]
            found.append(Piece(ahead + text, start_ms, max(time[1], start_ms)))
            ahead = ""
    if ahead and found:
        found[-1] = Piece(found[-1].text + ahead, found[-1].start_ms, found[-1].end_ms)
    elif ahead:
        found.append(Piece(ahead, segment.start_ms, segment.end_ms))
    return found
