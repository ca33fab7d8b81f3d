"""Rules of percentages, fractions, ratios, sums and discounts."""

from __future__ import annotations

import re

from asr_daemon.itn import renderers as render
from asr_daemon.itn.characters import MASK, NOT_N, NUMERALS, D, N
from asr_daemon.itn.context import CLASSIFIER
from asr_daemon.itn.reading import Edit, Reading, Seen, group, stays, written

_NUMBER = render.NUMBER
_PERCENT = re.compile(
    f"(?P<head>[百千]分之)(?P<minus>负)?(?P<number>[{NUMERALS}]+(?:点{D}+)?(?=[百千]分之)|{_NUMBER}(?!分之))"
    f"(?:(?P<join>到|至)(?P<last>{_NUMBER})(?!分之))?(?!个(?:百分)?点|点[{NUMERALS}{MASK}])"
)
_OF = re.compile(f"{N}分之(?:{N}|[几多])?(?:点{D}+)?")
_FRACTION = re.compile(f"(?:(?P<whole>{N})又)?(?P<lower>{N})分之(?P<upper>{N}){NOT_N}")
_RATIO = re.compile(f"{_NUMBER}(?:比{_NUMBER}){{1,4}}{NOT_N}(?!{CLASSIFIER})")
_COMPARED = re.compile("[大小多少高低好强快慢贵远近长短重轻](?![胜负败输赢取松易])")  # but 三比零大胜
_OPERATOR = "(?:加上|加|减去|减|乘以|乘|除以|除|等于|大于|小于)"
_SUM = re.compile(f"{_NUMBER}(?:{_OPERATOR}负?{_NUMBER}){{1,12}}{NOT_N}")
_SHARES = re.compile(f"十(?:(?:送|转增|转|派|配){_NUMBER}{NOT_N}(?!{CLASSIFIER})){{1,3}}")
_OPERAND = re.compile(_NUMBER)
_VARIABLE_BEFORE = re.compile("[A-Za-z](?:加上|加|减去|减|乘以|乘|除以|除|等于)$")
_EQUALS_BEFORE = re.compile(
    f"(?:(?:[A-Za-z]|分之[{NUMERALS}]{{1,3}})(?:加上|加|减去|减|乘以|乘|除以|除)|(?:约?等于|大于|小于)负?|根号|[A-Za-z](?:是|为|"
    "取|值为)|(?:平方|立方|次方)根?(?:是|为))$"
)
_SQUARE_OF = re.compile(f"(?P<number>{D})(?=的(?:平方|立方|{N}次[方幂]))")
_POWER = re.compile(f"(?P<number>{D})(?=次[方幂](?!程))")
_BASE_BEFORE = re.compile(f"[{NUMERALS}A-Za-z]的负?$")
_DISCOUNT = re.compile(f"(?P<number>{_NUMBER})折(?![叠页线扇射磨腾返合断扣旧])")
_OPEN_DISCOUNT = ("三五", "七八", "八九", "五六", "六七", "三四", "四五", "一二", "二三")
_MINUS_BEFORE = re.compile("(?<![正胜自欺肩抱辜担背平0-9%‰零〇一二两三四五六七八九十])(?<![0-9]度)负$")


def minus(seen: Seen, start: int) -> int:
    """Return 1 where 负 before ``start`` is a sign, else 0."""
    return int(seen.text[start - 1 : start] == "负" and seen.ends(_MINUS_BEFORE, start))


def _percent_edits(match: re.Match[str], sign: str) -> list[Edit | None]:
    """Return the edits of 百分之三 or 百分之三到五."""
    first, negative = render.percent(match["number"]), "-" if match["minus"] else ""
    stop = match.end("number")
    edits = [None if first is None else Edit(match.start(), stop, f"{negative}{first}{sign}")]
    if match["last"]:
        last = render.number(match["last"])
        edits.append(None if last is None else Edit(match.start("last"), match.end("last"), f"{last}{sign}"))
    return edits


