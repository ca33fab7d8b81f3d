"""Rules of figures read out one by one: decimals, versions, telephones, rooms, and beside letters."""

from __future__ import annotations

import re

from asr_daemon.itn import renderers as render
from asr_daemon.itn.characters import FEW, NUMERALS, D, N
from asr_daemon.itn.context import CLASSIFIER
from asr_daemon.itn.numerals import digit_string, is_digit_string
from asr_daemon.itn.reading import Edit, Reading, Seen, stays, written

_VERSION = re.compile(f"{N}(?:点{N}){{2,5}}(?!点|[几多])")
_PART = re.compile(N)
_DECIMAL = re.compile(f"{render.NUMBER}(?!{FEW})")
_HOUR_AND_HOUR = re.compile(f"(?P<hour>{N})点{D}点")
_AFTER_LETTER = re.compile(f"(?P<major>{D})点(?P<minor>{N})(?![{NUMERALS}点])")
_NUMBERED_BEFORE = re.compile("(?:内核|版本号?|固件|驱动|安卓|鸿蒙|引擎)(?:是|到|为|升级?到)?$")
_COURT_BEFORE = re.compile("[京津沪渝冀晋辽吉黑苏浙皖闽赣鲁豫鄂湘粤桂琼川贵云藏陕甘青宁新]$")
_COURT_AFTER = re.compile("[民刑行执知破][初终再申辖特监保破]|[执破](?!行)")
_COUNTED_FIRST = re.compile("[是来]|首先|方面")
_STRING = 3
_RISING = "零一二三四五六七八九"
_ABOUT_AGE = re.compile("([二三四五六七八九])[一二三四五六七八]\\1[二三四五六七八九]")  # 二八二九岁
_AGED = re.compile("岁|的样子|左右|天|年纪")
_LABELLED = re.compile(
    "(?:[A-Za-z]|码|号|位|拨打?|密|按|打|输入|电话|热线|尾|房|室|频道|[民刑行][初终]|字第?)是?[：:为]?$"
)
_CLASSES = re.compile("班(?![车次机])|年级|单元|季度")
_EVERY_OTHER = ("一三五", "二四六", "一三五七", "一三五七九", "二四六八", "三五七", "三五七九", "四六八")
_ON_DAYS = re.compile(
    "单号|双号|限行|晚上|早上|上午|下午|上课|休息|上班|有课|值班|单日|双日|跑步|健身|游泳|练"
)
_LISTED = re.compile("[线等产楼层年月号季班节章条组册级度声名流类排期项代]")
_LETTER_BEFORE = re.compile(r"(?P<word>[A-Za-zＡ-Ｚａ-ｚ]+)(?P<blank> ?)$")
_LETTER_AFTER = re.compile(r"(?P<word>[A-Za-z]+)(?![A-Za-z])")
_UNITS = frozenset(
    [
        "G",
        "GB",
        "M",
        "MB",
        "T",
        "TB",
        "K",
        "KB",
        "B",
        "kg",
        "g",
        "km",
        "m",
        "cm",
        "mm",
        "nm",
        "Hz",
        "GHz",
        "MHz",
        "kHz",
        "V",
        "W",
        "kW",
        "A",
        "mA",
        "mAh",
        "L",
        "ml",
        "mL",
        "D",
    ]
)
_AFTER_ONE_LETTER_COUNTS = re.compile("[个位名次件天直起定共旦般样致切些大小]")
_THINGS = re.compile("[个位名件天起]")
_RELEASES = re.compile(  # of these people count no pieces: 跑在Windows七上
    "(?:Windows|Win|iOS|Android|Python|Java|PHP|Excel|Office|Ubuntu|Debian|CentOS|MySQL|Oracle|HTML|CSS|Vue|GPT|Type)$",
    re.IGNORECASE,
)
_AFTER_LETTER_COUNTS = re.compile(
    f"(?!页面|代码|号[线楼]){CLASSIFIER}|"
    f"[大小巨强方者成直起定共旦般样致律边切再些打点开进出关退更启发收看用上下到说听有没不都]|折|"
    f"分[钟之]?|价"
)


