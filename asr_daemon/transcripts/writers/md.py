"""``NAME.md``: the transcript for programs that show Markdown (CommonMark), and for notes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.document import clock_time, printable
from asr_daemon.transcripts.writers.facts import DOUBTS, NO_SPEECH, facts, warnings
from asr_daemon.transcripts.writers.paragraphs import paragraphs
from asr_daemon.transcripts.writers.sections import sections

if TYPE_CHECKING:
    from asr_daemon.transcripts.writers.document import Document
    from asr_daemon.transcripts.writers.paragraphs import Paragraph, Run
    from asr_daemon.transcripts.writers.sections import Section

# Behind a backslash a mark is itself. Some have a meaning anywhere, others at the beginning of a line only.
_ANYWHERE = re.compile(r"([\\`*_\[\]<>&~|])")
_AT_BEGINNING = re.compile(r"^(\s*(?=[#+=-])|\s*\d+(?=[.)]))(.)")
_HARD_BREAK = "\\\n"


def render(document: Document) -> str:
    """Return the whole file: a heading, facts as a list, warnings as quotations, a paragraph per turn."""
    transcript = document.transcript
    head = [
        f"# {_escaped(printable(document.name))}",
        "\n".join(f"- {label}：{_escaped(value)}" for label, value in facts(document)[1:]),
        *(f"> {_escaped(warning)}" for warning in warnings(transcript)),
    ]
    body = [text for section in sections(document) for text in _section(section)]
    return "\n\n".join([*head, *body]) + "\n"


def _section(section: Section) -> list[str]:
    missing = [f"> {_escaped(each)}" for each in section.missing]
    heading = [f"## {_escaped(section.heading)}"] if section.heading else []
    said = [_paragraph(paragraph) for paragraph in paragraphs(section.segments)]
    return [*missing, *heading, *(said or [f"> {section.problem}" if section.problem else NO_SPEECH])]


def _paragraph(paragraph: Paragraph) -> str:
    speaker = f"{_escaped(printable(paragraph.speaker))} " if paragraph.speaker else ""
    lines = ["".join(map(_run, line)) for line in paragraph.runs]
    return _HARD_BREAK.join([f"**{speaker}{clock_time(paragraph.start_ms)}**", *lines])


def _run(run: Run) -> str:
    """Return a run; HTML's mark is what most programs show as highlighted, and the rest leave alone."""
    text = _escaped(run.text)
    return f"<mark>{text}</mark>" if DOUBTS.intersection(run.flags) else text


def _escaped(text: str) -> str:
    return _AT_BEGINNING.sub(r"\1\\\2", _ANYWHERE.sub(r"\\\1", text))
