"""From a recording in the history to the text of a transcript."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.clock import from_stamp
from asr_daemon.history.in_force import transcript_in_force
from asr_daemon.transcripts.writers import TEXTS, Document, WordLook

if TYPE_CHECKING:
    from asr_daemon.config import Config
    from asr_daemon.history import History
    from asr_daemon.history.recordings import Filed


def document_of(history: History, filed: Filed, word: WordLook | None = None) -> Document:
    """Return what every writer reads, of a recording whose work is done; ``word`` is for Word's files."""
    work = filed.work
    assert work is not None  # noqa: S101 (it is done)
    return Document(
        transcript=transcript_in_force(history, filed),
        name=filed.recording.name,
        sha256=work.sha256,
        profile=work.profile,
        recognised_at=from_stamp(work.finished_at).astimezone(),
        word=word or WordLook(),
    )


def word_look(config: Config) -> WordLook:
    """Return how Word's files are to look."""
    return WordLook(config.docx.font, config.docx.heading_font, config.docx.template)


def render(history: History, filed: Filed, kind: str) -> str:
    """Return the transcript in a format that is text: all but "docx"."""
    return TEXTS[kind](document_of(history, filed))
