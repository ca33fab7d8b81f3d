"""Rules of plain cardinals: ordinals, negative numbers, ranges, and whatever has two figures or more."""

from __future__ import annotations

import re

from asr_daemon.itn import amounts
from asr_daemon.itn import renderers as render
from asr_daemon.itn.characters import DIGIT_VALUES, NOT_N, N
from asr_daemon.itn.context import CLASSIFIER
from asr_daemon.itn.numerals import cardinal, is_digit_string
from asr_daemon.itn.ratios import arithmetic, minus
from asr_daemon.itn.reading import Edit, Reading, Rule, Seen, stays, written

_NUMBER = re.compile(render.NUMBER + NOT_N)
_MINUS_COUNTS = re.compile("[场局球楼层号责重荷载担债盈伤]|于|有")
_ORDINAL_RANGE = re.compile(f"(?P<first>{N})(?P<join>到|至)第?(?P<last>{N}){NOT_N}")
_UNTIL = re.compile(f"(?:到|至)(?P<last>{N}){NOT_N}(?!{CLASSIFIER}|点)")
_SHARED = re.compile(f"(?P<first>{N})(?:到|至|~|—)(?P<last>{N}){NOT_N}")
_RANKED = re.compile(
    "(?P<digit>[两二三四五六七八九])(?:[百千]万?|[百千万]亿|[百千][一二三四五六七八九][百十]?|万[一二三四五六七八九]千?)"
)
_TENS = re.compile("[二三四五六七八][到至][三四五六七八九]十")
_IN_ORDER = re.compile("[号日岁级层楼页章题月]|周岁")
_JOINED = re.compile("到|至|—|-|~")


def ordinal(seen: Seen, start: int, end: int) -> Reading | None:
    """Read the number after 第; 第一 to 第九 stay."""
    if seen.text[start - 1 : start] != "第":
        return None
    run = seen.masked[start:end]
    number = cardinal(run)
    text = number.written if number and number.several else None
    if text is None and is_digit_string(run) and len(run) > 2:  # noqa: PLR2004
        text = render.label(run)
    if text is None:
        span = _ORDINAL_RANGE.match(seen.masked, start)
        last = cardinal(span["last"]) if span else None
        if not (number and last and last.several):
            return stays(start, end, "ordinal_below_ten")
        text = number.written
    return written((start, end), "ordinal", "ordinal", Edit(start, end, text))


def negative(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read a number after 负, and the end of its range: 负五到五."""
    match = _NUMBER.match(seen.masked, start) if minus(seen, start) else None
    if not match or _MINUS_COUNTS.match(seen.text, match.end()):
        return None
    text = render.number(match.group())
    if text is None:
        return None
    for read in (amounts.money, amounts.degrees):  # 负三十二块五
        parts = read(seen, start, match.end())
        if parts and parts.edits:
            first = parts.edits[0]
            signed = Edit(start - 1, first.end, f"-{first.text}")
            return written((start - 1, parts.end), "negative", "negative", signed, *parts.edits[1:])
    total = arithmetic(seen, start, match.end())
    if total and total.rule == "sum":  # 负三加五
        signed = Edit(start - 1, total.edits[0].end, f"-{total.edits[0].text}")
        return written((start - 1, total.end), "math", "sum", signed, *total.edits[1:])
    edits = [Edit(start - 1, match.end(), f"-{text}")]
    until = _UNTIL.match(seen.masked, match.end())
    last = cardinal(until["last"]) if until else None
    if until and last:
        edits.append(Edit(until.start("last"), until.end("last"), last.written))
    return written((start - 1, edits[-1].end), "negative", "negative", *edits)


def shared_rank(seen: Seen, start: int, _end: int) -> Reading | None:
    """Leave 三到五百万, in which 三 is three millions; 五到一百 has no rank to share."""
    match = _SHARED.match(seen.masked, start)
    last = _RANKED.fullmatch(match["last"]) if match else None
    first = cardinal(match["first"]) if match else None
    if match and first and _TENS.fullmatch(match.group()):
        tens = DIGIT_VALUES[match["last"][0]]
        if first.value < tens and not _IN_ORDER.match(seen.text, match.end()):
            return stays(start, match.end(), "shared_rank")  # 二到三十家: two, or twenty
    if not match or not last or not first or not 0 < first.value < DIGIT_VALUES[last["digit"]]:
        return None
    return stays(start, match.end(), "shared_rank")


def range_before(read: Rule) -> Rule:
    """Return the rule of a single digit before 到: it is written where ``read`` writes its partner."""

    def rule(seen: Seen, start: int, end: int) -> Reading | None:
        match = _NUMBER.match(seen.masked, start)
        if not match or match.end() != end:
            return None
        join = _JOINED.match(seen.masked, end)
        number = cardinal(match.group())
        if not join or number is None or number.several:
            return None
        last = re.compile(N).match(seen.masked, join.end())
        partner = read(seen, *last.span()) if last else None
        if partner is None or not partner.edits or partner.start != join.end():
            return None
        return written((start, end), partner.kind, "range", Edit(start, end, number.written))

    return rule


def plain(seen: Seen, start: int, end: int) -> Reading | None:
    """Read a cardinal of two figures and more."""
    number = cardinal(seen.masked[start:end])
    if number is None or not number.several:
        return None
    return written((start, end), "cardinal", "cardinal", Edit(start, end, number.written))
