"""Figures as they are spoken: whole numbers, digits read out, dates, times, money, percentages, amounts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

DIGITS = "零一二三四五六七八九"
_UNITS = ((1000, "千"), (100, "百"), (10, "十"), (1, ""))
_MYRIADS = ((10**8, "亿"), (10**4, "万"), (1, ""))


def number(value: int) -> str:
    """Return a whole number, 0 to 10**12 - 1, in words: 10080 is 一万零八十."""
    if value == 0:
        return DIGITS[0]
    said = ""
    for size, name in _MYRIADS:
        group, value = divmod(value, size)
        if group:
            said += ("零" if said and group < 1000 else "") + _below_ten_thousand(group) + name
    return said.removeprefix("一") if said.startswith("一十") else said


def _below_ten_thousand(value: int) -> str:
    said, is_gap = "", False
    for size, name in _UNITS:
        digit, value = divmod(value, size)
        if digit:
            said += ("零" if said and is_gap else "") + DIGITS[digit] + name
        is_gap = not digit
    return said


class Figures:
    """Draws spoken figures."""

    def __init__(self, random: Random) -> None:
        self._random = random

    def below(self, least: int, most: int) -> str:
        """Return a number between the two."""
        return number(self._random.randint(least, most))

    def digits(self, n_digits: int) -> str:
        """Return digits read out one by one; 一 is 幺 at times, as on the telephone."""
        one = "幺" if self._random.random() < 0.3 else "一"
        return "".join(self._random.choice(DIGITS + one) for _ in range(n_digits))

    def date(self) -> str:
        """Return a date, with its year half of the time."""
        year = ""
        if self._random.random() < 0.5:
            year = "".join(DIGITS[int(digit)] for digit in str(self._random.randint(1990, 2035))) + "年"
        return f"{year}{self.below(1, 12)}月{self.below(1, 31)}{self._random.choice('号日')}"

    def time(self) -> str:
        """Return a time of day."""
        part = self._random.choice(("上午", "下午", "晚上", "早上", "中午", ""))
        hour = self._random.choice((self.below(1, 12), "两"))
        return f"{part}{hour}点{self._random.choice(('', '半', '一刻', '钟', self.below(10, 59) + '分'))}"

    def money(self) -> str:
        """Return a sum of money."""
        kind = self._random.random()
        if kind < 0.4:
            return self.below(1, 9999) + self._random.choice(("元", "块", "块钱", "元钱"))
        if kind < 0.7:
            return number(self._random.randint(1, 9999) * self._random.choice((10, 100, 1000, 10000))) + "元"
        digit = DIGITS[self._random.randint(1, 9)]
        if kind < 0.85:
            return f"{self.below(1, 99)}点{digit}{self._random.choice(('万元', '亿元'))}"
        return f"{self.below(1, 99)}块{digit}{self._random.choice(('毛', ''))}"

    def percentage(self) -> str:
        """Return a percentage, with a decimal half of the time."""
        decimal = "点" + DIGITS[self._random.randint(1, 9)] if self._random.random() < 0.5 else ""
        return f"百分之{self.below(1, 100)}{decimal}"

    def amount(self) -> str:
        """Return a number with a measure word."""
        return self.below(1, 500) + self._random.choice("个位份台套次人天条张家项")
