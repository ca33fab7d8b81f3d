"""Rules of figures said one after another that are several numbers: lists, years, a room and an hour."""

from __future__ import annotations

import itertools
import re

from asr_daemon.itn.characters import DIGIT_VALUES, NUMERALS, D
from asr_daemon.itn.numerals import cardinal, digit_string, is_digit_string
from asr_daemon.itn.reading import Edit, Reading, Seen, stays, written
from asr_daemon.itn.words import begins_word

_YEAR_CHARS = 4
_HOW_MANY = {"两": 2, "三": 3, "四": 4, "五": 5}
_YEARS = re.compile("(?:19|20)[0-9][0-9]")
_YEARS_AFTER = re.compile("年|这|[两三四五]年|[级届]|财年|年度")
_COUNTED = re.compile(
    "(?:个(?!人热点|位数)|人(?![民类员工才事际力口格心性])|天|家|位(?!数)|名|种|样|件|项(?!目)|款|只|条|张|本|台|套|部(?![队门])|周(?![边围一二三四五六日末])|年级|季度|小时|分钟|份|月(?![饼亮供球票光]))"
)
_KNOWN = re.compile("(?:一二八|二五六|五一二|一九二|三八四)位|三六[五六]天")
_MODEL_YEAR = re.compile("(?:一九|二零)..款")
_LISTED = re.compile("[章节条款期届类点组项周季名讲课回集部卷册批轮场]|产业")
_DIALLED = re.compile("打(?:了|过)?$")
_DAYS = ("九一八", "一二九", "一二八", "七七七")
_LASTS = re.compile(
    "天(?![气然]|猫)|年(?![薪终费租产收金利均付缴交底初化级])|个(?:半)?月|周(?![边围年转])|星期"
)
_AMOUNT_AND_YEAR = re.compile(
    f"(?P<head>[{NUMERALS}]*[百千万亿])(?P<tail>(?:一九|二零)[零一二三四五六七八九]{{2}})"
)
_AMOUNT_AND_TIME = re.compile(
    f"(?P<head>[{NUMERALS}]*[万亿])(?P<tail>[二三四五六七八九]?十[一二三四五六七八九]?)"
)
_HOUR = re.compile(f"点(?:(?![{NUMERALS}])|(?=[二三四五]?十))")
_ROOM_AND_TEN = re.compile("(?P<room>[零〇一二三四五六七八九幺]{3,4})(?=十[一二]?$)")
_DIGITS_AND_TWO = re.compile(f"{D}{{3,11}}(?=两)")
_LONGEST_BEFORE_COUNT = 6  # a longer run is a telephone's number or the like
_SHORTEST, _LEAST_PARTED = 3, 4


def is_list(digits: str) -> bool:
    """Return whether digits rise in equal steps of one or two: 五六七, 一三五; nobody's room is called so."""
    values = [DIGIT_VALUES[digit] for digit in digits]
    steps = {after - before for before, after in itertools.pairwise(values)}
    return 0 not in values and steps in ({1}, {2})


def listed_ordinals(seen: Seen, start: int, end: int) -> Reading | None:
    """Leave 第一二三产业 and 第五六七章."""
    run = seen.masked[start:end]
    if len(run) < _SHORTEST or seen.text[start - 1 : start] != "第" or not is_digit_string(run):
        return None
    by_one = DIGIT_VALUES[run[1]] - DIGIT_VALUES[run[0]] == 1
    listed = is_list(run) and (by_one or _LISTED.match(seen.text, end))  # but 第一三五中学
    return stays(start, end, "list_of_ordinals") if listed else None


def years(seen: Seen, start: int, end: int) -> Reading | None:
    """Read years said in a row, 二零二三二零二四二零二五这三年, with 、 between: they would run together."""
    run = seen.masked[start:end]
    if len(run) % _YEAR_CHARS == 1 and _HOW_MANY.get(run[-1]) == len(run) // _YEAR_CHARS:
        run, end = run[:-1], end - 1  # 二零二三二零二四|两年
    if len(run) < 2 * _YEAR_CHARS or len(run) % _YEAR_CHARS or not is_digit_string(run):
        return None
    figures = digit_string(run)
    found = [figures[place : place + _YEAR_CHARS] for place in range(0, len(run), _YEAR_CHARS)]
    rising = all(before < after for before, after in itertools.pairwise(found))
    if not rising or not all(map(_YEARS.fullmatch, found)) or not _YEARS_AFTER.match(seen.text, end):
        return None
    return written((start, end), "date", "years_in_a_row", Edit(start, end, "、".join(found)))


