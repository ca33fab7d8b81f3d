"""Who says it, in each format, as people and players read it."""

from __future__ import annotations

import json
from datetime import datetime, timezone

from asr_daemon.transcripts.profile import Profile
from asr_daemon.transcripts.transcript import Segment, Speaker, Token, Transcript
from asr_daemon.transcripts.writers import TEXTS, Document
from asr_daemon.transcripts.writers.showing import LINE_COLUMNS, columns


def said(speaker: str, start_ms: int, text: str, *flags: str) -> Segment:
    """Return what somebody says, 200 ms a character."""
    tokens = tuple(
        Token(one, start_ms + 200 * k, start_ms + 200 * k + 200)
        for k, one in enumerate(text)
        if one.isalnum()
    )
    raw = "".join(token.text for token in tokens)
    end_ms = start_ms + 200 * len(text)
    return Segment(0, start_ms, end_ms, raw, text, tokens, flags=flags, speaker=speaker)


def document(*segments: Segment) -> Document:
    speakers = (Speaker(1, "顾清源", 61_000, is_enrolled=True), Speaker(2, "发言人2", 4_000))
    transcript = Transcript(60_000, segments, "model", model_is_builtin=False, speakers=speakers)
    moment = datetime(2026, 3, 15, 9, 30, tzinfo=timezone.utc)
    return Document(transcript, "会议.wav", "00", Profile("m"), moment)


TALK = (
    said("顾清源", 0, "今天讨论预算。"),
    said("顾清源", 1500, "请发言。"),
    said("发言人2", 2300, "好。"),
    said("顾清源", 2700, "散会。", "overlapped"),
)


def test_txt_has_a_paragraph_a_turn() -> None:
    """Who and when on a line of its own; on top who spoke for how long, and where several did at once."""
    text = TEXTS["txt"](document(*TALK))
    head, body = text.split("\n\n", 1)
    assert "发言人：顾清源（00:01:01）、发言人2（00:00:04）" in head
    assert "几个人同时说话，文字和发言人可能不准：00:00:02。" in head
    assert body == (
        "顾清源 00:00:00\n今天讨论预算。请发言。\n\n发言人2 00:00:02\n好。\n\n顾清源 00:00:02\n散会。\n"
    )


def test_no_cue_has_words_of_two_speakers() -> None:
    """However short a turn is; each says whose it is."""
    srt = TEXTS["srt"](document(*TALK))
    lines = [line for line in srt.splitlines() if line and "-->" not in line and not line.isdigit()]
    assert lines == ["顾清源：今天讨论预算。", "顾清源：请发言。", "发言人2：好。", "顾清源：散会。"]
    vtt = TEXTS["vtt"](document(*TALK))
    assert "\n<v 顾清源>今天讨论预算。\n" in vtt
    assert "\n<v 发言人2>好。\n" in vtt


def test_names_take_no_more_room_than_a_line_has() -> None:
    """A long turn is cut as narrow as any, the name included."""
    text = "我们今天要讨论的是下个季度的采购预算以及各个部门提出来的追加申请" * 3
    srt = TEXTS["srt"](document(said("财务部经理顾清源", 0, text)))
    cues = [block.split("\n")[2:] for block in srt.strip().split("\n\n")]
    assert all(lines[0].startswith("财务部经理顾清源：") for lines in cues)
    assert all(columns(line) <= LINE_COLUMNS for lines in cues for line in lines)
    assert "".join("".join(lines).replace("财务部经理顾清源：", "") for lines in cues) == text


def test_json_names_each_segments_speaker() -> None:
    """And lists them with how long they speak; without speakers the keys are there, and empty."""
    told = json.loads(TEXTS["json"](document(*TALK)))
    assert [one["speaker"] for one in told["segments"]] == ["顾清源", "顾清源", "发言人2", "顾清源"]
    assert told["speakers"][0] == {"number": 1, "name": "顾清源", "speaking_ms": 61_000, "enrolled": True}
    plain = Transcript(1000, (said("", 0, "好"),), "model", model_is_builtin=False)
    moment = datetime(2026, 3, 15, 9, 30, tzinfo=timezone.utc)
    told = json.loads(TEXTS["json"](Document(plain, "a.wav", "00", Profile("m"), moment)))
    assert told["speakers"] == []
    assert told["segments"][0]["speaker"] is None
