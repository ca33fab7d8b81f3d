"""Longer words that begin with a counting word or a digit: beside 七百五手续费 nothing is counted by hands.

The words are jieba's, read from its dictionary as a file at the first question (some 30 ms, a few thousand
words); where jieba is not installed, those listed here are all.
"""

from __future__ import annotations

import re
from functools import cache

from asr_daemon.itn.characters import RUN
from asr_daemon.itn.context import MEASURE
from asr_daemon.itn.lists import words_of
from asr_daemon.language.dictionary import dictionary_path

COUNTERS = (
    "个位名人件款种样套台部张条支只头片本份页章节层楼间座所家户口门项批组队班届期季类级步场局盘轮回顿餐杯盒袋箱桶"
    "桌串双对副束株段句行篇首幅道题字声眼身手脚天周夜面边方股堆群阵线发任审则格环国省市区县镇村院校科室厅厂店房床"
    "顶针集幕曲味票号通把封包处代版根宗桩捆堵壶扇筒丸锅孔坪捧盆缸垛篮"
)
NO_COUNTER = "\ue001"  # stands for the first character of such a word
_MEASURE = re.compile(MEASURE)
_DIGITS = "二三四五六七八九"
_MIN_COUNT = 30  # rarer entries are old books' words and names
_MAX_CHARS = 4
_LINE = re.compile(f"\n(?:([{COUNTERS}][^ ]+)|([{_DIGITS}][^ ]{{2,}})) ([0-9]+)")


@cache
def _longer() -> frozenset[str]:
    """Return the words that begin with a counting word or a digit."""
    path = dictionary_path()
    found = set(words_of("longer_words.txt"))
    for counter, digit, count in _LINE.findall(path.read_text(encoding="utf-8")) if path else ():
        word = counter or digit
        if int(count) >= _MIN_COUNT and len(word) <= _MAX_CHARS:
            found.add(word)
    return frozenset(found.difference(words_of("counted_words.txt")))


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
