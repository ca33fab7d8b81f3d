"""What a person finds in ``NAME.txt``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from asr_daemon.transcripts.writers.facts import BUILTIN, DOUBTED, FLAGS, NO_SPEECH
from asr_daemon.transcripts.writers.txt import render

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


def test_the_head_is_chinese_to_its_end(speak: Speak, document: Make) -> None:
    """The trial model is called so in the reader's language."""
    head = render(document(speak("大家好"), builtin=True)).split("\n\n")[0].split("\n")
    assert head[3] == "识别模型：paraformer-tiny-zh（内置演示模型，只供试用）"


@pytest.mark.parametrize(
    ("duration_ms", "shown"), [(0, "00:00:00"), (300, "00:00:01"), (59_499, "00:00:59"), (59_500, "00:01:00")]
)
def test_lengths_are_rounded_to_the_nearest_second(document: Make, duration_ms: int, shown: str) -> None:
    """As everywhere else: a list and a transcript of one recording say the same."""
    assert f"时长：{shown}\n" in render(document(duration_ms=duration_ms))


def test_marks_alone_are_no_text(speak: Speak, document: Make) -> None:
    """What SenseVoice answers where nobody spoke makes no paragraph; where it failed, that is said."""
    marks = replace(speak("好", "。"), raw_text="。")
    assert render(document(marks)).endswith(f"\n\n{NO_SPEECH}\n")
    assert "（这一段未能识别）" in render(document(replace(marks, flags=("failed",))))
    assert render(document(speak("大家好。"), replace(marks, start_ms=9000))).count("[00:") == 1


def test_without_punctuation_pauses_make_lines(speak: Speak, document: Make) -> None:
    """A paragraph that would be one long run of characters has a line for each stretch between pauses."""
    first = speak("我们今天讨论明年的预算安排请大家准备好材料", pauses={"排": 600})
    second = speak("下周一上午九点在三楼会议室开会", start_ms=first.end_ms + 700)
    third = speak("好", start_ms=second.end_ms + 700)
    (paragraph,) = render(document(first, second, third)).split("\n\n")[1:]
    assert paragraph.splitlines() == [
        "[00:00:00] 我们今天讨论明年的预算安排",
        "请大家准备好材料",
        "下周一上午九点在三楼会议室开会",
        "好",
    ]
    marked = replace(first, text="我们今天讨论明年的预算安排，请大家准备好材料。")
    (paragraph,) = render(document(marked, second, third)).split("\n\n")[1:]
    assert len(paragraph.splitlines()) == 1


def test_a_decimal_point_is_no_punctuation(speak: Speak, document: Make) -> None:
    """55.6% in a text without marks does not make it one with marks."""
    first = speak(
        "市场推广完成了百分之五十五点六还剩一百二十六位没有处理", "市场推广完成了55.6%还剩126位没有处理"
    )
    second = speak("请研发中心的朱雨晴确认一下年度预算", start_ms=first.end_ms + 700)
    assert len(render(document(first, second)).split("\n\n")[1].splitlines()) == 2


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
