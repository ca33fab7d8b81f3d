"""Subtitles: a transcript cut into cues that can be read in the time they are shown.

At most two lines of about 20 Chinese characters and 7 seconds, cut where a sentence ends or the speaker
pauses, never inside a converted span or a word. The cuts of one segment are chosen together, by the smallest
sum of costs, so that no cue of a single character is left over at the end.
"""

from __future__ import annotations

import itertools
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asr_daemon.transcripts.transcript import Transcript
    from asr_daemon.transcripts.writers.pieces import Piece

LINE_COLUMNS = 40  # 20 Chinese characters; a Latin letter takes half of one's width
CUE_COLUMNS = 2 * LINE_COLUMNS
CUE_MS = 7000
SHORT_COLUMNS = 10
SHORTEST_MS = 1000  # a cue is shown for so long, where nothing follows
SENTENCE_END = "。！？!?…."
CLAUSE_END = "，、；：,;:"
CLOSING = "”’」』）)》】"

# What a cue, a cut and a cut not taken cost; chosen by eye on the sample recordings.
COST_OF_CUE = 1.0
COST_OF_SHORT_CUE = 2.0
COST_AFTER_SENTENCE, COST_AT_LONG_PAUSE, COST_AFTER_CLAUSE, COST_AT_PAUSE, COST_ANYWHERE = (
    0.0,
    0.2,
    0.4,
    1.0,
    4.0,
)
COST_OF_SENTENCE_INSIDE, COST_OF_PAUSE_INSIDE = 1.2, 1.5
PAUSE_MS = 250
LONG_PAUSE_MS = 600


@dataclass(frozen=True, slots=True)
class Cue:
    """One subtitle: its lines, and when it is shown (ms from the start of the recording)."""

    start_ms: int
    end_ms: int
    lines: tuple[str, ...]


def cues(transcript: Transcript) -> list[Cue]:
    """Return the cues in order; each ends before or when the next begins, none is empty."""
    cut = [group for segment in transcript.segments for group in _cut(pieces(segment))]
    shown = [(group[0].start_ms, group[-1].end_ms, lines) for group in cut if (lines := _lines(group))]
    found: list[Cue] = []
    last_ms = 0
    for number, (start_ms, end_ms, lines) in enumerate(shown):
        start = max(start_ms, last_ms)
        following_ms = (
            shown[number + 1][0] if number + 1 < len(shown) else max(end_ms, transcript.duration_ms)
        )
        readable_ms = max(end_ms, min(start + SHORTEST_MS, following_ms))
        last_ms = max(start + 1, min(readable_ms, max(following_ms, start + 1)))
        found.append(Cue(start, last_ms, lines))
    return found


def columns(text: str) -> int:
    """Return how wide a text is shown, a Chinese character being 2."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def _cut(every: Sequence[Piece]) -> Iterator[Sequence[Piece]]:
    """Yield a segment's pieces in groups, one a cue: the cheapest way, found from front to back."""
    widths = list(itertools.accumulate((columns(piece.text) for piece in every), initial=0))
    cuts = [_cost_of_cut_after(every, number) for number in range(len(every))]
    insides = list(
        itertools.accumulate((_cost_inside(every, number) for number in range(len(every))), initial=0.0)
    )
    best: list[tuple[float, int]] = [(0.0, 0)]  # (cost, begin of the last cue) of the first n pieces
    for end in range(1, len(every) + 1):
        choices = []
        for begin in range(end - 1, -1, -1):
            width = widths[end] - widths[begin]
            lasts_ms = every[end - 1].end_ms - every[begin].start_ms
            if begin < end - 1 and (width > CUE_COLUMNS or lasts_ms > CUE_MS):
                break
            cost = COST_OF_CUE + cuts[end - 1] + insides[end - 1] - insides[begin]
            if width < SHORT_COLUMNS:
                cost += COST_OF_SHORT_CUE
            choices.append((best[begin][0] + cost, begin))
        best.append(min(choices))
    bounds = [len(every)]
    while bounds[-1] > 0:
        bounds.append(best[bounds[-1]][1])
    for begin, end in itertools.pairwise(reversed(bounds)):
        yield every[begin:end]


def _cost_of_cut_after(every: Sequence[Piece], number: int) -> float:
    """Return what it costs to end a cue after that piece."""
    mark = every[number].text.rstrip().rstrip(CLOSING)[-1:]
    pause_ms = _pause_after_ms(every, number)
    if number == len(every) - 1 or (mark and mark in SENTENCE_END):
        return COST_AFTER_SENTENCE
    if pause_ms >= LONG_PAUSE_MS:
        return COST_AT_LONG_PAUSE
    if mark and mark in CLAUSE_END:
        return COST_AFTER_CLAUSE
    return COST_AT_PAUSE if pause_ms >= PAUSE_MS else COST_ANYWHERE


def _cost_inside(every: Sequence[Piece], number: int) -> float:
    """Return what it costs to go on with the same cue after that piece."""
    if number == len(every) - 1:
        return 0.0
    is_sentence = _cost_of_cut_after(every, number) == COST_AFTER_SENTENCE
    is_pause = _pause_after_ms(every, number) >= LONG_PAUSE_MS
    return COST_OF_SENTENCE_INSIDE * is_sentence + COST_OF_PAUSE_INSIDE * is_pause


def _pause_after_ms(every: Sequence[Piece], number: int) -> int:
    return every[number + 1].start_ms - every[number].end_ms if number + 1 < len(every) else 0


def _lines(group: Sequence[Piece]) -> tuple[str, ...]:
    """Return a cue's text as one line or two, broken between pieces, after punctuation if possible."""
    whole = _one_line(group)
    if columns(whole) <= LINE_COLUMNS:
        return (whole,) if whole else ()
    ways = [(_one_line(group[:at]), _one_line(group[at:])) for at in range(1, len(group))]
    if not ways:
        return (whole,)

    def cost(lines: tuple[str, str]) -> float:
        over = sum(max(0, columns(line) - LINE_COLUMNS) for line in lines)
        is_after_mark = bool(lines[0]) and lines[0][-1] in SENTENCE_END + CLAUSE_END + CLOSING
        return 100 * over + abs(columns(lines[0]) - columns(lines[1])) - 12 * is_after_mark

    return tuple(line for line in min(ways, key=cost) if line)


def _one_line(group: Sequence[Piece]) -> str:
    return " ".join("".join(piece.text for piece in group).split())
