"""Written: a finished transcript becomes files beside the recording."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers import json, srt, txt, vtt
from asr_daemon.transcripts.writers.document import Document

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["RENDERERS", "Document"]

RENDERERS: dict[str, Callable[[Document], str]] = {
    "txt": txt.render,
    "srt": srt.render,
    "vtt": vtt.render,
    "json": json.render,
}
