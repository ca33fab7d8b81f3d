"""``NAME.srt``: subtitles for players."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.cues import cues
from asr_daemon.transcripts.writers.document import clock_time

if TYPE_CHECKING:
    from asr_daemon.transcripts.writers.document import Document


def render(document: Document) -> str:
    """Return the subtitles; empty without speech."""
    return "\n".join(
        f"{number}\n{_time(cue.start_ms)} --> {_time(cue.end_ms)}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(cues(document.transcript, names=True), 1)
    )


def _time(at_ms: int) -> str:
    return clock_time(at_ms, separator=",")