def version(seen: Seen, start: int, _end: int) -> Reading | None:
    """Read two points and more: 二点零点一, 一九二点一六八点一点一."""
    match = _VERSION.match(seen.masked, start)
    if not match and (_LETTER_BEFORE.search(seen.before(start)) or seen.ends(_NUMBERED_BEFORE, start)):
        match = _AFTER_LETTER.match(seen.masked, start)  # Python三点十
    if not match:
        return None
    parts = [render.label(part) for part in _PART.findall(match.group())]
    if not all(part and part.isdecimal() for part in parts):
        return None
    return written(
        match.span(), "version", "version", Edit(*match.span(), ".".join(part or "" for part in parts))
    )


def court(seen: Seen, start: int, end: int) -> Reading | None:
    """Read the court of a case's number: 京零一民终."""
    run = seen.masked[start:end]
    if len(run) > 4 or not is_digit_string(run) or not seen.ends(_COURT_BEFORE, start):  # noqa: PLR2004
        return None
    if not _COURT_AFTER.match(seen.text, end):
        return None
    return written((start, end), "digits", "court", Edit(start, end, digit_string(run)))


def _two_hours(seen: Seen, start: int) -> bool:
    """Return whether 三点四点 stands here, and not 三千一百二十五点六点."""
    match = _HOUR_AND_HOUR.match(seen.masked, start)
    return bool(match and render.hour(match["hour"]))


def decimal(seen: Seen, start: int, end: int) -> Reading | None:
    """Read 三点一四; 三点一是 begins a list."""
    match = _DECIMAL.match(seen.masked, start)
    if not match or match.end() <= end or _two_hours(seen, start):
        return None
    if seen.text[match.end() - 1] == "一" and _COUNTED_FIRST.match(seen.text, match.end()):
        return stays(start, match.end(), "points_first")
    text = render.number(match.group())
    return None if text is None else written(match.span(), "decimal", "decimal", Edit(*match.span(), text))


def digits(seen: Seen, start: int, end: int) -> Reading | None:
    """Read three spoken digits and more; 一二三 may be a list and stays without a label before it."""
    run = seen.masked[start:end]
    if len(run) < _STRING or not is_digit_string(run):
        return None
    if _ABOUT_AGE.fullmatch(run) and _AGED.match(seen.text, end):
        return stays(start, end, "approximate_age")
    if run in _RISING and not seen.ends(_LABELLED, start):
        listed = _LISTED.match(seen.text, end)
        if (listed and len(run) <= _STRING + 1) or len(run) == _STRING:
            return stays(start, end, "list_of_digits")
    if run in _EVERY_OTHER and _ON_DAYS.match(seen.text, end):
        return stays(start, end, "list_of_digits")
    if _CLASSES.match(seen.text, end) and list(run) == sorted(set(run), key=_RISING.find) and "零" not in run:
        return stays(start, end, "list_of_digits")  # 三五七班
    return written((start, end), "digits", "digit_string", Edit(start, end, digit_string(run)))


def letters(seen: Seen, start: int, end: int) -> Reading | None:
    """Read a single digit beside a letter: GPT四, A四纸, 五G, B二B; APP三次 counts and stays."""
    run = seen.masked[start:end]
    if len(run) > 2 or not (is_digit_string(run) or run == "两"):  # noqa: PLR2004
        return None
    if _after_letter(seen, start, end, run) or (len(run) == 1 and _before_letter(seen, end, run)):
        return written((start, end), "mixed", "beside_letters", Edit(start, end, render.label(run) or run))
    return None


def _after_letter(seen: Seen, start: int, end: int, run: str) -> bool:
    """Return whether a digit belongs to the letters before it."""
    before = _LETTER_BEFORE.search(seen.before(start))
    if not before or run == "两":
        return False
    if _LETTER_AFTER.match(seen.text, end):
        return not before["blank"]
    if run == "一" and (len(before["word"]) > 1 or before["blank"]):
        return False  # APP一打开
    if _RELEASES.search(before["word"]):
        return not _THINGS.match(seen.text, end)
    counts = _AFTER_ONE_LETTER_COUNTS if len(before["word"]) == 1 else _AFTER_LETTER_COUNTS
    if len(before["word"]) == len(run) - 1 == 1:
        counts = _THINGS  # G四五|大广高速
    return not counts.match(seen.text, end)


def _before_letter(seen: Seen, end: int, run: str) -> bool:
    """Return whether a digit belongs to the letters after it."""
    after = _LETTER_AFTER.match(seen.text, end)
    if not after:
        return False
    if after["word"] in _UNITS:
        return True
    return len(after["word"]) == 1 and run not in ("一", "两")
