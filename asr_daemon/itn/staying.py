"""The first pass: masks the numerals that stay, so that no rule can read them.

Enters a folded text; leaves one of the same length in which the numerals of protected words, weekdays, lunar
dates, approximate numbers and the like are masked. What a rule sees afterwards is to be written, or is open.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.itn.characters import LONGEST_RUN, MASK, NUMERALS, RUN
from asr_daemon.itn.context import CLASSIFIER, MEASURE
from asr_daemon.itn.fixed import STAYING
from asr_daemon.itn.holidays import eleven_is_holiday
from asr_daemon.itn.names import years_of_eras
from asr_daemon.itn.numerals import cardinal, is_digit_string
from asr_daemon.itn.words import begins_word, starts_word

if TYPE_CHECKING:
    from asr_daemon.itn.protected import ProtectedWords

_HOLIDAYS = ("五一", "六一", "七一", "八一")
_PEOPLE = ("张三", "李四", "王五", "赵六")
_WEEKDAY = re.compile(r"(?:周|星期|礼拜)$")
_SHORT_UNITS = ("块", "元", "毛", "斤", "吨", "里", "亩", "米", "度", "升")
_NUMBER_BEFORE = re.compile(  # 第十三行, 四分之一|下周, 升级到二点三点一|再试
    f"(?:第|分之|(?:版本|升级|更新|升|[vV])[到至为]?[{NUMERALS}]{{1,3}}点[{NUMERALS}]{{1,3}}点)$"
)
_LOOK_BACK = 12
_COUNTING = "一二两三四五六七八九"
_COUNTS_ONE = re.compile(f"{CLASSIFIER}|{MEASURE}|[平晚锅缸捆打盆壶摞沓筐]|度(?!假)|等[奖座舱品功]")
_OPEN = re.compile("个(?!月|半月|星期)|[位名家台套款种份手组人]")
_NUMBERS = re.compile(
    "期|季度|等[奖座舱品功]|级|年级|环|单元|号|楼|线|手|组|班|审|位|名|家|个|台|套|款|种|份|部(?![分门委队位件])|科(?!技|目|学|研)|处(?!理)|中|院|区|店|厂|队|连|标段|档|批|大[类块板任目模核优要问原措]"
)


class _Mask:
    """A text under masking; runs are read from what is masked already."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._masked = list(text)

    def hide(self, start: int, end: int) -> None:
        """Mask the numerals of ``[start, end)``."""
        for place in range(start, end):
            if self.text[place] in NUMERALS:
                self._masked[place] = MASK

    def __str__(self) -> str:
        return "".join(self._masked)


def _reads(run: str) -> bool:
    """Return whether a run is a number of two figures and more, not shorthand, or a digit string."""
    number = cardinal(run)
    if number is not None:
        return number.several and not number.shorthand
    return len(run) > 2 and is_digit_string(run)  # noqa: PLR2004


def _weekday(mask: _Mask, start: int, end: int) -> int:
    """Mask the day after 周; return where the rest of the run begins."""
    text = mask.text
    head = _WEEKDAY.search(text[max(0, start - 2) : start])
    if not head or text[start] not in "一二三四五六":
        return start
    before = text[max(0, start - 1 - len(head.group())) : start - len(head.group())]
    if before and (before in NUMERALS or before.isdecimal() or before in "几半"):
        return start  # 一周二十个小时
    rest, following = text[start + 1 : end], text[end : end + 1]
    timed = following in ("点", "时", "号", "月") and following != ""
    if rest and not timed and all(character in "一二三四五六" for character in rest):
        mask.hide(start, end)  # 周一三五
        return end
    whole = cardinal(text[start:end])
    if rest and whole is not None and not timed:
        if before == "每":
            return start
        mask.hide(start, end)  # 下周二十个人: open
        return end
    mask.hide(start, start + 1)
    return start + 1


def _ends_a_number(text: str, run: tuple[int, int], first: int, right: str) -> bool:
    """Return whether a word that begins within a run is that word: 三百|一起, 二十五万|三险一金."""
    start, end = run
    whole, left = text[start:end], text[start:first]
    number = cardinal(whole)
    if number and number.shorthand and first == end - 1:
        return True
    if right or text[first] not in "一十百千万":
        return False  # 三点一四一六|祖冲之
    if (
        is_digit_string(whole)
        and (
            (len(left) < 3 and left not in _HOLIDAYS)  # noqa: PLR2004  # 三三一路
            or text[first + 1 : first + 2] in ("年", "月", "点")  # 一九四一年|一月一号
        )
    ):
        return len(whole) < 3  # noqa: PLR2004  # too short for a digit string
    return number is None  # but 二十一天


