"""Subtitles: a transcript cut into cues that can be read in the time they are shown.

At most two lines of about 20 Chinese characters and 7 seconds, cut where a sentence ends or the speaker
pauses, else between words (words.py), never inside a converted span or a Latin word. The cuts of one segment
are chosen together, by the smallest sum of costs, so that no cue of a single character is left over.
"""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.document import says_something
from asr_daemon.transcripts.writers.pieces import pieces
from asr_daemon.transcripts.writers.showing import (
    CUE_COLUMNS,
    CUE_MS,
    LINE_COLUMNS,
    Cue,
    columns,
    join_short,
    timed,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from asr_daemon.transcripts.transcript import Segment, Transcript
    from asr_daemon.transcripts.writers.pieces import Piece
    from asr_daemon.transcripts.writers.sections import Section

SHORT_COLUMNS = 10
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
COST_OF_PRICE = 0.6  # of each nat that a cut inside a word is dear
COLUMNS_OF_PRICE = 6.0  # the same, in how uneven two lines may be instead
DEAR_CUT = 3.0  # nats; inside a word
PAUSE_MS = 250
LONG_PAUSE_MS = 600


def cues(transcript: Transcript, *, names: bool = False) -> list[Cue]:
    """Return the cues in order; each ends before or when the next begins, none is empty.

    No cue has words of two speakers. ``names``: its first line begins with its speaker's.
    """
    said = [segment for segment in transcript.segments if says_something(segment.text)]
    turns = [list(turn) for _, turn in itertools.groupby(said, key=lambda segment: segment.speaker)]
    shown: list[Cue] = []
    for number, turn in enumerate(turns):
        until_ms = turns[number + 1][0].start_ms if number + 1 < len(turns) else transcript.duration_ms
        shown += _said(turn, until_ms, names=names)
    return timed(shown, transcript.duration_ms)


def section_cues(section: Section, *, names: bool = False) -> list[Cue]:
    """Return the cues of a section with times in the document: none reaches into another section."""
    by_ms = section.start_ms
    return [
        replace(cue, start_ms=cue.start_ms + by_ms, end_ms=cue.end_ms + by_ms)
        for cue in (cues(section.said, names=names) if section.said is not None else ())
    ]


def _said(turn: Sequence[Segment], until_ms: int, *, names: bool) -> Iterator[Cue]:
    """Yield what one speaker says without a break; the times are when it is said."""
    speaker = turn[0].speaker
    before = f"{speaker}：" if names and speaker else ""
    taken = columns(before)
    groups = [group for one in turn for group in _cut(pieces(one, one.hotwords_hit), taken)]
    for group in join_short(groups, until_ms):
        lines = _lines(group, taken)
        if lines and before:
            lines = (before + lines[0], *lines[1:])
        yield Cue(group[0].start_ms, group[-1].end_ms, lines, speaker)


def _cut(every: Sequence[Piece], taken: int = 0) -> Iterator[Sequence[Piece]]:
    """Yield a segment's pieces in groups, one a cue: the cheapest way, found from front to back.

    ``taken``: columns of the first line of each that are not theirs.
    """
    widths = list(itertools.accumulate((columns(piece.text) for piece in every), initial=0))
    pauses_ms = pauses(every)
    cuts = [_cost_of_cut_after(every, number, pauses_ms[number]) for number in range(len(every))]
    goes_on = [
        0.0 if number == len(every) - 1 else _cost_inside(cuts[number], pauses_ms[number])
        for number in range(len(every))
    ]
    insides = list(itertools.accumulate(goes_on, initial=0.0))
    best: list[tuple[float, int]] = [(0.0, 0)]  # (cost, begin of the last cue) of the first n pieces
    for end in range(1, len(every) + 1):
        choices = []
        for begin in range(end - 1, -1, -1):
            width = widths[end] - widths[begin]
            lasts_ms = every[end - 1].end_ms - every[begin].start_ms
            if begin < end - 1 and (width > CUE_COLUMNS - taken or lasts_ms > CUE_MS):
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


def pauses(every: Sequence[Piece]) -> list[int]:
    """Return how long the speaker pauses after each piece, in ms; 0 after the last.

    Models let the first character of a sentence begin before the pause in front of it: a pause inside a word
    is taken for one before that word, where the word begins with the piece before the pause.
    """
    found = [max(0, after.start_ms - before.end_ms) for before, after in itertools.pairwise(every)]
    for number in range(1, len(found)):
        if every[number].cut_price >= DEAR_CUT > every[number - 1].cut_price:
            found[number - 1], found[number] = max(found[number - 1 : number + 1]), 0
    return [*found, 0]


def _cost_of_cut_after(every: Sequence[Piece], number: int, pause_ms: int) -> float:
    """Return what it costs to end a cue after that piece, which a pause follows."""
    mark = every[number].text.rstrip().rstrip(CLOSING)[-1:]
    if number == len(every) - 1 or (mark and mark in SENTENCE_END):
        return COST_AFTER_SENTENCE
    if mark and mark in CLAUSE_END:
        return COST_AT_LONG_PAUSE if pause_ms >= LONG_PAUSE_MS else COST_AFTER_CLAUSE
    of_word = COST_OF_PRICE * every[number].cut_price
    if pause_ms >= LONG_PAUSE_MS:
        return COST_AT_LONG_PAUSE + of_word
    return (COST_AT_PAUSE if pause_ms >= PAUSE_MS else COST_ANYWHERE) + of_word


def _cost_inside(cost_of_cut: float, pause_ms: int) -> float:
    """Return what it costs to go on with the same cue at a place, given what a cut there costs."""
    is_sentence = cost_of_cut == COST_AFTER_SENTENCE
    return COST_OF_SENTENCE_INSIDE * is_sentence + COST_OF_PAUSE_INSIDE * (pause_ms >= LONG_PAUSE_MS)


def _lines(group: Sequence[Piece], taken: int = 0) -> tuple[str, ...]:
    """Return a cue's text as one line or two, broken between pieces, after punctuation if possible."""
    whole = _one_line(group)
    if columns(whole) <= LINE_COLUMNS - taken:
        return (whole,) if whole else ()
    ways = [
        (_one_line(group[:at]), _one_line(group[at:]), group[at - 1].cut_price) for at in range(1, len(group))
    ]
    if not ways:
        return (whole,)

    def cost(way: tuple[str, str, float]) -> float:
        first, second, price = way
        over = sum(max(0, width - LINE_COLUMNS) for width in (taken + columns(first), columns(second)))
        is_after_mark = bool(first) and first[-1] in SENTENCE_END + CLAUSE_END + CLOSING
        uneven = abs(taken + columns(first) - columns(second))
        return 100 * over + uneven + (-12 if is_after_mark else COLUMNS_OF_PRICE * price)

    return tuple(line for line in min(ways, key=cost)[:2] if line)


def _one_line(group: Sequence[Piece]) -> str:
    return " ".join("".join(piece.text for piece in group).split())
