"""Corrections after decoding: explicit ones, and hotwords that were written otherwise than they sound."""

from __future__ import annotations

import subprocess
import sys

import pytest

from asr_daemon.hotwords.correction import Corrector
from asr_daemon.hotwords.phonetics import distance, syllables

NAMES = ["顾清源", "程千里", "星河计划", "飞鱼终端", "长风协议", "陆清河", "林海音"]


def between(first: str, second: str) -> float:
    """Return the distance of two characters."""
    (one,), (other,) = syllables(first), syllables(second)
    assert one is not None
    assert other is not None
    return distance(one, other)


@pytest.mark.parametrize(
    ("heard", "written"),
    [
        ("请城千里负责库存盘点", "请程千里负责库存盘点"),  # the same sounds
        ("请陈千理负责库存盘点", "请程千里负责库存盘点"),  # en for eng
        ("信合计划的预算", "星河计划的预算"),
        ("飞于中端的进度", "飞鱼终端的进度"),
        ("讨论长风学一的进度", "讨论长风协议的进度"),
        ("关于故清元我有三点意见", "关于顾清源我有三点意见"),
    ],
)
def test_what_sounds_like_a_hotword_becomes_it(heard: str, written: str) -> None:
    """Homophones and the usual confusions are corrected in place."""
    assert Corrector(NAMES, [], phonetic=True).correct(heard).text == written


@pytest.mark.parametrize(
    "text",
    [
        "请程千里负责库存盘点",  # right already
        "今天的会议主要讨论一下年度预算",
        "我们一千里路都走过来了",  # 千里 in an ordinary place
        "银行和计划部门都要检查",
        "王清源和赵千里参加会议",  # other people
        "一九九八年二月三十一号晚上八点零五分",
        "",
        "hello world",
    ],
)
def test_ordinary_text_stays(text: str) -> None:
    """What is said rightly is not changed."""
    result = Corrector(NAMES, [], phonetic=True).correct(text)
    assert result.text == text
    assert result.corrections == ()


def test_every_correction_is_recorded_with_what_was_before() -> None:
    """Offsets are of the raw text, also behind a replacement that changes the length."""
    raw = "甲方请城千里负责飞于中端"
    result = Corrector(NAMES, [("甲方", "委托方公司")], phonetic=True).correct(raw)
    assert result.text == "委托方公司请程千里负责飞鱼终端"
    assert [(c.before, c.after, c.kind) for c in result.corrections] == [
        ("甲方", "委托方公司", "replacement"),
        ("城千里", "程千里", "phonetic"),
        ("飞于中端", "飞鱼终端", "phonetic"),
    ]
    for correction in result.corrections:
        assert raw[correction.raw_start : correction.raw_end] == correction.before


def test_explicit_replacements_come_first_and_are_final() -> None:
    """The longest wrong form wins, what was put in is not looked at again, and no hotword overrides it."""
    corrector = Corrector(
        ["程千里"], [("城千", "城堡"), ("城千里", "城千里路"), ("路", "道路")], phonetic=True
    )
    assert corrector.correct("走城千里路").text == "走城千里路道路"


def test_replacements_serve_without_phonetic_correction() -> None:
    """Switched off, only what is written in the file is replaced."""
    corrector = Corrector(NAMES, [("故清源", "顾清源")], phonetic=False)
    assert corrector.correct("故清源和城千里").text == "顾清源和城千里"


@pytest.mark.parametrize(
    ("pair", "heard", "written"),
    [
        (("it", "信息部"), "the digital it部门", "the digital 信息部部门"),
        (("it", "信息部"), "it's IT", "it's 信息部"),
        (("it", "信息部"), "it2 2it bit it", "it2 2it bit 信息部"),
        (("IT", "信息部"), "请it和It来", "请信息部和信息部来"),
        (("ai平台", "智能平台"), "用AI平台和bai平台", "用智能平台和bai平台"),
        (("AI 平台", "智能平台"), "用ai平台", "用智能平台"),
        (("gpt", "GPT"), "用gpt四", "用GPT四"),
        (("c++", "C++"), "学c++和c", "学C++和c"),
        (("machine learning", "机器学习"), "做Machine Learning的", "做机器学习的"),
        (("été", "夏"), "étés été", "étés 夏"),
        (("404", "四楼"), "1404和404.5和404", "1404和404.5和四楼"),
        (("城千", "程千"), "城千里", "程千里"),  # Chinese as it is: everywhere
    ],
)
def test_latin_words_are_replaced_as_whole_words_in_any_case(
    pair: tuple[str, str], heard: str, written: str
) -> None:
    """What stands in a longer Latin word is another word."""
    assert Corrector([], [pair], phonetic=False).correct(heard).text == written


