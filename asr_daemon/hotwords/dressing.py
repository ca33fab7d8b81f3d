"""What people write around a word in a list: numbers in front, weights behind, quotation marks, notes.

Enters: a line without its comment. Leaves: the bare word and what is to be said of what was left out.
Nothing raises. Lists come from FunASR (``词 20``), from tables (``词<TAB>5``, ``词,5``), from JSON
(``"词": 20,``) and from Word (``1、词``, ``• 词``, ``《词》``, ``张　三``, ``词（财务部）``). No model hears
what stands around the words there: a word taken along with it would silently never be found.
"""

from __future__ import annotations

import re

from asr_daemon.hotwords.remark import Remark

MAX_WEIGHT = 100.0  # of FunASR; 会议室 301 is a name
BLANK = " \t\u00a0\u3000\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
CHINESE = "\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # 〇 is the first

_BLANKS = re.compile(f"[{BLANK}]+")
_BLANK_INSIDE = re.compile(f"(?<=[{CHINESE}]) (?=[{CHINESE}])")
_SEVERAL = re.compile(f"[{CHINESE}]{{2}}[{BLANK}]+[{CHINESE}]{{2}}")
# 58.com and 3.5 are no numbered lines
_NUMBERING = re.compile(
    rf"""(?: [-*+–—•·●○◆◇■□▪★☆※√✓✔]{{1,3}} [{BLANK}]+ | [•·●○◆◇■□▪★☆※√✓✔]
           | [(（] \d{{1,3}} [)）] | \d{{1,3}} [.．] (?![0-9A-Za-z]) | \d{{1,3}} [{BLANK}]* [、)）] (?!\d)
           | [①-⑳] | [一二三四五六七八九十]{{1,3}}、 ) [{BLANK}]* (?=\S)""",
    re.VERBOSE,
)
_WEIGHT = re.compile(
    rf"""(?P<word>.*[^{BLANK}:：,，;；=＝])
         (?: [{BLANK}]* (?: (?P<mark>[:：,，;；=＝]) | \t ) [{BLANK}]* | (?P<blank>[{BLANK}]+) )
         (?P<weight>[-+]?\d{{1,3}}(?:\.\d{{1,3}})?)""",
    re.VERBOSE,
)
_OPENING, _CLOSING = "“”“‘「『\"'＂《〈【〔（([{", "””“’」』\"'＂》〉】〕）)]}"
QUOTES = frozenset(_OPENING[:9])
_NEVER_SAID = '“”「」『』《》〈〉【】〔〕（）()[]{}"＂·‧•・'
_NOTE = re.compile(
    rf"(?P<word>[^（(【\[]*[^（(【\[{BLANK}])[{BLANK}]*[（(【\[](?P<note>[^（()）【】\[\]]*)[)）】\]]"
)
_ENDING = re.compile(rf"[,，;；、。：:！？…]+$|(?<=[{CHINESE}”》」』】])[.!?]+$")


def holds_several(text: str) -> bool:
    """Whether blanks part Chinese words: 张三 李四, not 张　三 and not 王 小明."""
    return bool(_SEVERAL.search(text))


def carries_weight(text: str) -> bool:
    """Whether a line is, beyond doubt, a Chinese word with FunASR's weight."""
    match = _WEIGHT.fullmatch(_single_blanks(text))
    return match is not None and _is_weight(match, weighted=False)


def _single_blanks(text: str) -> str:
    """Return a text whose runs of blanks are one: a tab where they hold one.

    The patterns of this file would weigh each of a run's blanks against each other.
    """
    return _BLANKS.sub(
        lambda run: run[0] if len(run[0]) == 1 else "\t" if "\t" in run[0] else " ", text.strip(BLANK)
    )


def without_numbering(text: str) -> str:
    """Return a line without the number or the sign that it has as one of a list."""
    return _NUMBERING.sub("", text, count=1) if _NUMBERING.match(text) else text


def without_quotes(text: str) -> str:
    """Return what stands between quotation marks or brackets around the whole."""
    for pair in zip(_OPENING, _CLOSING, strict=True):
        inside = text[1:-1].strip(BLANK)
        if len(text) > 1 and (text[0], text[-1]) == pair and not set(pair) & set(inside):
            return without_quotes(inside)
    return text


def even_blanks(text: str) -> str:
    """Return a text with single blanks, none between Chinese characters (张　三 stands below 王小明)."""
    return _BLANK_INSIDE.sub("", _BLANKS.sub(" ", text).strip(BLANK))


def undress(text: str, *, weighted: bool) -> tuple[str, tuple[Remark, ...]]:
    """Return the bare word of a line and what is to be said of the rest.

    ``weighted``: whether the list gives weights, so that a number behind a Latin word is one as well.
    """
    remarks: list[Remark] = []
    text = without_numbering(_single_blanks(text))
    before = None
    while before != text:
        before = text
        text = without_quotes(_ENDING.sub("", text).strip(BLANK))
        if (match := _WEIGHT.fullmatch(text)) and _is_weight(match, weighted=weighted):
            text = match["word"]
            remarks.append(_weight_remark(match["weight"]))
        elif (match := _NOTE.fullmatch(text)) and _is_note(match):
            text = match["word"]
            remarks.append(_note_remark(match["note"]))
    bare = _without_marks(text)
    if not holds_several(bare):
        bare = even_blanks(bare)
    if bare != _BLANKS.sub(" ", text) and bare:
        remarks.append(
            Remark(
                "Blanks between Chinese characters, and marks that nobody says, do not count: "
                f"it is taken as {bare}.",
                f"汉字之间的空格和读不出来的符号不起作用，按“{bare}”处理。",
            )
        )
    return bare, tuple(remarks)


def _is_weight(match: re.Match[str], *, weighted: bool) -> bool:
    word = without_quotes(match["word"].strip(BLANK))
    if abs(float(match["weight"])) > MAX_WEIGHT or "/" in word or not word:
        return False
    if match["mark"]:
        return not word[-1].isdigit()  # 比分3:2
    is_chinese = bool(re.search(f"[{CHINESE}]$", word)) or word != match["word"].strip(BLANK)
    return weighted or is_chinese or "\t" in match[0]


def _is_note(match: re.Match[str]) -> bool:
    """Whether brackets at the end hold a note: f(x) is something else."""
    return sum(map(str.isalnum, match["word"])) > 1 and not match[0].isascii()


def _without_marks(text: str) -> str:
    """Return the word without quotation marks, brackets and the dots of foreign names."""
    if not re.search(f"[{CHINESE}]", text):
        return text  # (a+b) and the like are somebody's business
    return "".join(char for char in text if char not in _NEVER_SAID)


def _weight_remark(weight: str) -> Remark:
    return Remark(
        f"The {weight} behind the word is taken for a weight, and weights have no effect here.",
        f"词后面的“{weight}”当作权重；权重在这里不起作用，可以不写。",
    )


def _note_remark(note: str) -> Remark:
    return Remark(
        f"What stands in brackets ({note}) is taken for a note; if it is a word as well, give it a line.",
        f"括号里的“{note}”当作备注；如果它也是热词，请另写一行。",
    )
