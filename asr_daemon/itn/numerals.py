"""Reads spoken Mandarin integers and digit strings; simplified characters in, figures out.

A cardinal is well formed or it is none: 二三十 and 三百五百 are refused here, which leaves approximate
numbers alone. Nothing raises; ``None`` says that the run is no number of that sort.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from asr_daemon.itn.characters import DIGIT_VALUES, DIGITS

_RANKS = {"十": 1, "百": 2, "千": 3}
_FIGURES = str.maketrans(
    dict.fromkeys("零〇", "0") | dict(zip("一二三四五六七八九", "123456789", strict=True)) | {"幺": "1"}
)


@dataclass(frozen=True, slots=True)
class Cardinal:
    """A well-formed cardinal."""

    value: int
    written: str  # house style: figures, and the 万 or 亿 it ends on
    shorthand: bool  # 三千五 for 3500: the last unit is unspoken

    @property
    def several(self) -> bool:
        """Whether the figures are two or more."""
        return self.value >= 10  # noqa: PLR2004  # the first number of two figures


@dataclass(frozen=True, slots=True)
class _Section:
    """A number below ten thousand."""

    value: int
    shorthand: bool = False
    led_by_zero: bool = False
    has_thousands: bool = False


def is_digit_string(run: str) -> bool:
    """Return whether every character is one spoken digit (幺 is 1; 两 only counts things)."""
    return all(character in DIGITS for character in run)


def digit_string(run: str) -> str:
    """Return the figures of a digit string."""
    return run.translate(_FIGURES)


def _unit_digit_fits(digit: str, last_rank: int, zero: bool) -> bool:
    """Return whether a last digit may follow what was said before it."""
    if digit in "零〇幺":
        return False
    if digit == "两":
        return last_rank == 4 and not zero  # noqa: PLR2004  # 两 counts alone: 一百零二, never 一百零两
    return not (zero and last_rank == 1)


def _section(text: str) -> _Section | None:  # noqa: C901, PLR0911  # one return per way to be ill-formed
    """Read a number below ten thousand, 零 in front allowed."""
    led = text[:1] in ("零", "〇") and len(text) > 1
    value, last_rank, zero, pending = 0, 4, False, ""
    for character in text[1:] if led else text:
        rank = _RANKS.get(character)
        if rank is None:
            if (
                character not in DIGIT_VALUES
                or pending
                or (character in "零〇" and (zero or not value or last_rank == 1))
            ):
                return None
            if character in "零〇":
                zero = True
            else:
                pending = character
            continue
        if rank >= last_rank or (zero and last_rank - rank < 2):  # noqa: PLR2004  # 零 skips a rank
            return None
        if not pending and not (rank == 1 and (not value or zero or last_rank in (2, 3))):
            return None
        if pending == "幺" or (pending == "两" and rank == 1):
            return None
        value += (DIGIT_VALUES[pending] if pending else 1) * 10**rank
        last_rank, zero, pending = rank, False, ""
    shorthand = False
    if pending:
        if not _unit_digit_fits(pending, last_rank, zero or (led and not value)):
            return None
        shorthand = bool(value) and last_rank > 1 and not zero
        value += DIGIT_VALUES[pending] * (10 ** (last_rank - 1) if shorthand else 1)
    elif zero or not value:
        return None
    return _Section(value, shorthand, led, value >= 1000)  # noqa: PLR2004


def _below_hundred_million(text: str) -> Cardinal | None:  # noqa: PLR0911  # as above
    """Read a number of 万 and less."""
    head, ten_thousand, tail = text.partition("万")
    high = _section(head)
    if high is None or high.led_by_zero:
        return None
    if not ten_thousand:
        return Cardinal(high.value, str(high.value), high.shorthand)
    if high.shorthand:
        return None
    if not tail:
        return Cardinal(high.value * 10_000, f"{high.value}万", False)
    low = _section(tail)
    if low is None:
        return None
    if len(tail) == 1:  # 一万二
        if high.value >= 100:  # noqa: PLR2004
            return None  # 一百五十万|三方
        value = high.value * 10_000 + low.value * 1000
        return None if tail == "两" else Cardinal(value, str(value), True)
    if low.led_by_zero and low.has_thousands and high.value % 10:
        return None
    if not low.led_by_zero and low.value < 100:  # noqa: PLR2004  # 三万五十 wants its 零
        return None
    value = high.value * 10_000 + low.value
    return Cardinal(value, str(value), low.shorthand)


def _above_hundred_million(head: str, tail: str) -> Cardinal | None:
    """Read ``head`` 亿 ``tail``."""
    high = _below_hundred_million(head)
    if high is None or high.shorthand:
        return None
    if not tail:
        return Cardinal(high.value * 10**8, f"{high.written}亿", False)
    zero = tail[0] in "零〇"
    low = _below_hundred_million(tail[1:] if zero else tail)
    if low is None or (zero and tail.endswith("万")) or not (zero or "万" in tail):
        return None  # 一亿零五百万 and 三亿五 are open
    if low.written.endswith("万"):
        return Cardinal(high.value * 10**8 + low.value, f"{high.written}亿{low.written}", False)
    value = high.value * 10**8 + low.value
    return Cardinal(value, str(value), low.shorthand)


@lru_cache(maxsize=4096)
def cardinal(run: str) -> Cardinal | None:
    """Read a whole run as a cardinal, or return None: 十五, 两万三千五百, 一万二, 零."""
    if run in ("零", "〇"):
        return Cardinal(0, "0", False)
    if not run or run[0] in "零〇百千万亿":
        return None
    head, hundred_million, tail = run.rpartition("亿")
    return _above_hundred_million(head, tail) if hundred_million else _below_hundred_million(tail)
