"""What a program finds in ``NAME.json``."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Correction
from asr_daemon.transcripts.writers import TEXTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.transcripts.transcript import Segment
    from asr_daemon.transcripts.writers import Document


def test_everything_is_there(speak: Callable[..., Segment], document: Callable[..., Document]) -> None:
    """Schema, origin, profile, and each segment with raw text, text, tokens, spans and corrections."""
    segment = replace(
        speak(
            "三月十号开会", "3月10日开会。", start_ms=500, spans=(("三月十号", "3月10日"),), flags=("odd",)
        ),
        corrections=(Correction(4, 6, "凯会", "开会", "phonetic"),),
        hotwords_hit=("开会",),
    )
    tree = json.loads(TEXTS["json"](document(segment, flags=("truncated",))))
    assert tree["schema"] == 1
    assert tree["audio"] == {"name": "预算会议.m4a", "sha256": "ab" * 32, "duration_ms": 60_000}
    assert tree["recognised_at"] == "2026-03-15T09:30:00+08:00"
    assert tree["model"] == {"label": "paraformer-zh", "builtin": False}
    assert Profile(**{**tree["profile"], "protect": ()}) == Profile("paraformer-zh@12")
    assert tree["hotwords_sha256"] == document().profile.hotwords_digest
    assert tree["flags"] == ["truncated"]
    (told,) = tree["segments"]
    assert (told["start_ms"], told["end_ms"], told["flags"]) == (500, 1680, ["odd"])
    assert (told["raw_text"], told["text"]) == ("三月十号开会", "3月10日开会。")
    assert told["tokens"][0] == {"text": "三", "start_ms": 500, "end_ms": 680}
    span = told["spans"][0]
    assert told["raw_text"][span["raw_start"] : span["raw_end"]] == "三月十号"
    assert told["text"][span["start"] : span["end"]] == "3月10日"
    assert told["corrections"] == [
        {"raw_start": 4, "raw_end": 6, "before": "凯会", "after": "开会", "kind": "phonetic"}
    ]
    assert told["hotwords_hit"] == ["开会"]


def test_it_is_valid_whatever_the_name(document: Callable[..., Document]) -> None:
    """Without segments, and with a name that is no UTF-8, it is JSON in UTF-8 all the same."""
    text = TEXTS["json"](document(name='a"\\\n\udcff.wav'))
    tree = json.loads(text.encode())
    assert tree["segments"] == []
    assert tree["audio"]["name"] == 'a"\\\ufffd\ufffd.wav'