def _counts(seen: Seen, place: int) -> bool:
    """Return whether something is counted at ``place``: 三个人, but 三|只要."""
    return bool(seen.follows(_COUNTED, place)) and (
        (spoken := seen.spoken or seen.text).startswith("周年", place) or not begins_word(spoken, place)
    )


def counted(seen: Seen, start: int, end: int) -> Reading | None:
    """Leave 五六七三个月 and 一三五三天, which are lists; part 三零六|三个人."""
    run = seen.masked[start:end]
    if not _SHORTEST <= len(run) <= _LONGEST_BEFORE_COUNT or not is_digit_string(run):
        return None
    times = seen.text[end : end + 1] == "次" and seen.ends(_DIALLED, start)
    if (
        run[-1] in "零〇幺"
        or not (times or _counts(seen, end))
        or _MODEL_YEAR.match(seen.text, start)
        or _KNOWN.match(seen.text, start)
    ):
        return None
    head = run[:-1]
    if len(run) < _LEAST_PARTED:
        return None if "零" in run or "〇" in run else stays(start, end, "digits_counted")
    if head in _DAYS or is_list(head) or is_list(run):
        return stays(start, end, "list_counted")
    return written((start, end - 1), "digits", "digits_then_count", Edit(start, end - 1, digit_string(head)))


def amount_then_time(seen: Seen, start: int, end: int) -> Reading | None:
    """Part 八万|七天内 and 三十万|五年: nobody counts 87000 days so."""
    number = cardinal(seen.masked[start:end])
    if (
        not number
        or not number.shorthand
        or seen.masked[end - 1] == "二"  # two years are 两年
        or seen.masked[end - 2] not in "千万"
        or not seen.follows(_LASTS, end)
    ):
        return None
    head = cardinal(seen.masked[start : end - 1])
    if head is None:
        return None
    return written((start, end - 1), "cardinal", "amount_then_time", Edit(start, end - 1, head.written))


def amount_then_date(seen: Seen, start: int, end: int) -> Reading | None:
    """Part 五万|二零二三年 and 八十万|三十年, which are no numbers in one."""
    run = seen.masked[start:end]
    match = _AMOUNT_AND_YEAR.fullmatch(run)
    follows = seen.text[end : end + 1] == "年"
    if not match:
        match = _AMOUNT_AND_TIME.fullmatch(run)
        follows = bool(seen.follows(_LASTS, end))
    head = cardinal(match["head"]) if match else None
    if not match or not follows or head is None or not head.several or cardinal(run):
        return None
    text = digit_string(match["tail"]) if is_digit_string(match["tail"]) else None
    last = cardinal(match["tail"])
    text = text or (last.written if last else None)
    # figures that ran into figures would be one number: of 三千五|二零二三年 the year is written alone
    if text is None:
        return None
    tail = Edit(start + match.start("tail"), end, text)
    if head.written[-1].isdecimal():
        return written((start + match.start("tail"), end), "date", "year", tail)
    first = Edit(start, start + match.end("head"), head.written)
    return written((start, end), "cardinal", "amount_then_date", first, tail)


def digits_and_two(seen: Seen, start: int, end: int) -> Reading | None:
    """Read the figures before 两, which is no figure: 二零八|两点半, 八一二|两个人."""
    match = _DIGITS_AND_TWO.match(seen.masked, start)
    if not match or (match.end() < end and cardinal(seen.masked[match.end() : end]) is None):
        return None
    return written(
        match.span(), "digits", "digits_then_two", Edit(*match.span(), digit_string(match.group()))
    )


def room_and_hour(seen: Seen, start: int, end: int) -> Reading | None:
    """Read the figures before an hour: 三零六|三点半, 三零六|十点."""
    run = seen.masked[start:end]
    if len(run) < _LEAST_PARTED or len(run) > _LONGEST_BEFORE_COUNT or not _HOUR.match(seen.masked, end):
        return None
    ten = _ROOM_AND_TEN.match(run)
    if not ten and not (is_digit_string(run) and run[-1] not in "零〇幺"):
        return None
    stop = start + (ten.end() if ten else len(run) - 1)
    return written(
        (start, stop), "digits", "room_then_hour", Edit(start, stop, digit_string(run[: stop - start]))
    )
