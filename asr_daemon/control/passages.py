"""A segment of a transcript as the gateway is told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.control.answers import Passage, Word

if TYPE_CHECKING:
    from asr_daemon.transcripts.transcript import Segment


def passage_of(segment: Segment) -> Passage:
    """Return what is told of a segment."""
    return Passage(
        segment.index,
        segment.start_ms,
        segment.end_ms,
        segment.text,
        segment.raw_text,
        tuple(Word(token.text, token.start_ms, token.end_ms) for token in segment.tokens),
        segment.flags,
        segment.hotwords_hit,
        segment.speaker,
    )
