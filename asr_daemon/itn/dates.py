"""Rules of years, months, days and decades."""

from __future__ import annotations

import re

from asr_daemon.itn import renderers as render
from asr_daemon.itn.amounts import then_stays
from asr_daemon.itn.characters import DIGIT_VALUES, NUMERALS, D, N
from asr_daemon.itn.context import DAY_AFTER, MONTH_BEFORE
from asr_daemon.itn.numerals import cardinal, is_digit_string
from asr_daemon.itn.reading import Edit, Reading, Seen, group, stays, written

_DAY_SIGN = "(?:号(?![楼线院门厅机位桌窗柜车])|日(?![元本志]))"
_DATE = re.compile(f"(?:(?P<year>{N})年)?(?P<month>{N})月份?(?:(?P<day>{N})(?P<sign>{_DAY_SIGN})?)?")
_JOIN = "(?:到|至|和|跟|与|及|或者|或|、|—|-|~)"
_LASTING = "(?:[考开住放休忙办玩展排待做学干停挂试]|持续|一直)"  # 六月十八号|考到|二十一号
_MORE_DAYS = re.compile(f"(?:{_JOIN}|{_LASTING}[到至])?(?P<day>{N})(?P<sign>{_DAY_SIGN})")
_MONTHS_TO = re.compile(f"(?P<first>{N})(?P<join>到|至)(?P<last>{N})月")
_YEAR = re.compile(f"(?P<year>{N})年(?!级|生(?:草|植|苗|木|树|根|灌))")
_SHORT_YEARS = re.compile("(?P<first>[五六七八九零]D)年?[到至](?P<last>[六七八九零]D)年".replace("D", D))
_YEAR_TELLS = re.compile(f"年(?:底|初|末|春|夏|秋|冬|生|出生|毕业|入学|上半年|下半年|度|{N}月|那[年会时阵])")
_YEAR_BOUGHT = re.compile(  # 一二年交的房; but 三四年买的房 is open
    "年(?:(?:[买交建盖装结参当退调考搬立开上]|入职|上映)的(?!人|都|不|也|那)|(?:交|买|盖|建)[的了]?房)"
)
_SURELY_YEARS = ("一二", "二三", "五六", "六七", "七八", "八九")
_SPOKEN_RANGE = re.compile("三五")
_DECADE = re.compile(
    "(?P<year>(?:[五六七八九]零|[六七八九]五|零零|零五|一零|一五))(?:后(?![面来天续者退卫])|年代|前后)"
)
_COHORT = re.compile(f"(?P<year>[零九八七一二]{D})(?:届|级)")
_DAY = re.compile(f"(?P<day>{N})号(?!码)")
_LAST_DAY = re.compile(f"(?P<day>{N})日(?![元本志])")
_TIME_BEFORE = re.compile("(?:[点时日]|[上下]午|凌晨|[早晚]上?)(?:到|至)$")
_DAY_BEFORE = re.compile(
    f"{MONTH_BEFORE}|(?:今天|明天|后天|昨天|前天)(?:已经|就|才|都)?是?$|"
    "(?:账单|还款|扣款|结息|结算|发薪|工资|付息|截止|到期|交割|出账|缴费|付款|开庭|交货|交稿|预产|交付|上线|发布|报税|宣判|"
    "(?<![陌先学医花发卫降])生|忌|婚)[日期]子?(?:是|为|定?在|改?[到为])?$"
)
_DAY_AFTER = re.compile(f"号{DAY_AFTER}|号(?:到|至){N}号|号{N}点")
_MOVED_TO = re.compile(
    "(?:截止到?|截至|到期日?是?|(?:改|拖|推迟|延迟|延|延期|延后|等|提前|顺延|定)[到在至]|约在|安排在)$"
)
_MOVED_ENDS = re.compile("号(?:[，。！？；、,.!?;\\s了吧的呢]|$)")
_RANGE_BEFORE = re.compile("号(?:到|至)$")
_NO_DAY_SIGN = "(?![楼线院门厅机位桌窗柜车房库仓厂井店])"
_DAYS_AFTER = re.compile(f"号(?:{_JOIN}?{D}号)*{_JOIN}?[{NUMERALS}]{{2,3}}号{_NO_DAY_SIGN}")
_DAYS_BEFORE = re.compile(f"[{NUMERALS}]{{2,3}}号{_JOIN}?$")
_NOT_DAY = re.compile("号(?:线|楼)")
_BC = re.compile("公元前?$")
_BARE_DAYS = re.compile("(?:到|至|[，。！？；、,.!?;\\s]|$)")
_YEAR_BEFORE = re.compile(f"(?:年(?:到|至|和|跟|、|，)|(?:一九|二零|[八九]){D}{{1,2}}[到至])$")
_PAIR = 2


def _approximate(run: str) -> bool:
    """Return whether two digits may be an approximate number: 七八年 is no year 78."""
    low, high = (cardinal(digit) for digit in run)
    if low is None or high is None or low.value == 0 or high.value == 0:
        return False
    return high.value == low.value + 1 or bool(_SPOKEN_RANGE.fullmatch(run))


