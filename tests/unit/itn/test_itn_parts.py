"""The parts of the normaliser: numerals, protected words, spans, the explanation, long texts."""

from __future__ import annotations

import pytest

from asr_daemon.itn import Normaliser, Span
from asr_daemon.itn.characters import MASK, fold
from asr_daemon.itn.explain import explain
from asr_daemon.itn.numerals import cardinal
from asr_daemon.itn.protected import ProtectedWords, package_words
from asr_daemon.itn.staying import mask_staying

NORMALISER = Normaliser()


@pytest.mark.parametrize(
    ("run", "value", "written"),
    [
        ("十", 10, "10"),
        ("一万二", 12_000, "12000"),
        ("两千零二十", 2020, "2020"),
        ("二十万零五千", 205_000, "205000"),
        ("一万两千亿", 1_200_000_000_000, "12000亿"),
        ("三亿五千万", 350_000_000, "3亿5000万"),
    ],
)
def test_a_cardinal_is_read(run: str, value: int, written: str) -> None:
    """A well-formed cardinal has its value and its written form."""
    number = cardinal(run)
    assert number is not None
    assert (number.value, number.written) == (value, written)


@pytest.mark.parametrize(
    "run",
    [
        "二三十",
        "三百五百",
        "一亿零五百万",
        "三亿五",
        "两十",
        "万一",
        "一千零五百",
        "三万五十",
        "一两百",
        "",
        "万万",
        "幺",
    ],
)
def test_what_is_no_cardinal_is_refused(run: str) -> None:
    """Approximate, malformed and open numbers are no cardinals."""
    assert cardinal(run) is None


def test_a_users_word_stays() -> None:
    """A word of the user's keeps its numerals, and only there."""
    ours = Normaliser(protect=["二十八号院", "  ", "三百里"])
    assert ours.normalise("二十八号院里有二十八人").text == "二十八号院里有28人"
    assert NORMALISER.normalise("二十八号院").text == "28号院"


def test_a_users_word_may_be_traditional() -> None:
    """A protected word matches in simplified and in traditional characters."""
    ours = Normaliser(protect=["二十八號院"])
    assert ours.normalise("二十八号院").text == "二十八号院"


def test_a_users_word_may_name_its_neighbours() -> None:
    """A bracket names neighbours beside which the word is not protected."""
    ours = Normaliser(protect=["[^满]三十分[^钟]"])
    assert ours.normalise("三十分").text == "三十分"
    assert ours.normalise("满三十分").text == "满30分"
    assert ours.normalise("三十分钟").text == "30分钟"


def test_a_protected_word_yields_to_a_longer_number() -> None:
    """一下 stays after a whole number, and is a part of 二十一下."""
    assert NORMALISER.normalise("打了二十一下").text == "打了21下"
    assert NORMALISER.normalise("五零三一下子就到").text == "503一下子就到"


def test_every_listed_word_stays() -> None:
    """Each word of the package's list that has no conditions stays where it stands alone."""
    plain = [word for word in package_words() if "[" not in word]
    changed = [word for word in plain if NORMALISER.normalise(word).text != word]
    assert len(plain) > 1000
    assert changed == []


def test_masking_keeps_the_length() -> None:
    """A masked text is as long as the text, and hides exactly what stays."""
    text = "万一十分钟"
    assert mask_staying(text, ProtectedWords()) == f"万{MASK}十分钟".replace("万", MASK)


def test_folding_keeps_the_length() -> None:
    """Traditional characters fold one to one."""
    assert fold("兩萬點號，GPT") == "两万点号，GPT"


def test_spans_map_raw_to_written() -> None:
    """A span gives the offsets of one whole date in both texts, its kind and its rule."""
    result = NORMALISER.normalise("会议在二零二五年三月十五号上午九点半")
    date, clock = result.spans
    assert date == Span(3, 13, 3, 13, "date", "year_month_day")
    assert result.raw[clock.raw_start : clock.raw_end] == "九点半"
    assert result.text[clock.start : clock.end] == "9点半"
    assert clock.kind == "clock"


def test_nothing_converted_gives_no_spans() -> None:
    """A text without numbers is the text, without spans."""
    result = NORMALISER.normalise("大家统一一下思想")
    assert result.text == result.raw
    assert result.spans == ()


def test_explanation_has_a_line_per_span() -> None:
    """The explanation names raw, written, kind and rule of each span; none without spans."""
    lines = explain(NORMALISER.normalise("三月十五号开会，二十个人")).splitlines()
    assert [line.split() for line in lines] == [
        ["三月十五号", "→", "3月15日", "date", "month_day"],
        ["二十", "→", "20", "cardinal", "cardinal"],
    ]
    assert explain(NORMALISER.normalise("你好")) == ""


@pytest.mark.parametrize(
    "unit",
    [
        "一",
        "一百",
        "点",
        "三点",
        "一到",
        "周一",
        "百分之",
        "三加",
        "三月三号到",
        "一下",
        "几十",
        "第",
        "负一",
    ],
)
def test_long_monotony_is_survived(unit: str) -> None:
    """A hundred thousand characters of the same keep their length's order, and are never empty."""
    raw = unit * (100_000 // len(unit))
    result = NORMALISER.normalise(raw)
    assert result.text
    assert sum(span.raw_end - span.raw_start for span in result.spans) <= len(raw)


def test_empty_stays_empty() -> None:
    """The empty text is the empty text."""
    assert NORMALISER.normalise("").text == ""
