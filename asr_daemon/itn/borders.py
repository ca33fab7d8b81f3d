"""Where a text is parted, so that no number, date or context reaches across: at marks, and at given pauses.

A mark belongs to what stands before it. 、 is no border: 三月五号、六号 is one enumeration; neither is a mark
between Latin letters or figures (``3.5``, ``12,000``).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.itn.characters import DIGIT_VALUES, NUMERALS, D

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_MARKS = re.compile(r"[，。！？；\n]+|[,;!?](?![0-9A-Za-z])")


_LONG_FIGURES = 7  # a telephone's number, said in groups
_OPEN_BEFORE = re.compile("(?:分之|第)$")
_FIGURES_BEFORE = re.compile(
    f"(?P<label>(?:码|尾号|编号|单号|账号|卡号|工号|电话|手机号?|热线|拨打?)是?)?(?P<run>{D}{{1,20}})$"
)
_FIGURES_AFTER = re.compile(f"{D}{{1,20}}")
_RANK_AFTER = re.compile("[十百千万亿]")
_LOOK_BACK = 30


def may_part(text: str, offset: int) -> bool:
    """Return whether a mark or a pause at ``offset`` parts numbers, and does not fall inside one.

    A speaker breathes within a telephone's number, after 百分之, and before 千 and 万.
    """
    before = text[max(0, offset - _LOOK_BACK) : offset]
    if not before or before[-1] not in NUMERALS:
        return not (_OPEN_BEFORE.search(before) and text[offset : offset + 1] in NUMERALS)
    if _RANK_AFTER.match(text, offset) and before[-1] in DIGIT_VALUES:
        return text[offset] == "十"  # 张三|十点, but 三|千五
    left, right = _FIGURES_BEFORE.search(before), _FIGURES_AFTER.match(text, offset)
    if not left or not right:
        return True
    return not left["label"] and len(left["run"]) + len(right.group()) < _LONG_FIGURES


def pieces(text: str, borders: Collection[int]) -> Iterator[tuple[int, int]]:
    """Yield the half-open pieces of ``text``, in order; ``borders`` outside of it do not count."""
    cuts = {match.end() for match in _MARKS.finditer(text)}
    cuts.update(border for border in borders if 0 < border < len(text))
    start = 0
    for cut in sorted(cuts):
        yield start, cut
        start = cut
    if start < len(text):
        yield start, len(text)
