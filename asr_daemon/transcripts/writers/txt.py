"""``NAME.txt``: what a person reads. Who made it on top, then paragraphs with the time they begin at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.document import clock_time, printable
from asr_daemon.transcripts.writers.facts import NO_SPEECH, facts, warnings
from asr_daemon.transcripts.writers.paragraphs import paragraphs
from asr_daemon.transcripts.writers.sections import sections

if TYPE_CHECKING:
    from asr_daemon.transcripts.writers.document import Document
    from asr_daemon.transcripts.writers.paragraphs import Paragraph
    from asr_daemon.transcripts.writers.sections import Section


def render(document: Document) -> str:
    """Return the whole text file, in UTF-8's characters."""
    transcript = document.transcript
    head = [*(f"{label}：{value}" for label, value in facts(document)), *warnings(transcript)]
    body = [text for section in sections(document) for text in _section(section)]
    return "\n".join(head) + "\n\n" + "\n\n".join(body) + "\n"


def _section(section: Section) -> list[str]:
    heading = [f"—— {section.heading} ——"] if section.heading else []
    said = [_when(paragraph) + "\n".join(paragraph.lines) for paragraph in paragraphs(section.segments)]
    return [*section.missing, *heading, *(said or [section.problem or NO_SPEECH])]


def _when(paragraph: Paragraph) -> str:
    """Return what stands before a paragraph: when it begins, and who says it on a line of its own."""
    at = clock_time(paragraph.start_ms)
    return f"{printable(paragraph.speaker)} {at}\n" if paragraph.speaker else f"[{at}] "
