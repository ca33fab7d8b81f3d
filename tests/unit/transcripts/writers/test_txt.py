"""What a person finds in ``NAME.txt``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from asr_daemon.transcripts.writers.txt import BUILTIN, DOUBTED, FLAGS, NO_SPEECH, render

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.transcripts.transcript import Segment
    from asr_daemon.transcripts.writers import Document

    Speak = Callable[..., Segment]
    Make = Callable[..., Document]


def test_the_head_says_what_it_is(speak: Speak, document: Make) -> None:
    """Name, length, date and model stand on top; nothing is said against a real model."""
    text = render(document(speak("大家好"), duration_ms=3_723_400))
    assert text.split("\n\n")[0].split("\n") == [
        "录音：预算会议.m4a",
        "时长：01:02:03",
        "转写时间：2026-03-15 09:30",
        "识别模型：paraformer-zh",
    ]


def test_warnings_stand_where_they_are_seen(speak: Speak, document: Make) -> None:
    """The trial model and an incomplete recording are said on top, in plain Chinese."""
    text = render(document(speak("大家好"), builtin=True, flags=("truncated",)))
    assert text.split("\n\n")[0].endswith(f"{BUILTIN}\n{FLAGS['truncated']}")
    assert "试用" in BUILTIN


def test_silence_is_said_so(document: Make, speak: Speak) -> None:
    """A recording without speech, or with empty segments only, has a sentence in place of text."""
    assert render(document()).endswith(f"\n\n{NO_SPEECH}\n")
    assert render(document(speak("", ""))).endswith(f"\n\n{NO_SPEECH}\n")
    assert "没有检测到语音" in NO_SPEECH


def test_pauses_make_paragraphs(document: Make, speak: Speak) -> None:
    """Segments close to each other are one paragraph, a long pause begins the next with its time."""
    first = speak("今天开会。", start_ms=1000)
    second = speak("讨论预算。", start_ms=first.end_ms + 500)
    third = speak("散会。", start_ms=3_700_000)
    body = render(document(first, second, third)).split("\n\n")[1:]
    assert body == ["[00:00:01] 今天开会。讨论预算。", "[01:01:40] 散会。\n"]


def test_a_long_monologue_is_divided(document: Make, speak: Speak) -> None:
    """Without long pauses a paragraph still ends, at a segment's end."""
    segments, at_ms = [], 0
    for _ in range(30):
        segments.append(speak("这一段话正好是二十个汉字再加一个句号的长度。", start_ms=at_ms))
        at_ms = segments[-1].end_ms + 300
    body = render(document(*segments)).split("\n\n")[1:]
    assert 2 < len(body) < 6
    assert "".join(line.split("] ")[1].strip() for line in body) == "".join(one.text for one in segments)


def test_a_gap_stays_visible_without_punctuation(document: Make, speak: Speak) -> None:
    """Where a model gives no punctuation, segments are kept apart by a space; English words always are."""
    first = speak("今天开会")
    second = speak("讨论预算", start_ms=first.end_ms + 300)
    assert "今天开会 讨论预算" in render(document(first, second))
    english = replace(speak("see you"), text="See you.")
    more = replace(speak("bye", start_ms=1000), text="Bye.")
    assert "See you. Bye." in render(document(english, more))


def test_what_could_not_be_recognised_is_not_passed_over(document: Make, speak: Speak) -> None:
    """A failed segment leaves a mark with its time."""
    failed = speak("", "", start_ms=30_000, flags=("failed",))
    assert "[00:00:30] （这一段未能识别）" in render(document(speak("大家好"), failed))


def test_places_in_doubt_are_listed_on_top(document: Make, speak: Speak) -> None:
    """The reader is told where to listen; a text that was put right by a second reading is none of them."""
    doubted = [
        speak("谢谢观看", start_ms=minute * 60_000, flags=("text_on_silence", "hallucination_suspected"))
        for minute in range(12)
    ]
    cured = speak("大家好", start_ms=1000, flags=("repetition", "redecoded"))
    assert DOUBTED not in render(document(cured))
    head = render(document(cured, doubted[1], doubted[3])).split("\n\n")[0]
    assert head.endswith(f"{DOUBTED}00:01:00、00:03:00。")
    head = render(document(*doubted)).split("\n\n")[0]
    assert head.endswith("、00:09:00 等 12 处。")


def test_names_cannot_break_the_page(document: Make, speak: Speak) -> None:
    """Line breaks, invalid UTF-8 and characters that turn the reading direction do not get into the text."""
    text = render(document(speak("好"), name="a\nb\udcff\u202e.wav"))
    assert text.startswith("录音：a\ufffdb\ufffd\ufffd.wav\n")
    text.encode()
