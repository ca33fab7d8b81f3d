"""``NAME.txt``: what a person reads. Who made it on top, then paragraphs with the time they begin at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.document import clock_time, printable
from asr_daemon.transcripts.writers.facts import NO_SPEECH, facts, warnings
from asr_daemon.transcripts.writers.paragraphs import paragraphs

if TYPE_CHECKING:
    from asr_daemon.transcripts.writers.document import Document
    from asr_daemon.transcripts.writers.paragraphs import Paragraph


def render(document: Document) -> str:
    """Return the whole text file, in UTF-8's characters."""
    transcript = document.transcript
    head = [*(f"{label}：{value}" for label, value in facts(document)), *warnings(transcript)]
    body = [_when(paragraph) + "\n".join(paragraph.lines) for paragraph in paragraphs(transcript.segments)]
    return "\n".join(head) + "\n\n" + "\n\n".join(body or [NO_SPEECH]) + "\n"


def _when(paragraph: Paragraph) -> str:
    """Return what stands before a paragraph: when it begins, and who says it on a line of its own."""
    at = clock_time(paragraph.start_ms)
    return f"{printable(paragraph.speaker)} {at}\n" if paragraph.speaker else f"[{at}] "
