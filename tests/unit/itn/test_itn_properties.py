"""Properties of the normaliser that hold for every number, date, time and text."""

from __future__ import annotations

import re

from hypothesis import example, given, settings
from hypothesis import strategies as st

from asr_daemon.itn import Normalised, Normaliser
from asr_daemon.itn.characters import NUMERALS

NORMALISER = Normaliser()
FIGURES = "零一二三四五六七八九"
SPOKEN = re.compile("[零〇一二两三四五六七八九十百千万亿幺]")


def written(text: str) -> str:
    return NORMALISER.normalise(text).text


def spoken_section(number: int, liang: bool) -> str:
    """Speak a number below ten thousand, without 一十 for 十."""
    parts, zero = [], False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // unit % 10
        if digit == 0:
            zero = bool(parts)
            continue
        figure = "两" if liang and digit == 2 and unit >= 100 else FIGURES[digit]
        parts.append(("零" if zero else "") + figure + name)
        zero = False
    return "".join(parts)


def spoken(number: int, liang: bool = True, bare_ten: bool = True) -> str:
    """Speak a number up to a billion times a thousand, as people do."""
    if number == 0:
        return "零"
    if number >= 10**8:
        head, tail = divmod(number, 10**8)
        zero = "零" if tail and tail < 10**7 else ""
        text = (
            spoken(head, liang, bare_ten)
            + "亿"
            + zero
            + (spoken(tail, liang, bare_ten=False) if tail else "")
        )
    elif number >= 10**4:
        head, tail = divmod(number, 10**4)
        zero = "零" if tail and tail < 1000 else ""
        head_text = "两" if liang and head == 2 else spoken_section(head, liang)
        text = head_text + "万" + zero + (spoken_section(tail, liang) if tail else "")
    else:
        text = spoken_section(number, liang)
    return text.removeprefix("一") if bare_ten and text.startswith("一十") else text


def value(text: str) -> int:
    """Read the figures of the house style: 3亿5000万, 2万亿."""
    head, hundred_million, tail = text.rpartition("亿")
    if hundred_million:
        return value(head) * 10**8 + (value(tail) if tail else 0)
    head, ten_thousand, tail = text.partition("万")
    return int(head) * 10**4 + int(tail or 0) if ten_thousand else int(text)


def is_open(text: str) -> bool:
    """Say whether the house style leaves a spoken number alone: 一亿零五百万, 三千亿零二十万."""
    return text.endswith("万") and "亿零" in text


@given(
    st.one_of(st.integers(10, 10**5), st.integers(10, 10**8), st.integers(10, 10**12)),
    st.booleans(),
    st.booleans(),
)
@settings(max_examples=250)
def test_integers_round_trip(number: int, liang: bool, bare_ten: bool) -> None:
    """Every spoken integer of two figures and more is written with its own value."""
    text = spoken(number, liang, bare_ten)
    if is_open(text):
        assert written(text) == text
    elif text != "二百五":
        assert value(written(f"总共{text}")[2:]) == number


@given(st.integers(1, 12), st.integers(1, 31), st.integers(1900, 2099), st.sampled_from("号日"))
def test_dates_round_trip(month: int, day: int, year: int, sign: str) -> None:
    """A spoken date is written in figures, with 日."""
    digits = "".join(FIGURES[int(figure)] for figure in str(year))
    raw = f"{digits}年{spoken(month, liang=False)}月{spoken(day, liang=False)}{sign}"
    result = NORMALISER.normalise(raw)
    assert result.text == f"{year}年{month}月{day}日"
    assert [(span.raw_start, span.raw_end, span.kind) for span in result.spans] == [(0, len(raw), "date")]


@given(st.integers(0, 23), st.integers(1, 59))
def test_clock_times_round_trip(hour: int, minute: int) -> None:
    """A spoken clock time is written in figures, a minute below ten with its 0."""
    spoken_hour = "两" if hour == 2 else spoken(hour)
    spoken_minute = ("零" if minute < 10 else "") + spoken(minute, liang=False)
    assert written(f"今天{spoken_hour}点{spoken_minute}分开会") == f"今天{hour}点{minute:02}分开会"


@given(st.integers(0, 9999), st.text("0123456789", min_size=1, max_size=6))
def test_decimals_round_trip(whole: int, fraction: str) -> None:
    """A spoken decimal is written in figures."""
    text = f"比重{spoken(whole)}点{''.join(FIGURES[int(figure)] for figure in fraction)}克"
    assert written(text) == f"比重{whole}.{fraction}克"


@given(st.integers(0, 200), st.text("0123456789", max_size=3))
def test_percentages_round_trip(whole: int, fraction: str) -> None:
    """A spoken percentage is written with its sign."""
    point = "点" if fraction else ""
    text = f"增长百分之{spoken(whole)}{point}{''.join(FIGURES[int(figure)] for figure in fraction)}。"
    assert written(text) == f"增长{whole}{'.' if fraction else ''}{fraction}%。"


@given(st.text("0123456789", min_size=3, max_size=18), st.booleans())
def test_digit_strings_round_trip(figures: str, yao: bool) -> None:
    """Figures read out one by one are written, 幺 as 1."""
    read_out = "".join("幺" if yao and figure == "1" else FIGURES[int(figure)] for figure in figures)
    assert written(f"号码是{read_out}。") == f"号码是{figures}。"


TALK = st.lists(
    st.sampled_from(
        [
            *NUMERALS,
            "点",
            "分",
            "之",
            "百分之",
            "年",
            "月",
            "号",
            "日",
            "块",
            "元",
            "毛",
            "第",
            "负",
            "比",
            "到",
            "个",
            "半",
            "度",
            "折",
            "周",
            "多",
            "几",
            "来",
            "米",
            "秒",
            "斤",
            "G",
            "GPT",
            "，",
            "3",
            "20",
            "下午",
            "加",
            "等于",
            "时",
            "的",
            "一下",
            "十分",
            "初",
            "大",
            "后",
            "万一",
            "又",
            "差",
            "号线",
            "公里",
            "岁",
            "刻",
            "有",
        ]
    ),
    max_size=14,
).map("".join)


def check(raw: str) -> Normalised:
    result = NORMALISER.normalise(raw)
    assert result.raw == raw
    place = written_place = 0
    for span in result.spans:
        assert place <= span.raw_start < span.raw_end <= len(raw)
        assert raw[place : span.raw_start] == result.text[written_place : span.start]
        assert raw[span.raw_start : span.raw_end] != result.text[span.start : span.end]
        assert SPOKEN.search(raw[span.raw_start : span.raw_end])
        place, written_place = span.raw_end, span.end
    assert raw[place:] == result.text[written_place:]
    assert bool(result.text) == bool(raw)
    return result


@given(TALK)
@settings(max_examples=500)
def test_nothing_outside_spans_changes(raw: str) -> None:
    """Whatever the numerals' neighbours, offsets fit and all that is no span is kept."""
    check(raw)


@given(TALK)
@settings(max_examples=500)
@example("三点三点三点")
@example("零度二负五")
def test_a_second_pass_changes_nothing(raw: str) -> None:
    """What is normalised already stays as it is."""
    once = written(raw)
    assert written(once) == once


@given(st.text(max_size=60))
@settings(max_examples=500)
def test_any_unicode_is_survived(raw: str) -> None:
    """No text raises, and one without numerals is kept."""
    result = check(raw)
    if not SPOKEN.search(raw):
        assert "萬" in raw or "億" in raw or "兩" in raw or result.text == raw
