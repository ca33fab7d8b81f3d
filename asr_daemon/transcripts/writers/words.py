"""What it costs the reader when a line ends inside a word.

Enters: a text. Leaves: for each place between two characters a price in nats: 0 between words, what the words
cost more for being cut (language/costs.py) inside one. Names, which are in no dictionary, and what belongs
to the character before or after it (particles, prepositions, numerals with their counting words) have prices
set by hand. Nothing raises; without jieba's dictionary only those are left.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.language.costs import MAX_CHAR_COST, text_costs
from asr_daemon.language.small_dictionary import small_word_costs

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_CHARS = 2000  # at once; a segment has a few hundred
DEAREST = 10.0  # of any cut
CHEAP = 1.0  # at most that much where a word may end
ORDINARY_CHAR = (
    5.5  # nats; a character alone that costs more is part of a name or of a word that is not known
)
PRICE_IN_NAME = 5.0  # behind a surname
PRICE_BEFORE_PARTICLE = 3.0
PRICE_AFTER_PREPOSITION = 2.0
PRICE_AFTER_NUMERAL = 6.0

_SURNAMES = frozenset(
    "赵钱孙李周吴郑王冯陈褚卫蒋沈韩杨朱秦许何吕施张孔曹严华金魏陶姜戚谢邹喻苏潘葛范彭郎鲁韦马苗方俞任袁柳"
    "鲍史唐费廉岑薛雷贺倪汤罗毕郝邬安常于傅康伍余元顾孟黄穆萧尹姚邵汪毛戴宋庞熊纪舒屈项祝董梁杜阮蓝闵席季"
    "贾路江童颜郭梅林钟徐邱骆高夏蔡田樊胡凌霍虞万柯管卢莫房丁邓洪包石崔龚程陆翁甄曲段焦侯邢裴温庄晏柴阎"
    "龙叶黎白蒲卓乔尤葛易廖耿关欧"
)
PARTICLES = frozenset("的地得了着过吗呢吧啊呀嘛们")
PREPOSITIONS = frozenset("和与及在把被对从向是不很也都就还再将由为给让跟比请")
_NUMERALS = frozenset("零〇一二两三四五六七八九十百千万亿几第半0123456789")
_IS_CHINESE = re.compile("[\u3400-\u9fff]")


def cut_prices(text: str, whole: Iterable[str] = ()) -> list[float]:
    """Return the price of a cut before each character of a text, and behind the last.

    ``whole``: words that are not to be cut, names mostly.
    """
    prices: list[float] = []
    for start in range(0, len(text), MOST_CHARS):
        prices[-1:] = _prices(text[start : start + MOST_CHARS])
    prices = prices or [0.0]
    for word in whole:
        for match in re.finditer(re.escape(word), text):
            prices[match.start() + 1 : match.end()] = [DEAREST] * (match.end() - match.start() - 1)
    return prices


def _prices(text: str) -> list[float]:
    words = small_word_costs()
    before, after = text_costs(text, words)
    prices = [max(0.0, one + other - before[-1]) for one, other in zip(before, after, strict=True)]
    ends = [price < CHEAP for price in prices]  # where words end
    by_hand = [0.0] * len(prices)
    for at in range(1, len(text)):
        left, right = text[at - 1], text[at]
        if not _IS_CHINESE.match(right):
            continue
        if left in _NUMERALS:
            by_hand[at] = PRICE_AFTER_NUMERAL
        elif right in PARTICLES and ends[at]:
            by_hand[at] = PRICE_BEFORE_PARTICLE
        elif ends[at] and ends[at - 1] and _IS_CHINESE.match(left):  # a character alone
            by_hand[at] = _price_behind(left, right, is_alone=ends[at + 1])
            if left in _SURNAMES and ends[at + 1] and ends[min(at + 2, len(text))] and at + 1 < len(text):
                by_hand[at + 1] = _rarity(right, text[at + 1])
    return [min(DEAREST, price + extra) for price, extra in zip(prices, by_hand, strict=True)]


def _price_behind(left: str, right: str, *, is_alone: bool) -> float:
    """Return what a cut costs behind a character that stands alone; ``is_alone``: so does the next."""
    if left in _SURNAMES:
        return PRICE_IN_NAME
    if left in PREPOSITIONS:
        return PRICE_AFTER_PREPOSITION
    return _rarity(left, right) if is_alone else 0.0


def _rarity(left: str, right: str) -> float:
    """Return how little two characters are like words of their own."""
    costs = [small_word_costs().get(char) for char in (left, right)]
    return max(0.0, min(MAX_CHAR_COST if cost is None else cost for cost in costs) - ORDINARY_CHAR)
