"""Rules of phrases that are written whole or stay whole: addresses, lengths of time, units and a rest."""

from __future__ import annotations

import re

from asr_daemon.itn import renderers as render
from asr_daemon.itn.characters import NOT_N, NUMERALS, D, N
from asr_daemon.itn.context import CLASSIFIER, MEASURE
from asr_daemon.itn.numerals import cardinal, is_digit_string
from asr_daemon.itn.reading import Edit, Reading, Seen, group, stays, written
from asr_daemon.itn.words import starts_word

_ADDRESS = re.compile(
    f"(?:(?P<yard>{N})号院)?(?P<building>{D})(?P<sign>号楼|栋|幢|座)(?:(?P<entrance>{N})单元)?"
    f"(?:(?P<floor>{N})[层楼])?(?P<room>{N})?(?![{NUMERALS}])"
)
_PARTS = ("yard", "building", "entrance", "floor", "room")
_ROOM_CHARS = 3
_LASTING = re.compile(f"(?P<number>{N})(?P<unit>年|周岁|岁|小时|分钟?|天|个月|公里|米|吨|公斤|斤|升|亩)")
_THEN = re.compile(
    f"(?P<zero>零?)(?P<number>{N})(?P<unit>个半?月|个?小时|天|分钟?|秒钟?|米|厘米|公分|公斤|千克|斤|两(?![个人天次位只本条件名家台])|克|毫升)"
    "(?!之)"
)
_FOLLOWS = {
    "年": ("个月", "天"), "周岁": ("个月", "天"), "岁": ("个月", "天"),
    "小时": ("分", "分钟", "秒"), "分": ("秒", "秒钟"), "分钟": ("秒", "秒钟"),
    "个月": ("天",), "天": ("小时", "个小时"), "公里": ("米",), "米": ("厘米", "公分"),
    "吨": ("公斤", "千克", "斤"), "公斤": ("克", "两"), "斤": ("克", "两"), "亩": ("分",), "升": ("毫升",),
}  # fmt: skip
_COUNTED = ("天", "个月")  # a single digit stays beside them
_ENDS = "(?=[，。！？；、,.!?;\\s的了吧吗呢啊左右每以就到起]|包(?=[邮吃住送教会修换])|$)"
_REST = re.compile(
    f"(?P<whole>{N})(?P<unit>公里|千米|公斤|斤|吨|亩|丈|尺)"
    f"(?:(?P<rest>[二三四五六七八九]){NOT_N}(?!{CLASSIFIER}|{MEASURE}|"
    "[等折成维块元毛角点度分比加减乘除到至之号月日时年倍大来多几两瓶送打起车趟罐])"
    f"|(?P<one>一){NOT_N}{_ENDS})"
)
_ARTICLE = f"[条章节款项编篇目](?:之{N})?"
_ARTICLES = re.compile(f"(?:(?<=第){N}{_ARTICLE})(?:第{N}{_ARTICLE})+")
_NUMBER = re.compile(N)


def address(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 五号楼三单元六零二 whole; beside 十八号楼 the style keeps 三单元."""
    match = _ADDRESS.match(seen.masked, start)
    if not match:
        return None
    room = is_digit_string(match["room"] or "-") and match["sign"] in ("栋", "幢")  # 三栋五零一
    if not (match["entrance"] or match["floor"] or room or (match["yard"] and match["sign"] == "号楼")):
        return None
    if match["sign"] != "号楼" and len(match["room"] or "") < _ROOM_CHARS:
        return None
    edits = [group(match, name, render.label) for name in _PARTS if match[name]]
    return written(match.span(), "address", "address", *edits)


def lasting(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 三年零六个月, 两小时零八分 and 一岁三个月: all of their numbers."""
    first = _LASTING.match(seen.masked, start)
    if not first or (is_digit_string(first["number"]) and len(first["number"]) > 1):
        return None
    whole = cardinal(first["number"])
    if first["unit"] in _COUNTED and not (whole and whole.several):
        return None  # 一天零八小时
    edits = [group(first, "number", render.integer)]
    unit, stop = first["unit"], first.end()
    while part := _THEN.match(seen.masked, stop):
        number = cardinal(part["number"])
        days = unit == "年" and part["unit"] == "天" and not part["zero"]  # 三年|五天年假
        if number is None or days or part["unit"] not in _FOLLOWS.get(unit, ()):
            break
        low = part["zero"] and part["unit"].startswith(("分", "秒")) and not number.several
        edits.append(
            Edit(part.start("zero"), part.end("number"), f"0{number.written}")
            if low
            else Edit(*part.span("number"), number.written)
        )
        unit, stop = part["unit"], part.end()
    if len(edits) == 1:
        return None
    return written((start, stop), "unit", "lasting", *edits)


def rest(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 两斤三 and 一吨二: the unit below is unspoken; 两斤|三文鱼 has none."""
    match = _REST.match(seen.masked, start)
    if not match:
        return None
    name = "rest" if match["rest"] else "one"
    if starts_word(seen.text, match.start(name)):
        return None
    edits = group(match, "whole", render.integer), group(match, name, render.label)
    return written(match.span(), "unit", "unit_and_rest", *edits)


def articles(seen: Seen, start: int, _end: int) -> Reading | None:
    """Leave 第二十七条第三款 whole, where one of its numbers stays."""
    match = _ARTICLES.match(seen.masked, start)
    if not match:
        return None
    numbers = [cardinal(number) for number in _NUMBER.findall(match.group())]
    if all(number and number.several for number in numbers):
        return None
    return stays(start, match.end(), "articles")
