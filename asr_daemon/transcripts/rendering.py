"""From a recording in the history to the text of a transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp
from asr_daemon.queue.jobs import transcript_of
from asr_daemon.queue.profile import Profile
from asr_daemon.transcripts.writers import RENDERERS, Document

if TYPE_CHECKING:
    import sqlite3

    from asr_daemon.history import History


def document_of(history: History, row: sqlite3.Row) -> Document:
    """Return what every writer reads, of a row of ``get_recording`` whose job is done."""
    return Document(
        transcript=transcript_of(history, row),
        name=row["name"],
        sha256=row["sha256"],
        profile=Profile.from_json(row["profile"]),
        recognised_at=from_stamp(row["finished_at"]).astimezone(),
    )


def render(history: History, row: sqlite3.Row, kind: str) -> str:
    """Return the transcript in a format: "txt", "srt", "vtt" or "json"."""
    return RENDERERS[kind](document_of(history, row))
