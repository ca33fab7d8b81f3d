"""The parts of the normaliser: numerals, protected words, spans, the explanation, long texts."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr_daemon.itn import Normaliser, Span, may_part
from asr_daemon.itn.characters import MASK, fold
from asr_daemon.itn.explain import explain
from asr_daemon.itn.fixed import STAYING
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


def test_nothing_reaches_across_a_border() -> None:
    """A pause parts numbers, dates and contexts as a mark does."""
    for left, right in (("一千", "二百个"), ("三月", "五号"), ("下午", "三点五个人"), ("二百", "五十度二")):
        apart = NORMALISER.normalise(left).text, NORMALISER.normalise(right).text
        assert NORMALISER.normalise(f"{left}，{right}").text == "，".join(apart)
        spans = NORMALISER.normalise(left + right, borders=[len(left)]).spans
        assert all(span.raw_end <= len(left) or span.raw_start >= len(left) for span in spans)


def test_figures_do_not_meet_at_a_border() -> None:
    """What a pause parted and paper would not stays spoken: 100二十个, not 10020个."""
    result = NORMALISER.normalise("一百二十个", borders=[2])
    assert result.text == "100二十个"
    assert [(span.raw_start, span.raw_end) for span in result.spans] == [(0, 2)]


def test_borders_outside_the_text_do_not_count() -> None:
    """An offset that is none changes nothing."""
    assert NORMALISER.normalise("二十个", borders=[-3, 0, 3, 99]).text == "20个"


@pytest.mark.parametrize(
    ("left", "right", "parts"),
    [
        ("三零六", "三点半", True),
        ("张三", "十点到", True),
        ("你好", "大家", True),
        ("幺三八", "零零一三八零零零", False),
        ("验证码三八", "零六", False),
        ("百分之", "二十", False),
        ("三", "千五", False),
    ],
)
def test_where_a_pause_parts_numbers(left: str, right: str, parts: bool) -> None:
    """A breath within a number is no border."""
    assert may_part(left + right, len(left)) is parts


def test_listed_words_win() -> None:
    """A listed word keeps its numerals against every reading, but is no part of a longer number."""
    ours = Normaliser(listed=["张三十", "二十里铺", "第一百", "五一", "C三十", "三百 分", "没有数字"])
    assert ours.normalise("张三十点到二十里铺").text == "张三十点到二十里铺"
    assert ours.normalise("第一百二十条，第一百货").text == "第120条，第一百货"
    assert ours.normalise("房间二五一，五一不去").text == "房间251，五一不去"
    assert ours.normalise("C三十和C四十，三百分").text == "C三十和C40，三百分"


def test_a_listed_word_is_taken_literally() -> None:
    """Brackets in a hotword are characters, not conditions."""
    assert Normaliser(listed=["[^a]三十人"]).normalise("三十人").text == "30人"


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ("七百五手续费", "750手续费"),
        ("五百八名单", "580名单"),
        ("八百三份额", "830份额"),
        ("三块五手工费", "3块5手工费"),
    ],
)
def test_a_counting_word_within_a_longer_word_counts_nothing(raw: str, text: str) -> None:
    """Nothing is counted by the first character of 手续, 名单 or 份额."""
    assert NORMALISER.normalise(raw).text == text


def test_a_needle_is_part_of_whatever_its_pattern_finds() -> None:
    """A pattern that is not tried, for want of its needle, would have found nothing in any case."""
    here = Path(__file__).parent
    lines = [line for file in here.glob("*.tsv") for line in file.read_text(encoding="utf-8").splitlines()]
    texts = [fold(line.split("\t")[1]) for line in lines if "\t" in line]
    found = [
        (pattern.pattern, text)
        for needle, pattern in STAYING
        for text in texts
        if needle not in text and pattern.search(text)
    ]
    assert len(texts) > 5000
    assert found == []
