"""Subtitles: where they are cut, what they show and when."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_daemon.itn import Span
from asr_daemon.transcripts.transcript import Segment, Token, Transcript
from asr_daemon.transcripts.writers import srt, vtt
from asr_daemon.transcripts.writers.cues import CUE_COLUMNS, CUE_MS, Cue, columns, cues
from asr_daemon.transcripts.writers.pieces import pieces

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.transcripts.writers import Document

    Speak = Callable[..., Segment]
    Make = Callable[..., Document]


def of(*segments: Segment, duration_ms: int = 3_600_000) -> list[Cue]:
    """Return the cues of a recording of these segments."""
    return cues(Transcript(duration_ms, segments, "m", model_is_builtin=False))


def shown(*segments: Segment) -> list[str]:
    """Return the cues' texts, lines joined by a bar."""
    return ["|".join(cue.lines) for cue in of(*segments)]


def test_cues_are_cut_where_sentences_end(speak: Speak) -> None:
    """Two sentences that fit one cue each are two cues, with the times of their own words."""
    segment = speak(
        "我们今天讨论明年的预算安排请大家准备好材料下周一开会",
        "我们今天讨论明年的预算安排。请大家准备好材料，下周一开会。",
        pauses={"排": 400},
    )
    first, second = of(segment)
    assert first.lines == ("我们今天讨论明年的预算安排。",)
    assert second.lines == ("请大家准备好材料，下周一开会。",)
    assert (first.start_ms, first.end_ms) == (0, 13 * 200 - 20)
    assert (second.start_ms, second.end_ms) == (13 * 200 + 400, segment.end_ms)


def test_cues_are_cut_at_pauses_without_punctuation(speak: Speak) -> None:
    """Where a model gives no punctuation, the speaker's pauses divide."""
    segment = speak("我们今天讨论明年的预算安排请大家准备好材料下周一开会", pauses={"排": 900})
    assert shown(segment) == ["我们今天讨论明年的预算安排", "请大家准备好材料下周一开会"]


def test_nothing_is_cut_inside_a_converted_span(speak: Speak) -> None:
    """A date stays whole whatever the pause inside it, and has the times of the words it was spoken with."""
    segment = speak(
        "合同的签订日期是二零二五年三月十五号地点在上海市浦东新区的总部大楼三层会议室",
        "合同的签订日期是2025年3月15日，地点在上海市浦东新区的总部大楼3层会议室",
        spans=(("二零二五年三月十五号", "2025年3月15日"), ("三层", "3层")),
        pauses={"年": 1500, "月": 1500},
    )
    found = of(segment)
    (index,) = (number for number, cue in enumerate(found) if "2025年3月15日" in "".join(cue.lines))
    assert any("2025年3月15日" in line for line in found[index].lines)
    assert found[index].end_ms >= next(token for token in segment.tokens if token.text == "号").end_ms
    assert "".join("".join(cue.lines) for cue in found) == segment.text


def test_words_of_other_scripts_stay_whole(speak: Speak) -> None:
    """English words, joined by spaces that tokens lack, are found, kept whole and shown with their spaces."""
    segment = speak("我们用 deep learning 和 transformer 模型做 speech recognition 的研究已经有三年时间了")
    found = shown(segment)
    assert " ".join(found).replace("|", " ").split() == segment.text.split()
    starts = {piece.text.strip(): piece.start_ms for piece in pieces(segment)}
    assert starts["learning"] == 4 * 200
    assert starts["transformer"] == 6 * 200


def test_two_lines_at_most(speak: Speak) -> None:
    """A long cue is shown in two lines of at most 20 characters, broken after a mark where there is one."""
    segment = speak(
        "因为上个月的销售情况不太理想所以我们需要重新考虑一下价格",
        "因为上个月的销售情况不太理想，所以我们需要重新考虑一下价格。",
    )
    (only,) = of(segment)
    assert only.lines == ("因为上个月的销售情况不太理想，", "所以我们需要重新考虑一下价格。")


def test_a_segment_without_tokens_has_its_own_times() -> None:
    """A model that tells no times still gets readable cues, inside the segment."""
    text = "这是一个没有时间信息的模型给出的很长的一段文字，它需要被切成几条字幕，每一条都能读完。"
    segment = Segment(0, 10_000, 30_000, text, text)
    found = of(segment)
    assert len(found) > 2
    assert found[0].start_ms == 10_000
    assert found[-1].end_ms == 30_000
    assert all(cue.end_ms - cue.start_ms <= CUE_MS for cue in found)
    assert "".join("".join(cue.lines) for cue in found) == text


