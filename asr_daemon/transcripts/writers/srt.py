"""``NAME.srt``: subtitles for players."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.cues import section_cues
from asr_daemon.transcripts.writers.document import clock_time
from asr_daemon.transcripts.writers.sections import sections

if TYPE_CHECKING:
    from asr_daemon.transcripts.writers.document import Document


def render(document: Document) -> str:
    """Return the subtitles; empty without speech."""
    shown = [cue for section in sections(document) for cue in section_cues(section, names=True)]
    return "\n".join(
        f"{number}\n{_time(cue.start_ms)} --> {_time(cue.end_ms)}\n" + "\n".join(cue.lines) + "\n"
        for number, cue in enumerate(shown, 1)
    )


def _time(at_ms: int) -> str:
    return clock_time(at_ms, separator=",")
