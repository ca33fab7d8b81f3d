"""``NAME.vtt``: subtitles for web pages (W3C WebVTT)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.cues import section_cues
from asr_daemon.transcripts.writers.document import clock_time
from asr_daemon.transcripts.writers.sections import sections

if TYPE_CHECKING:
    from asr_daemon.transcripts.writers.document import Document
    from asr_daemon.transcripts.writers.showing import Cue

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render(document: Document) -> str:
    """Return the subtitles; the head alone without speech. Where a part begins, a comment says so."""
    blocks: list[str] = []
    for section in sections(document):
        blocks += [_note(each) for each in (*section.missing, section.heading, section.problem) if each]
        blocks += (
            f"{_time(cue.start_ms)} --> {_time(cue.end_ms)}\n" + _voice(cue) + "\n"
            for cue in section_cues(section)
        )
    return "\n".join(["WEBVTT\n", *blocks])


def _note(text: str) -> str:
    """Return a comment, which may not hold an arrow."""
    return f"NOTE {text.replace('-->', '->')}\n"


def _voice(cue: Cue) -> str:
    text = "\n".join(cue.lines).translate(_ESCAPES)
    return f"<v {cue.speaker.translate(_ESCAPES)}>{text}" if cue.speaker else text


def _time(at_ms: int) -> str:
    return clock_time(at_ms, separator=".")
