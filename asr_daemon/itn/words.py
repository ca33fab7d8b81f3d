"""Longer words that begin with a counting word or a digit: beside 七百五手续费 nothing is counted by hands.

The words are jieba's, read from its dictionary as a file at the first question (some 30 ms, a few thousand
words); where jieba is not installed, those listed here are all.
"""

from __future__ import annotations

import re
from functools import cache

from asr_daemon.itn.characters import RUN
from asr_daemon.itn.context import MEASURE
from asr_daemon.language.dictionary import dictionary_path

COUNTERS = (
    "个位名人件款种样套台部张条支只头片本份页章节层楼间座所家户口门项批组队班届期季类级步场局盘轮回顿餐杯盒袋箱桶"
    "桌串双对副束株段句行篇首幅道题字声眼身手脚天周夜面边方股堆群阵线发任审则格环国省市区县镇村院校科室厅厂店房床"
    "顶针集幕曲味票号通把封包处代版根"
)
NO_COUNTER = "\ue001"  # stands for the first character of such a word
_MEASURE = re.compile(MEASURE)
_DIGITS = "二三四五六七八九"
_MIN_COUNT = 30  # rarer entries are old books' words and names
_MAX_CHARS = 4
_LINE = re.compile(f"\n(?:([{COUNTERS}][^ ]+)|([{_DIGITS}][^ ]{{2,}})) ([0-9]+)")
_OURS = (
    "二手 三七 三方 三文鱼 三鲜馅 三鲜饺 三星手机 三星电视 三件套 四件套 "
    "五件套 二件套 四季豆 五金店 五金件 五花肉 五香粉 五香豆 五香牛肉 八宝粥 八宝饭 "
    "九层塔 九价疫苗 二维码 个税 个股 个险 个人信息 个人所得 个人账户 个人资料 "
    "个人名义 个人简历 人流 人手 手续费 手机号 名额 份额 期权 件数 天气 "
    "双节 通车 只要 只有 只能 只是 只剩 只卖 只收 只需 只花 店庆 房价 票价 门票 套餐 班车 号码 号码牌 号牌 号召 号称 "
    "个人社保 个人公积 个人部分 个人承担 个人缴纳 个人缴费 个人自付 个人垫付 个人负担 个人支付 个人医保 "
    "个人养老 个人出资 个人征信 个人贷款 个人原因 个人奖金 个人先垫"
)
# What the dictionary has as a word, and is one counted: 三个人, 两部分, 三本书.
_COUNTED = (
    "个人 个个 个头 个儿 个子 个数 个位 人们 人马 人次 人份 人间 天天 "
    "天地 部分 部门 方面 方向 本书 本报 本本 家子 楼上 楼下 层楼 层面 "
    "位数 字头 字号 种种 样样 件件 章节 条条 片片 级别 季度 集合 集中 "
    "类型 类别 期数 步步 门课 头牛 头猪 双双 对对 口人 口子 手书 手车 "
    "手房 手货 名学 户人 题目 国人 国家 省份 省市 市县 所以 面对 面向 "
    "对于 对方 对面"
)


@cache
def _longer() -> frozenset[str]:
    """Return the words that begin with a counting word or a digit."""
    path = dictionary_path()
    found = set(_OURS.split())
    for counter, digit, count in _LINE.findall(path.read_text(encoding="utf-8")) if path else ():
        word = counter or digit
        if int(count) >= _MIN_COUNT and len(word) <= _MAX_CHARS:
            found.add(word)
    return frozenset(found.difference(_COUNTED.split()))


def word_end(text: str, place: int) -> int:
    """Return where the longest longer word that begins at ``place`` ends; ``place`` where none does."""
    words = _longer()
    for length in range(min(_MAX_CHARS, len(text) - place), 1, -1):
        if text[place : place + length] in words:
            return place + length
    return place


def begins_word(text: str, place: int) -> bool:
    """Return whether the counting word at ``place`` is only the first character of a longer word."""
    return text[place : place + 1] in COUNTERS and starts_word(text, place)


def starts_word(text: str, place: int) -> bool:
    """Return whether a word begins at ``place`` that none behind undoes: 两斤|三文鱼, but not 二|手脚."""
    end = word_end(text, place)
    return end > place and word_end(text, place + 1) <= end


def without_counters(text: str, masked: str) -> tuple[str, str]:
    """Return both texts of one length, with what only looks like a counting word behind a number replaced."""
    places = [
        run.end()
        for run in RUN.finditer(masked)
        if begins_word(text, run.end()) and not _MEASURE.match(text, run.end())
    ]
    if not places:
        return text, masked
    seen, read = list(text), list(masked)
    for place in places:
        seen[place] = read[place] = NO_COUNTER
    return "".join(seen), "".join(read)
