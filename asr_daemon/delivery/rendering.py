"""From a recording in the history to the text of a transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp
from asr_daemon.history.said import said_transcript_of
from asr_daemon.transcripts.writers import RENDERERS, Document

if TYPE_CHECKING:
    from asr_daemon.history import History
    from asr_daemon.history.recordings import Filed


def document_of(history: History, filed: Filed) -> Document:
    """Return what every writer reads, of a recording whose work is done."""
    work = filed.work
    assert work is not None  # noqa: S101 (it is done)
    return Document(
        transcript=said_transcript_of(history, work, filed.recording.inbox),
        name=filed.recording.name,
        sha256=work.sha256,
        profile=work.profile,
        recognised_at=from_stamp(work.finished_at).astimezone(),
    )


def render(history: History, filed: Filed, kind: str) -> str:
    """Return the transcript in a format: "txt", "srt", "vtt" or "json"."""
    return RENDERERS[kind](document_of(history, filed))