def _accepts(text: str, run: tuple[int, int], word: tuple[int, int]) -> bool:  # noqa: PLR0911  # one return per case
    """Return whether a word in a run is that word, and not part of a longer number."""
    start, end = run
    first, last = max(word[0], start), min(word[1], end)
    left, right = text[start:first], text[last:end]
    whole = text[start:end]
    if text[word[0] : last] in _PEOPLE and last == end and text[word[0] - 1 : word[0]] in ("老", "小", "大"):
        return text[end : end + 1] not in ("点", "号")  # 老王|五点
    if word[0] == start and _NUMBER_BEFORE.search(text[max(0, start - _LOOK_BACK) : start]):
        return False
    if not left and not right:
        within = word == run and is_digit_string(whole)
        return not (within and "点" in (text[start - 1 : start], text[end : end + 1]))  # 零点|三六九
    if text[word[0] : last] in _PEOPLE and last == start + 1 and text[end : end + 1] in ("点", "号", "月"):
        return cardinal(right) is not None or not right  # 张三|十点到, 李四|十五号到
    if not left and word[0] < start:  # 统一|一百块, but 最高|一百四十二万
        if text[first:last] != "一" and _reads(whole):
            return False  # 张三, 今年三十: but 一张|三十块, 今年|三十七
        return right[0] not in "百千万亿" or cardinal(whole) is None
    if word == (first, last) and is_digit_string(whole):
        return False  # 九一八 within a longer digit string
    if not left:
        return not _reads(whole)  # 万一|十分钟, but 一百|...
    return _ends_a_number(text, run, first, right)


def _words(mask: _Mask, start: int, end: int, words: ProtectedWords) -> None:
    """Mask the protected words that touch the run ``[start, end)``, and numbers' neighbours in it."""
    text = mask.text
    for first, last in words.around(text, start, end):
        if first < start and last <= start:
            continue
        if last <= start or not _accepts(text, (start, end), (first, last)):
            continue
        mask.hide(max(first, start), last)
        if first > start:
            _trailing_digit(mask, start, first)
        start = last
        if start >= end:
            return
    _trailing_digit(mask, start, end)


def _trailing_digit(mask: _Mask, start: int, end: int) -> None:
    """Mask the last digit of 五千|一个月, 三块五|一斤, 百分之二十五|二季度: it belongs to what follows."""
    text = mask.text
    digit = text[end - 1]
    if end - start < 2 or _reads(text[start:end]):  # noqa: PLR2004
        return
    whole = cardinal(text[start:end])
    is_one = digit == "一" or (whole is None and text[end - 2] in "万亿")  # 一百五十万|三个
    priced = text[start - 1 : start] in ("块", "元", "毛")  # 两块五|两根
    pattern = _COUNTS_ONE if is_one or priced or digit == "两" else _NUMBERS  # 四百八十|两张
    if whole and whole.shorthand and starts_word(text, end - 1):
        mask.hide(end - 1, end)  # 三千|二手房
        return
    if whole and whole.shorthand and digit != "一" and _OPEN.match(text, end) and not begins_word(text, end):
        mask.hide(start, end)  # 七百五个人: 750, or five for 700
        return
    if digit not in _COUNTING or not pattern.match(text, end) or begins_word(text, end):
        return
    head, last = cardinal(text[start : end - 1]), cardinal(digit)
    before = cardinal(text[end - 2])
    if head is None or last is None or (before is not None and last.value == before.value + 1):
        return  # 二十五六个
    if head.several or text[start - 1 : start] in _SHORT_UNITS or text[max(0, start - 2) : start] == "分之":
        mask.hide(end - 1, end)


def _kilo(text: str, start: int, end: int) -> bool:
    """Return whether the 千 that ends a run belongs to the unit: 三十|千瓦, 零点五|千克; 八千瓦 is open."""
    if text[end - 1] != "千" or text[end : end + 1] not in ("瓦", "克", "米", "卡", "赫", "帕", "伏", "焦"):
        return False
    head = text[start : end - 1]
    number = cardinal(head)
    if text[start - 1 : start] != "点" and cardinal(text[start:end]):
        return False  # 一万一千米
    return bool(number and number.several) or (
        bool(head) and text[start - 1 : start] == "点" and is_digit_string(head)
    )


def mask_staying(text: str, words: ProtectedWords) -> str:
    """Return the folded ``text`` with the numerals masked that must stay; linear in its length."""
    mask = _Mask(text)
    for needle, pattern in STAYING:
        if needle not in text:
            continue
        for match in pattern.finditer(text):
            mask.hide(*match.span())
    for place in years_of_eras(text):
        mask.hide(*place)
    position = 0
    while run := RUN.search(text, position):
        start, position = run.span()
        _run(mask, start, position, words)
    return str(mask)


def _run(mask: _Mask, start: int, end: int, words: ProtectedWords) -> None:
    """Mask what stays of a run of numerals."""
    text = mask.text
    beside = text[start - 1 : start] + text[end : end + 1]
    if end - start > LONGEST_RUN or any(character.isdecimal() or character in "%‰" for character in beside):
        mask.hide(start, end)
        return
    if eleven_is_holiday(text, start, end):
        mask.hide(start, end)
        return
    start = _weekday(mask, _eleven_then_word(mask, start, end, words), end)
    if _kilo(text, start, end):
        mask.hide(end - 1, end)
        end -= 1
    if start < end:
        _words(mask, start, end, words)


def _eleven_then_word(mask: _Mask, start: int, end: int, words: ProtectedWords) -> int:
    """Mask the holiday of 十一|一直; return where the rest of the run begins."""
    word = start + 2
    if not mask.text.startswith("十一", start) or word >= end:
        return start
    if not any(first == word for first, _ in words.around(mask.text, word, end)):
        return start
    if not eleven_is_holiday(mask.text, start, word):
        return start
    mask.hide(start, word)
    return word
