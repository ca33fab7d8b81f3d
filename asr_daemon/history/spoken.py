"""The ways in which a number is written and said: a search for one finds the others.

三万四千七百 is 34700 in most transcripts, and stays as it was said where the normaliser is off or in doubt.
Enters: what is searched for, folded. Leaves: its other forms, without itself. Nothing raises.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING

from asr_daemon.itn import Normaliser
from asr_daemon.itn.characters import NUMERALS

if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_FIGURES = 12  # of a number that is said as one; longer ones are said figure by figure
MOST_CHARS = 100  # of what is searched for
_FIGURES = re.compile(r"[0-9]+(?:\.[0-9]+)?")
_PERCENT = re.compile(r"([0-9]+(?:\.[0-9]+)?)%")
_DIGITS = "零一二三四五六七八九"
_VALUES = {**{char: value for value, char in enumerate(_DIGITS)}, "两": 2}
_ALONE = re.compile(f"(?<![{NUMERALS}])[一二两三四五六七八九](?![{NUMERALS}])")
_RANKS = ("", "万", "亿")
_UNITS = ("", "十", "百", "千")
_TEN_THOUSAND, _HUNDRED_MILLION = 10_000, 100_000_000


def other_forms(text: str) -> tuple[str, ...]:
    """Return how a text with numbers is written or said otherwise."""
    if len(text) > MOST_CHARS:
        return ()
    figures = _ALONE.sub(lambda match: str(_VALUES[match[0]]), text)  # 5个, where models write so
    found = dict.fromkeys([_normaliser().normalise(text).text, figures, *_shorter(text), *_said(text)])
    found.pop(text, None)
    return tuple(found)


@cache
def _normaliser() -> Normaliser:
    return Normaliser()


def _shorter(text: str) -> Iterator[str]:
    """Yield 350万 for 3500000: round numbers keep 万 and 亿 in transcripts."""
    for match in _FIGURES.finditer(text):
        for unit, name in ((_HUNDRED_MILLION, "亿"), (_TEN_THOUSAND, "万")):
            if match[0].isdigit() and int(match[0]) and int(match[0]) % unit == 0:
                yield f"{text[: match.start()]}{int(match[0]) // unit}{name}{text[match.end() :]}"


def _said(text: str) -> Iterator[str]:
    """Yield the text with its figures in characters, as a number and one by one."""
    if not _FIGURES.search(text):
        return
    text = _PERCENT.sub(r"百分之\1", text)
    for two, one in (("二", "一"), ("两", "一"), ("二", "幺")):
        as_numbers = _FIGURES.sub(lambda match, two=two: _as_number(match[0], two), text)  # type: ignore[misc]
        one_by_one = _FIGURES.sub(lambda match, one=one: _one_by_one(match[0], one), text)  # type: ignore[misc]
        dates = re.sub("([0-9]+)年", lambda match: f"{_one_by_one(match[1], '一')}年", text)
        for form in (as_numbers, one_by_one, _FIGURES.sub(lambda match: _as_number(match[0], "二"), dates)):
            yield form
            if "月" in form and form.endswith("日"):
                yield form[:-1] + "号"


def _one_by_one(figures: str, one: str) -> str:
    return "".join("点" if figure == "." else _DIGITS[int(figure)] for figure in figures).replace("一", one)


def _as_number(figures: str, two: str) -> str:
    """Return a number as it is said; ``two`` is how 2 is said before 百, 千, 万 and 亿, and alone."""
    whole, point, decimals = figures.partition(".")
    if len(whole) > MOST_FIGURES or (whole[0] == "0" and len(whole) > 1):
        return _one_by_one(figures, "一")
    said = ""
    for rank in range((len(whole) - 1) // 4, -1, -1):
        group = int(whole[: len(whole) - 4 * rank][-4:])
        if group:
            gap = "零" if said and group < 1000 and not said.endswith("零") else ""  # noqa: PLR2004
            said += gap + _below_ten_thousand(group, two) + _RANKS[rank]
    said = said.removeprefix("一") if said.startswith("一十") else said
    return (said or "零") + (point and "点" + _one_by_one(decimals, "一"))


def _below_ten_thousand(number: int, two: str) -> str:
    said = ""
    for place, figure in zip(range(len(str(number)) - 1, -1, -1), str(number), strict=True):
        if figure == "0":
            said += "" if said.endswith("零") else "零"
        else:
            digit = two if figure == "2" and place != 1 and (place or number == 2) else _DIGITS[int(figure)]  # noqa: PLR2004
            said += digit + _UNITS[place]
    return said.rstrip("零")
