"""A transcript in paragraphs, for reading.

Segments are joined until a long pause, a full measure, or another speaker. Where a model writes punctuation,
a paragraph is one line. Without any, a paragraph longer than a line is one nobody can read: it has a line for
each stretch between two pauses then. A break says what was heard, a pause; a comma would say what nobody
knows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.cues import pauses
from asr_daemon.transcripts.writers.document import says_something
from asr_daemon.transcripts.writers.pieces import timed_pieces
from asr_daemon.transcripts.writers.showing import LINE_COLUMNS, columns

if TYPE_CHECKING:
    from collections.abc import Iterable

    from asr_daemon.transcripts.transcript import Segment

PARAGRAPH_PAUSE_MS = 2000  # a silence this long is a new thought, or another speaker
PARAGRAPH_CHARACTERS = 200  # beyond which the next silence will do
LINE_PAUSE_MS = 450  # as sentences are apart; within one, speakers pause for less
LEAST_LINE_COLUMNS = 12  # shorter stretches join the next
SENTENCE_END = "。！？…!?.；;"
PUNCTUATION = SENTENCE_END + "，、：,:”’」』）)》"
NOT_RECOGNISED = "（这一段未能识别）"

_MARK = re.compile(r"[。！？…，、；：]|[,.!?;:](?=\\s|$)")  # not the point of 55.6%


@dataclass(frozen=True, slots=True)
class Run:
    """A stretch of a line: one segment's part of it, with the blank before it where there is one."""

    text: str
    flags: tuple[str, ...] = ()  # of its segment


@dataclass(frozen=True, slots=True)
class Paragraph:
    """What is said in one go."""

    start_ms: int
    runs: tuple[tuple[Run, ...], ...]  # of each line
    speaker: str = ""  # of all of it

    @property
    def lines(self) -> tuple[str, ...]:
        """Its text."""
        return tuple("".join(run.text for run in line) for line in self.runs)


def paragraphs(segments: Iterable[Segment]) -> list[Paragraph]:
    """Return the paragraphs in order, none empty."""
    groups: list[list[Segment]] = []
    n_characters = last_end_ms = 0
    for segment in segments:
        text = _text(segment)
        if not text:
            continue
        is_new = segment.start_ms - last_end_ms >= PARAGRAPH_PAUSE_MS or n_characters >= PARAGRAPH_CHARACTERS
        if is_new or not groups or groups[-1][-1].speaker != segment.speaker:
            groups.append([])
            n_characters = 0
        groups[-1].append(segment)
        n_characters += len(text)
        last_end_ms = segment.end_ms
    return [Paragraph(group[0].start_ms, _lines(group), group[0].speaker) for group in groups]


def join(before: str, after: str) -> str:
    """Return two stretches as one: a gap stays visible where no punctuation shows it."""
    return before + _between(before, after) + after


def _between(before: str, after: str) -> str:
    closes = before[-1] in PUNCTUATION and not (before[-1].isascii() and after[0].isascii())
    return "" if closes else " "


def _text(segment: Segment) -> str:
    if says_something(segment.text):
        return " ".join(segment.text.split())
    return NOT_RECOGNISED if "failed" in segment.flags else ""


def _lines(group: Iterable[Segment]) -> tuple[tuple[Run, ...], ...]:
    whole: list[Run] = []
    for segment in group:
        text = _text(segment)
        gap = _between(whole[-1].text, text) if whole else ""
        whole.append(Run(gap + text, segment.flags))
    told = "".join(run.text for run in whole)
    if _MARK.search(told) or columns(told) <= LINE_COLUMNS:
        return (tuple(whole),)
    return tuple((Run(line, segment.flags),) for segment in group for line in _stretches(segment))


def _stretches(segment: Segment) -> list[str]:
    """Return a segment's text between its pauses."""
    found = [""]
    every = timed_pieces(segment) if says_something(segment.text) else []
    for piece, pause_ms in zip(every, pauses(every), strict=True):
        found[-1] += piece.text
        if pause_ms >= LINE_PAUSE_MS and columns(found[-1]) >= LEAST_LINE_COLUMNS:
            found.append("")
    lines = [line for text in found if (line := " ".join(text.split()))]
    return lines or [_text(segment)]