@pytest.mark.parametrize(
    ("pair", "heard", "written"),
    [
        (("404车间", "锻压车间"), "请四零四车间报数", "请锻压车间报数"),
        (("404车间", "锻压车间"), "请四百零四车间报数", "请锻压车间报数"),
        (("404车间", "锻压车间"), "请404车间报数", "请锻压车间报数"),
        (("404车间", "锻压车间"), "请一四零四车间报数", "请一四零四车间报数"),
        (("404车间", "锻压车间"), "四零四车间和三百五十个人在四零四车间", "锻压车间和三百五十个人在锻压车间"),
        (("3月15日", "消费者日"), "二零二五年三月十五号开会", "2025年消费者日开会"),
        (("15%", "百分之十六"), "增长了百分之十五", "增长了百分之十六"),
        (("gpt4", "GPT-4"), "我们用GPT四写", "我们用GPT-4写"),
        (("四零四车间", "锻压车间"), "请四零四车间报数", "请锻压车间报数"),
    ],
)
def test_a_replacement_matches_what_the_transcript_writes(
    pair: tuple[str, str], heard: str, written: str
) -> None:
    """Who corrects a list reads 404车间; that the model said 四零四车间 is none of their business."""
    raw = Corrector([], [pair], phonetic=False).correct(heard)
    assert raw.text == written
    for correction in raw.corrections:
        assert heard[correction.raw_start : correction.raw_end] == correction.before


def test_two_hotwords_that_fit_as_well_change_nothing() -> None:
    """Between 陆清河 and 陆青禾 a homophone decides nothing."""
    corrector = Corrector(["陆清河", "陆青禾"], [], phonetic=True)
    assert corrector.correct("今天讨论鹿倾荷的进度").text == "今天讨论鹿倾荷的进度"
    assert (
        Corrector(["陆清河"], [], phonetic=True).correct("今天讨论鹿倾荷的进度").text
        == "今天讨论陆清河的进度"
    )


def test_a_hotword_written_right_is_not_turned_into_its_like() -> None:
    """陆清合 in the list protects itself from 陆清河."""
    corrector = Corrector(["陆清河", "陆清合"], [], phonetic=True)
    assert corrector.correct("请陆清合负责").corrections == ()


def test_a_hotword_written_right_is_not_taken_apart_for_a_shorter_one() -> None:
    """林芸熙 is a hotword: its 芸熙 does not become 芸汐."""
    corrector = Corrector(["林芸熙", "芸汐"], [], phonetic=True)
    assert corrector.correct("请林芸熙负责").corrections == ()
    assert corrector.correct("请芸熙负责").text == "请芸汐负责"


def test_a_shorter_hotword_written_right_does_not_keep_the_longer_one_out() -> None:
    """千里 is right in 城千里, and 程千里 leaves it as it is."""
    corrector = Corrector(["程千里", "千里"], [], phonetic=True)
    assert corrector.correct("请城千里负责").text == "请程千里负责"


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("银合戏领队共产党诉动木特一次", "银河基金"),
        ("早上把物流异常发给陈雨晴三月一日", "徐晴山"),
        ("这个低生的权工设是指体的十一倍", "沈德建"),
        ("请宋知远负责接口测试", "宋之问"),
    ],
)
def test_what_is_garbled_or_another_name_does_not_fall_to_a_hotword_a_little_like_it(
    text: str, word: str
) -> None:
    """Odd text may be any name: to be no Chinese is not to be the hotword."""
    assert Corrector([word], [], phonetic=True).correct(text).text == text


def test_an_ordinary_word_does_not_become_the_hotword_that_sounds_like_it() -> None:
    """意见 stays although 一建 is in the list."""
    assert Corrector(["一建", "公事"], [], phonetic=True).correct("我有三点意见给公司").corrections == ()


@pytest.mark.parametrize("word", ["王", "C#", "http://x.txt", "龘", "<s>", " ", "a" * 5000, "词" * 500])
def test_odd_hotwords_do_no_harm(word: str) -> None:
    """Words that cannot be compared by sound leave the text alone."""
    text = "请王总负责项目进度 hello 一"
    assert Corrector([word], [], phonetic=True).correct(text).text == text


def test_ten_thousand_hotwords_still_find_theirs() -> None:
    """Among many, the one that was said is put in."""
    many = [
        f"{chr(0x4E00 + i % 4000)}{chr(0x5000 + i // 4000)}{chr(0x6000 + i % 977)}" for i in range(10_000)
    ]
    assert (
        Corrector(["飞鱼终端", *many], [], phonetic=True).correct("飞于中端的进度").text == "飞鱼终端的进度"
    )


@pytest.mark.parametrize("pair", ["南兰", "知资", "吃词", "是四", "安昂", "音英", "胡福", "认愣"])
def test_common_confusions_lie_close(pair: str) -> None:
    """n/l, zh/z, an/ang, f/h and their like are nearer than unrelated sounds."""
    assert 0 < between(*pair) <= 0.35
    assert between(pair[0], "广") > 0.4 or between(pair[0], "雪") > 0.4


def test_tones_do_not_count() -> None:
    """妈 and 骂 sound the same here."""
    assert between("妈", "骂") == 0


def test_importing_the_package_is_cheap() -> None:
    """The daemon reads hotword files: neither torch, numpy nor dictionaries come along."""
    code = (
        "import sys, asr_daemon.hotwords, asr_daemon.hotwords.check\n"
        "print([name for name in ('torch', 'numpy', 'pypinyin', 'jieba', 'funasr') if name in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