def test_tokens_that_do_not_fit_are_not_believed(speak: Speak) -> None:
    """Tokens, spans and texts that contradict each other fall back to the segment's times, text complete."""
    segment = speak("今天开会讨论预算")
    for broken in (
        replace(segment, tokens=(*segment.tokens[:3], Token("错", 700, 800))),
        replace(segment, text="完全不同的文字"),
        replace(segment, spans=(Span(0, 99, 0, 2, "date", "x"),)),
        replace(segment, spans=(Span(4, 6, 4, 6, "date", "x"), Span(0, 2, 0, 2, "date", "x"))),
    ):
        found = of(broken)
        assert "".join("".join(cue.lines) for cue in found) == broken.text
        assert found[0].start_ms >= segment.start_ms
        assert found[-1].end_ms <= max(segment.end_ms, found[0].start_ms + 1000)


def test_overlapping_segments_do_not_overlap_on_the_screen(speak: Speak) -> None:
    """Times never go backwards, even where two segments' do."""
    found = of(speak("一二三四五", start_ms=1000), speak("六七八九十", start_ms=1500))
    assert found[0].end_ms <= found[1].start_ms < found[1].end_ms
    backwards = of(speak("一二三四五", start_ms=1000), speak("六七八九十", start_ms=200))
    assert backwards[0].end_ms <= backwards[1].start_ms < backwards[1].end_ms


def test_a_short_word_stays_long_enough_to_be_read(speak: Speak) -> None:
    """A cue of one word is shown for a second, unless the next one begins."""
    alone, soon, last = of(speak("好"), speak("行", start_ms=5000), speak("走", start_ms=5300))
    assert alone.end_ms - alone.start_ms == 1000
    assert soon.end_ms == last.start_ms


def test_quick_replies_share_a_cue(speak: Speak) -> None:
    """Where no silence makes room for it, a reply of a moment joins the neighbour that is nearer."""
    first = speak("我们下周三下午再讨论一下明年的预算吧", start_ms=0)
    reply = speak("好", "好。", start_ms=first.end_ms + 60)
    following = speak("那就这样我去通知大家", start_ms=reply.end_ms + 150)
    assert shown(first, reply, following) == [
        "我们下周三下午再讨论|一下明年的预算吧 好。",
        "那就这样我去通知大家",
    ]
    later = replace(following, start_ms=following.start_ms + 5000, end_ms=following.end_ms + 5000, tokens=())
    assert len(of(first, reply, later)) == 3


def test_no_cue_is_gone_before_it_was_read(speak: Speak) -> None:
    """In a quick exchange every cue stays for 700 ms, none over another, and nothing is lost."""
    for gap_ms in (0, 60, 200, 400):
        segments, at_ms = [], 5000
        for words in (
            "对",
            "行",
            "我们开会讨论一下明年的预算安排和人员调整" * 2,
            "嗯",
            "好",
            "没问题",
            "是",
        ) * 3:
            segments.append(speak(words, start_ms=at_ms))
            at_ms = segments[-1].end_ms + gap_ms
        found = of(*segments, duration_ms=at_ms + 1000)
        assert "".join("".join(cue.lines) for cue in found).replace(" ", "") == "".join(
            one.text for one in segments
        )
        assert min(cue.end_ms - cue.start_ms for cue in found) >= 700
        assert all(one.end_ms <= two.start_ms for one, two in itertools.pairwise(found))
        assert all(columns(line) <= 40 for cue in found for line in cue.lines)


def test_marks_alone_make_no_cue(speak: Speak) -> None:
    """What SenseVoice answers where nobody spoke is no text."""
    segment = speak("今天开会")
    assert of(replace(segment, raw_text="。", text="。", tokens=())) == []
    assert shown(segment, replace(segment, start_ms=9000, end_ms=9900, text="…？！ ♪", tokens=())) == [
        "今天开会"
    ]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("我们今天上午一起参加了市里的重点工程建设推进工作会议", ["重点", "工程", "会议"]),
        ("负责这个项目的一直是财务部的张小红而不是技术部的李明辉", ["张小红", "李明辉", "财务部"]),
        ("请大家在二十二日之前把三百五十六份报名材料交到办公室去", ["二十二日", "三百五十六份", "办公室"]),
    ],
)
def test_cuts_fall_between_words(speak: Speak, text: str, words: list[str]) -> None:
    """Wherever the limits put a cut, no word, name or figure is torn: not by lines and not by cues."""
    for before in range(14):
        segment = speak("嗯" * before + text + text)
        lines = [line for cue in of(segment) for line in cue.lines]
        assert len(lines) > 2
        for word in words:
            assert sum(line.count(word) for line in lines) == 2, (lines, word)


