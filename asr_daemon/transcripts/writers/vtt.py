"""``NAME.vtt``: subtitles for web pages (W3C WebVTT)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.cues import cues
from asr_daemon.transcripts.writers.document import clock_time

if TYPE_CHECKING:
    from asr_daemon.transcripts.writers.document import Document
    from asr_daemon.transcripts.writers.showing import Cue

_ESCAPES = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;"})


def render(document: Document) -> str:
    """Return the subtitles; the head alone without speech."""
    blocks = (
        f"{_time(cue.start_ms)} --> {_time(cue.end_ms)}\n" + _voice(cue) + "\n"
        for cue in cues(document.transcript)
    )
    return "\n".join(["WEBVTT\n", *blocks])


def _voice(cue: Cue) -> str:
    text = "\n".join(cue.lines).translate(_ESCAPES)
    return f"<v {cue.speaker.translate(_ESCAPES)}>{text}" if cue.speaker else text


def _time(at_ms: int) -> str:
    return clock_time(at_ms, separator=".")