def percent(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 百分之 and 千分之; an approximate one stays as a whole."""
    match = _PERCENT.match(seen.masked, start)
    if not match:
        return None
    edits = _percent_edits(match, "%" if match["head"][0] == "百" else "‰")
    lead = minus(seen, start)
    if lead:
        edits.insert(0, Edit(start - 1, start, "-"))
    return written((start - lead, match.end()), "percent", "percent", *edits) or stays(
        start, match.end(), "approximate_percent"
    )


def fraction(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 三分之一 and 一又三分之二; 万分之一 and what is approximate stay."""
    match = _FRACTION.match(seen.masked, start)
    if match and not match["lower"].endswith(("万", "亿")):
        upper, lower = render.integer(match["upper"]), render.integer(match["lower"])
        whole = render.integer(match["whole"]) if match["whole"] else ""
        if upper and lower and whole is not None and lower not in ("0", "1"):
            edits = [Edit(match.start("lower"), match.end(), f"{upper}/{lower}")]
            if whole:
                edits.insert(0, Edit(match.start("whole"), match.end("whole"), whole))
            lead = minus(seen, start)
            if lead:
                edits.insert(0, Edit(start - 1, start, "-"))
            return written((start - lead, match.end()), "fraction", "fraction", *edits)
    match = _OF.match(seen.masked, start)
    return stays(start, match.end(), "open_fraction") if match else None


def _each_operand(match: re.Match[str], kind: str, rule: str) -> Reading | None:
    """Return the reading that writes every number of a match."""
    edits: list[Edit | None] = []
    for operand in _OPERAND.finditer(match.string, match.start(), match.end()):
        text = render.number(operand.group())
        signed = match.string[operand.start() - 1] == "负" and operand.start() > match.start()
        begin = operand.start() - signed
        edits.append(None if text is None else Edit(begin, operand.end(), "-" * signed + text))
    return written(match.span(), kind, rule, *edits)


def ratio(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 五比三; 五比三大二 keeps its 比."""
    match = _RATIO.match(seen.masked, start)
    if not match:
        return None
    numbers = _each_operand(match, "ratio", "ratio")
    if numbers is None or _COMPARED.match(seen.text, match.end()):
        return numbers
    colons = [
        Edit(place, place + 1, ":")
        for place in range(match.start(), match.end())
        if match.string[place] == "比"
    ]
    edits = sorted((*numbers.edits, *colons), key=lambda edit: edit.start)
    return written(match.span(), "ratio", "ratio", *edits)


def arithmetic(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read the numbers of a sum: 三加五等于八; and single ones beside a variable or in a power."""
    match = _SUM.match(seen.masked, start) or _SHARES.match(seen.masked, start)
    if match:
        reading = _each_operand(match, "math", "sum")
        if reading:
            return reading
    match = _SQUARE_OF.match(seen.masked, start)
    if not match and seen.ends(_BASE_BEFORE, start):
        match = _POWER.match(seen.masked, start)
    if match:
        return written(match.span(), "math", "power", group(match, "number", render.number))
    match = _OPERAND.match(seen.masked, start)
    sure = seen.ends(_VARIABLE_BEFORE, start)
    if match and (sure or (seen.ends(_EQUALS_BEFORE, start) and match.group() not in ("一", "两"))):
        counted = re.compile(CLASSIFIER).match(seen.text, match.end())
        text = render.number(match.group())
        if text and (sure or not counted):
            return written(match.span(), "math", "operand", Edit(*match.span(), text))
    return None


def discount(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read 八五折 as 8.5折; neighbouring digits (七八折) may be approximate and stay."""
    match = _DISCOUNT.match(seen.masked, start)
    if not match or match["number"] in _OPEN_DISCOUNT:
        return None
    return written(match.span(), "discount", "discount", group(match, "number", render.discount))