def test_a_hotword_is_not_cut(speak: Speak) -> None:
    """A name that is in no dictionary is known from the list."""
    text = "今天上午我们一起讨论了一下关于飞鱼终端协议的进度问题和安排"
    for before in range(14):
        segment = replace(speak("嗯" * before + text), hotwords_hit=("飞鱼终端协议",))
        assert any("飞鱼终端协议" in line for cue in of(segment) for line in cue.lines)


def test_a_pause_inside_a_word_is_taken_for_one_before_it(speak: Speak) -> None:
    """Models let the first character of a sentence begin before the silence in front of it."""
    segment = speak("下周三中午我们反馈一下今天会议主要讨论一下预算和风险评估", pauses={"今": 700})
    assert shown(segment) == ["下周三中午我们反馈一下", "今天会议主要讨论一下预算和风险评估"]


def test_srt_and_vtt_are_what_players_expect(document: Make, speak: Speak) -> None:
    """Numbers, times with comma or point, blank lines between; markup is escaped in WebVTT."""
    one = replace(speak("对"), text="a<b>&-->")
    made = document(replace(one, tokens=()), speak("好", start_ms=3_600_000), duration_ms=3_700_000)
    assert srt.render(made) == (
        "1\n00:00:00,000 --> 00:00:01,000\na<b>&-->\n\n2\n01:00:00,000 --> 01:00:01,000\n好\n"
    )
    assert vtt.render(made) == (
        "WEBVTT\n\n00:00:00.000 --> 00:00:01.000\na&lt;b&gt;&amp;--&gt;\n\n"
        "01:00:00.000 --> 01:00:01.000\n好\n"
    )
    assert (srt.render(document()), vtt.render(document())) == ("", "WEBVTT\n")


CHARACTERS = st.sampled_from("今天开会讨论预算二零五年三月十号百分之")
MARKS = st.sampled_from(["", "", "", "", "，", "。", "？", " ", "…”", "“"])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.tuples(CHARACTERS, MARKS, st.integers(0, 1500), st.integers(-50, 900)), min_size=1, max_size=120
    ),
    st.lists(
        st.tuples(st.integers(0, 119), st.integers(1, 12), st.sampled_from(["2025年", "3", "50%"])),
        max_size=4,
    ),
)
def test_whatever_is_said_the_cues_are_whole_and_in_order(
    said: list[tuple[str, str, int, int]], conversions: list[tuple[int, int, str]]
) -> None:
    """No text is lost or doubled, nothing overlaps, only what cannot be divided is longer than it may be."""
    at_ms, tokens = 0, []
    for character, _, lasts_ms, gap_ms in said:
        tokens.append(Token(character, at_ms, at_ms + lasts_ms))
        at_ms = max(0, at_ms + lasts_ms + gap_ms)
    raw = "".join(character for character, *_ in said)
    spans: list[Span] = []
    text, raw_at = "", 0
    for begin, length, written in sorted(conversions):
        if raw_at <= begin and begin + length <= len(raw):
            text += "".join(character + mark for character, mark, *_ in said[raw_at:begin])
            spans.append(Span(begin, begin + length, len(text), len(text) + len(written), "date", "x"))
            text, raw_at = text + written, begin + length
    text += "".join(character + mark for character, mark, *_ in said[raw_at:])
    end_ms = max(token.end_ms for token in tokens)
    segment = Segment(0, 0, end_ms, raw, text, tuple(tokens), tuple(spans))
    parts = pieces(segment)
    assert "".join(piece.text for piece in parts) == text
    assert all(one.start_ms <= one.end_ms <= two.start_ms for one, two in itertools.pairwise(parts))
    found = of(segment)
    assert "".join("".join(cue.lines) for cue in found).replace(" ", "") == text.replace(" ", "")
    assert all(cue.start_ms < cue.end_ms for cue in found)
    assert all(one.end_ms <= two.start_ms for one, two in itertools.pairwise(found))
    widest = max(columns(piece.text) for piece in parts)
    longest_ms = max(piece.end_ms - piece.start_ms for piece in parts)
    for cue in found:
        assert len(cue.lines) <= 2
        assert columns("".join(cue.lines)) <= max(CUE_COLUMNS, widest)
        assert cue.end_ms - cue.start_ms <= max(CUE_MS, longest_ms) + 1000
    for span in spans:
        written = text[span.start : span.end]
        assert any(written in piece.text for piece in parts)
        assert any(written in line for cue in found for line in cue.lines)
