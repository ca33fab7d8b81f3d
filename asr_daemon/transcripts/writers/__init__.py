"""Written: a finished transcript becomes files beside the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers import json, md, srt, txt, vtt
from asr_daemon.transcripts.writers.document import Document, WordLook

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["FORMATS", "TEXTS", "Document", "WordLook", "rendered"]

TEXTS: dict[str, Callable[[Document], str]] = {
    "txt": txt.render,
    "srt": srt.render,
    "vtt": vtt.render,
    "json": json.render,
    "md": md.render,
}
FORMATS = (*TEXTS, "docx")


def rendered(document: Document, kind: str) -> bytes:
    """Return the file of one of :data:`FORMATS`."""
    if kind == "docx":
        from asr_daemon.transcripts.writers import docx  # noqa: PLC0415 (10 MB, where nobody may want it)

        return docx.render(document)
    return TEXTS[kind](document).encode("utf-8", "replace")
