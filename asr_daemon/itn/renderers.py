"""One renderer per type: a spoken number in, its written form out, None where it is none of that type."""

from __future__ import annotations

import re

from asr_daemon.itn.characters import DIGITS, NUMERALS
from asr_daemon.itn.numerals import Cardinal, cardinal, digit_string, is_digit_string

# A number with or without decimals; the fraction may be followed by the unit it ends on.
NUMBER = f"[{NUMERALS}]+(?:点[{DIGITS}]+(?:万亿|亿|万)?(?![{NUMERALS}]))?"
_DECIMAL = re.compile(f"(?P<whole>[{NUMERALS}]+)点(?P<fraction>[{DIGITS}]+)(?P<unit>万亿|亿|万)?")
_LONGEST_YEAR = 4
_HOURS, _MINUTES, _MONTHS, _DAYS = 24, 60, 12, 31


def integer(run: str) -> str | None:
    """Write a cardinal of any size: 二十 is 20, 三百万 is 300万, 五 is 5."""
    number = cardinal(run)
    return number.written if number else None


def label(run: str) -> str | None:
    """Write a cardinal or digits, as numbers of rooms and lines are spoken: 十五, 三零一, 幺."""
    return integer(run) or (digit_string(run) if is_digit_string(run) else None)


def number(text: str) -> str | None:
    """Write a cardinal or a decimal: 三点一四 is 3.14, 一点二万亿 is 1.2万亿."""
    match = _DECIMAL.fullmatch(text)
    if not match:
        return integer(text)
    whole = label(match["whole"])
    if whole is None or not whole.isdecimal():
        return None
    return f"{whole}.{digit_string(match['fraction'])}{match['unit'] or ''}"


def percent(text: str) -> str | None:
    """Write the number of a percentage, without its sign; 百 alone is a hundred."""
    return "100" if text == "百" else None if text.endswith(("万", "亿")) else number(text)


def year(run: str) -> str | None:
    """Write a year: 二零二五 is 2025, 九八 is 98, 两千零八 is 2008."""
    if is_digit_string(run) and len(run) > 1:
        return digit_string(run) if len(run) <= _LONGEST_YEAR else None
    return integer(run)


def _within(run: str, first: int, last: int) -> Cardinal | None:
    found = cardinal(run)
    return found if found and first <= found.value <= last and not found.shorthand else None


def month(run: str) -> str | None:
    """Write a month, 一 to 十二."""
    found = _within(run, 1, _MONTHS)
    return found.written if found and run != "两" else None


def day(run: str) -> str | None:
    """Write a day of the month, 一 to 三十一."""
    found = _within(run, 1, _DAYS)
    return found.written if found and run != "两" else None


def hour(run: str) -> str | None:
    """Write an hour, 零 to 二十四; 零八 is 08."""
    if len(run) == 2 and run[0] in "零〇" and is_digit_string(run):  # noqa: PLR2004  # as timetables are read
        return digit_string(run)
    found = _within(run, 0, _HOURS)
    return found.written if found else None


def minute(run: str) -> str | None:
    """Write a minute or a second: 二十 is 20, 零五 is 05, 五 is 5."""
    if len(run) == 2 and is_digit_string(run):  # noqa: PLR2004  # 零五, 三零
        text = digit_string(run)
        return text if int(text) < _MINUTES else None
    found = _within(run, 1, _MINUTES - 1)
    return found.written if found else None


def discount(text: str) -> str | None:
    """Write a discount: 八五 is 8.5, 七 is 7, 八点五 is 8.5."""
    if len(text) == 2 and is_digit_string(text):  # noqa: PLR2004  # two figures are tenths
        figures = digit_string(text)
        return None if figures[0] == "0" else f"{figures[0]}.{figures[1]}"
    return number(text)