def _day_sign(match: re.Match[str]) -> tuple[Edit, ...]:
    """Return the edit that writes 日 for 号."""
    if match["sign"] != "号":
        return ()
    return (Edit(match.start("sign"), match.end("sign"), "日"),)


def _bare_day(match: re.Match[str], seen: Seen) -> bool:
    """Return whether a day without 号 is one: 三月十五, but 三月五个."""
    run = match["day"]
    number = cardinal(run)
    if number is None or not render.day(run):
        return False
    return number.several or bool(_BARE_DAYS.match(seen.text, match.end("day")))


def date(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read year, month and day, or month and day, with the days that follow in a range or a list."""
    match = _DATE.match(seen.masked, start)
    if not match:
        return None
    edits = [group(match, "month", render.month)]
    if match["year"]:
        edits.insert(0, group(match, "year", render.year))
    stop = match.end("month") + 1
    if match["day"] and (match["sign"] or _bare_day(match, seen)):
        day = group(match, "day", render.day)
        if day is not None:
            edits += [day, *_day_sign(match)]
            stop = match.end()
            while more := _MORE_DAYS.match(seen.masked, stop):
                extra = group(more, "day", render.day)
                if extra is None:
                    break
                edits += [extra, *_day_sign(more)]
                stop = more.end()
    return written((start, stop), "date", "year_month_day" if match["year"] else "month_day", *edits)


def short_years(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read a range of years whose centuries are unspoken: 八五到九零年."""
    match = _SHORT_YEARS.match(seen.masked, start)
    if not match or seen.text[start - 1 : start] == "零":
        return None
    first, last = group(match, "first", render.year), group(match, "last", render.year)
    return written(match.span(), "date", "year_range", first, last)


def months(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read a range of months: 一到三月."""
    match = _MONTHS_TO.match(seen.masked, start)
    if not match:
        return None
    first, last = group(match, "first", render.month), group(match, "last", render.month)
    return written(match.span(), "date", "month_range", first, last)


def year(seen: Seen, start: int, end: int) -> Reading | None:
    """Read a year, or a number of years; two digits that may be an approximate number stay."""
    match = _YEAR.match(seen.masked, start)
    if not match:
        return None
    run = match["year"]
    if run == "一" and then_stays(seen, match.end()):
        return stays(start, match.end(), "whole_stays")
    if _two_years(run):
        return stays(start, match.end(), "years_in_a_row")
    open_pair = len(run) == _PAIR and is_digit_string(run) and _approximate(run)
    told = _YEAR_TELLS.match(seen.text, end) or seen.ends(_BC, start) or seen.ends(_YEAR_BEFORE, start)
    bought = run in _SURELY_YEARS and _YEAR_BOUGHT.match(seen.text, end)
    if open_pair and not told and not bought:
        return stays(start, match.end(), "two_digits_or_approximate")
    return written(match.span(), "date", "year", group(match, "year", render.year))


def _two_years(run: str) -> bool:
    """Return whether years stand in a row whose centuries are unspoken: 九八九九年, 二零二一二二年."""
    if not is_digit_string(run) or len(run) not in (_PAIR * 2, _PAIR * 3):
        return False
    run = run.replace("〇", "零")
    first, last = run[-4:-2], run[-2:]
    if len(run) == _PAIR * 2 and first in ("一九", "二零", "一八", "一七", "一六"):
        return False
    values = [DIGIT_VALUES[pair[0]] * 10 + DIGIT_VALUES[pair[1]] for pair in (first, last)]
    return values[1] == values[0] + 1


def decade(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read the decade of 九零后 and 九零年代, and the year of a cohort, 零五级."""
    for pattern, rule in ((_DECADE, "decade"), (_COHORT, "cohort")):
        match = pattern.match(seen.masked, start)
        if match and not (pattern is _COHORT and _approximate(match["year"])):
            return written(match.span(), "date", rule, group(match, "year", render.year))
    return None


def day_of_month(seen: Seen, start: int, end: int) -> Reading | None:
    """Read a single digit before 号 as a day where a month or a time stands beside it: 本月五号, 三号之前."""
    last = _LAST_DAY.match(seen.masked, start) if seen.ends(_TIME_BEFORE, start) else None
    if last:  # 十月一日零点到|七日
        return written(last.span(), "date", "day", group(last, "day", render.day))
    match = _DAY.match(seen.masked, start)
    if not match or len(match["day"]) > 1 or _NOT_DAY.match(seen.text, end):
        return None
    if not (
        seen.ends(_DAY_BEFORE, start)
        or (seen.ends(_MOVED_TO, start) and _MOVED_ENDS.match(seen.text, end))
        or seen.ends(_RANGE_BEFORE, start)
        or _DAYS_AFTER.match(seen.masked, end)  # 三号和十五号: whole
        or (seen.ends(_DAYS_BEFORE, start) and re.compile(f"号{_NO_DAY_SIGN}").match(seen.text, end))
        or _DAY_AFTER.match(seen.text, end)
    ):
        return None
    return written(match.span(), "date", "day", group(match, "day", render.day))
