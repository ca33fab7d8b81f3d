"""A document in sections: one, or one for each part of a recording that was cut, with what stands above it.

Enters: a document. Leaves: for each section its heading, what a reader must know of it, and its segments with
times in the whole. Nothing raises.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.document import clock_time, printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.transcripts.transcript import Segment, Transcript
    from asr_daemon.transcripts.writers.document import Document, Part

_PROBLEMS = {
    "failed": "请注意：这一部分没有转写成功，原因见该录音旁边的说明文件。",
    "forgotten": "请注意：这一部分的文字已按要求删除。",
    "cancelled": "请注意：这一部分已取消转写，没有文字。",
    "waiting": "请注意：这一部分还没有转写好。",
}


@dataclass(frozen=True, slots=True)
class Section:
    """A stretch of a document."""

    heading: str  # "" where the document has one section alone
    missing: tuple[str, ...]  # sentences that stand before the heading
    problem: str  # a sentence behind it, or ""
    said: Transcript | None  # times from the section's own beginning
    start_ms: int  # of it in the document

    @property
    def segments(self) -> tuple[Segment, ...]:
        """Its segments, with times in the document."""
        return () if self.said is None else tuple(shifted(each, self.start_ms) for each in self.said.segments)


def sections(document: Document) -> list[Section]:
    """Return a document's sections in order."""
    if not document.parts:
        return [Section("", (), "", document.transcript, 0)]
    return [_section(part) for part in document.parts]


def missing_numbers(document: Document) -> list[int]:
    """Return the numbers of the parts that are not there."""
    return [number for part in document.parts for number, _ in _missing(part)]


def shifted(segment: Segment, by_ms: int) -> Segment:
    """Return a segment that is said later."""
    if not by_ms:
        return segment
    tokens = tuple(
        replace(each, start_ms=each.start_ms + by_ms, end_ms=each.end_ms + by_ms) for each in segment.tokens
    )
    return replace(segment, start_ms=segment.start_ms + by_ms, end_ms=segment.end_ms + by_ms, tokens=tokens)


def _section(part: Part) -> Section:
    heading = f"第 {part.number} 部分：{printable(part.name)}（从 {clock_time(part.start_ms)} 起）"
    missing = tuple(
        f"请注意：缺少第 {number} 部分{f'（{printable(name)}）' if name else ''}，没有找到这个录音。"
        for number, name in _missing(part)
    )
    return Section(heading, missing, _PROBLEMS.get(part.problem, ""), part.transcript, part.start_ms)


def _missing(part: Part) -> Iterator[tuple[int, str]]:
    return zip(range(part.number - len(part.missing), part.number), part.missing, strict=True)
