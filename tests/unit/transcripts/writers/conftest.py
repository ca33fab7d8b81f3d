"""Documents to write."""

from __future__ import annotations

import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from asr_daemon.itn import Span
from asr_daemon.queue.profile import Profile
from asr_daemon.transcripts.transcript import Segment, Token, Transcript
from asr_daemon.transcripts.writers import Document

if TYPE_CHECKING:
    from collections.abc import Callable

TOKEN_MS = 200


@pytest.fixture
def speak() -> Callable[..., Segment]:
    """Return a maker of segments that say one token each 200 ms, with pauses and converted spans."""

    def make(
        raw: str,
        text: str | None = None,
        *,
        start_ms: int = 0,
        pauses: dict[str, int] | None = None,
        spans: tuple[tuple[str, str], ...] = (),
        flags: tuple[str, ...] = (),
    ) -> Segment:
        at_ms, tokens = start_ms, []
        for match in re.finditer(r"[A-Za-z]+|\S", raw):
            tokens.append(Token(match.group(), at_ms, at_ms + TOKEN_MS - 20))
            at_ms += TOKEN_MS + (pauses or {}).get(match.group(), 0)
        text = raw if text is None else text
        found = []
        raw_at = at = 0
        for before, after in spans:
            raw_at, at = raw.index(before, raw_at), text.index(after, at)
            found.append(Span(raw_at, raw_at + len(before), at, at + len(after), "date", "test"))
            raw_at, at = raw_at + len(before), at + len(after)
        end_ms = tokens[-1].end_ms if tokens else at_ms
        return Segment(0, start_ms, end_ms, raw, text, tuple(tokens), tuple(found), flags=flags)

    return make


@pytest.fixture
def document() -> Callable[..., Document]:
    """Return a maker of documents from segments."""

    def make(
        *segments: Segment,
        name: str = "预算会议.m4a",
        builtin: bool = False,
        flags: tuple[str, ...] = (),
        duration_ms: int = 60_000,
    ) -> Document:
        model = "paraformer-tiny-zh (built-in)" if builtin else "paraformer-zh"
        return Document(
            transcript=Transcript(duration_ms, segments, model, builtin, flags),
            name=name,
            sha256="ab" * 32,
            profile=Profile(model="paraformer-zh@12", hotwords=("预算",)),
            recognised_at=datetime(2026, 3, 15, 9, 30, tzinfo=timezone(timedelta(hours=8))),
        )

    return make
