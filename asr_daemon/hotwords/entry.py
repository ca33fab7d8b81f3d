"""One line of a hotword file: a word, a replacement, an inclusion, nothing, or a problem.

Enters: a line's text. Leaves: an :data:`Entry`. Nothing raises; what is wrong is a :class:`Problem` in one
sentence of English and one of Chinese, for the person who edits the file.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.hotwords.dressing import (
    BLANK,
    CHINESE,
    QUOTES,
    even_blanks,
    holds_several,
    undress,
    without_numbering,
    without_quotes,
)

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.hotwords.remark import Remark

MAX_WORD_CHARS = 40  # longer ones are sentences: no model was trained on them
MAX_REPLACEMENT_CHARS = 200
MAX_LINE_CHARS = 3 * MAX_REPLACEMENT_CHARS  # without its comment
MAX_MARKS = 8  # accents over one another: no script has more, and putting them in order costs their square

_BLANKS = re.compile(f"[{BLANK}]+")
_COMMENT = re.compile(r"(?:^|\s)[#＃].*$")  # "C#" is a word: a comment follows a blank
# an input method for Chinese makes 》 of >
_ARROW = re.compile(r"[=＝\-－—–]{1,4}[ \t]?[>＞》〉]|[→⇒➔➜➡⟶⟹]")
_INCLUDE = re.compile(r"^[@＠]include(?:\s+(?P<target>.*))?$", re.IGNORECASE)
_MARK = re.compile(r"</?[A-Za-z_|]{1,20}>")  # <s>, <unk>, <blank>: the models' own
_SEPARATOR = re.compile(r"[,，;；、]")
_OTHER_NAME = re.compile(rf"[|｜]|(?<=[{CHINESE}])[ ]?[/／\\][ ]?(?=[{CHINESE}])")
_EQUALS = re.compile(r"[=＝]")
_SENTENCE = re.compile(rf"[。：！？…]|(?<=[{CHINESE}])[:!?~～—–－-]+(?=[{CHINESE}])")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F) if chr(code - 0xFEE0).isalnum()}


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one line."""

    line: int  # from 1
    path: Path
    text: str  # one sentence
    chinese: str  # the same, for the person who edits the file


@dataclass(frozen=True, slots=True)
class Word:
    """A hotword; the parts of a phrase are separated by one space."""

    text: str
    remarks: tuple[Remark, ...] = ()  # on what the line says besides


@dataclass(frozen=True, slots=True)
class Replacement:
    """What is often written wrongly, and how it is written."""

    wrong: str
    right: str


@dataclass(frozen=True, slots=True)
class Include:
    """Another file, as written."""

    target: str


Entry = Word | Replacement | Include | Problem


class _WrongLineError(Exception):
    """Carries the two sentences out of the functions below."""

    def __init__(self, english: str, chinese: str) -> None:
        super().__init__(english)
        self.english = english
        self.chinese = chinese


def parse_line(text: str | None, number: int, path: Path, *, weighted: bool = False) -> Entry | None:
    """Return what the line says; None for a blank line or a comment.

    ``text`` None is undecodable; ``weighted``: whether the list gives weights.
    """
    try:
        return _parse(text, weighted=weighted)
    except _WrongLineError as wrong:
        return Problem(number, path, wrong.english, wrong.chinese)


def _parse(text: str | None, *, weighted: bool) -> Entry | None:
    if text is None:
        raise _WrongLineError(
            "The line is damaged: its bytes are not in the encoding of the rest of the file.",
            "这一行已损坏（编码与文件其余部分不一致），请删除后重新输入，并另存为 UTF-8。",
        )
    text = _COMMENT.sub("", text).strip(BLANK)
    if not text:
        return None
    if len(text) > MAX_LINE_CHARS:  # no list, and not worth a look at its characters
        raise _too_long(text)
    if _has_many_marks(text):
        raise _WrongLineError(
            f"The line has more than {MAX_MARKS} accents on one letter, which no word has.",
            "这一行的一个字母上叠加了过多的附加符号，不能作为热词。",
        )
    text = unicodedata.normalize("NFC", text)
    if any(unicodedata.category(char) == "Cc" and char != "\t" for char in text):
        raise _WrongLineError(
            "The line holds control characters, which no word has.",
            "这一行含有看不见的控制字符，请删除后重新输入。",
        )
    if text.startswith(("//", "／／")):
        raise _WrongLineError("A comment begins with #, not with //.", "注释要以 # 开头，不是 //。")
    if match := _INCLUDE.match(text):
        return _include(match["target"] or "")
    sides = _ARROW.split(text)
    return _replacement(sides) if len(sides) > 1 else _word(sides[0], weighted=weighted)


def _has_many_marks(text: str) -> bool:
    marks = 0
    for char in text:
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > MAX_MARKS:
            return True
    return False


def _too_long(text: str) -> _WrongLineError:
    return _WrongLineError(
        f"The line has {len(text)} characters; a hotword has at most {MAX_WORD_CHARS}.",
        f"这一行有 {len(text)} 个字，热词最多 {MAX_WORD_CHARS} 个字。",
    )


def _include(target: str) -> Include:
    target = target.strip(BLANK).strip("\"'“”")
    if not target:
        raise _WrongLineError("@include names no file.", "@include 后面没有写文件名。")
    return Include(target)


def _replacement(sides: list[str]) -> Replacement:
    sides = [side.strip(BLANK) for side in (without_numbering(sides[0]), *sides[1:])]
    if len(sides) != 2 or not all(sides):  # noqa: PLR2004 (left and right)
        raise _WrongLineError(
            "A replacement needs one wrong form, one arrow and one right form, as in 错词=>正词.",
            "替换的写法是“错词=>正词”：一个箭头，左右两边都要有词。",
        )
    wrong = even_blanks(without_quotes(sides[0])).translate(
        _FULL_WIDTH
    )  # as a model and the normaliser write
    # “错词”=>“正词”; but in 双碳=>“双碳” they are meant
    is_quoted = sides[0][0] in QUOTES and sides[0][0] == sides[1][0]
    right = _BLANKS.sub(" ", without_quotes(sides[1]) if is_quoted else sides[1])
    if wrong == right:
        raise _WrongLineError(
            "Both sides of the replacement are the same.", "箭头两边的词完全一样，替换不起作用。"
        )
    if max(len(wrong), len(right)) > MAX_REPLACEMENT_CHARS:
        raise _WrongLineError(
            f"One side of the replacement is longer than {MAX_REPLACEMENT_CHARS} characters.",
            f"箭头一边的文字超过了 {MAX_REPLACEMENT_CHARS} 个字。",
        )
    return Replacement(wrong, right)


def _word(line: str, *, weighted: bool) -> Word:
    if _MARK.search(line):
        raise _WrongLineError(
            "The line holds a mark of the models themselves, such as <s>, which is no word.",
            "这一行含有 <s> 之类的模型内部标记，不能作为热词。",
        )
    if len(line) > MAX_REPLACEMENT_CHARS:
        raise _too_long(line)
    text, remarks = undress(line, weighted=weighted)
    text = text.translate(_FULL_WIDTH)  # ＡＩ is how an input method writes AI
    _refuse_several(text)
    if len(text) > MAX_WORD_CHARS:
        raise _too_long(text)
    n_chars = sum(char.isalnum() for char in text)
    if not n_chars:
        raise _WrongLineError(
            "The line holds no letter, digit or Chinese character.",
            "这一行没有文字，不能作为热词。",
        )
    if n_chars == 1 and (len(text) == 1 or not text.isascii()):  # C# is a word
        raise _WrongLineError(
            "One character alone would be heard everywhere and do damage: write the whole word.",
            "单个字作为热词会到处误伤，请写完整的词。",
        )
    return Word(text, remarks)


def _refuse_several(text: str) -> None:
    """Raise where a line is not one word, and say how to write what may be meant."""
    if _SEPARATOR.search(text) or holds_several(text):
        raise _WrongLineError(
            "The line holds several words, parted by a comma, an enumeration or a blank: "
            "write every hotword on a line of its own.",
            "一行只能写一个热词，请把用逗号、顿号或空格隔开的词分成多行。",
        )
    if match := _OTHER_NAME.search(text):
        raise _WrongLineError(
            f"The line holds {match[0].strip()} between words: give each a line of its own, or write "
            "错词=>正词 where one is to be replaced by the other.",
            f"一行只能写一个热词：“{match[0].strip()}”隔开的词请分成多行；要把一个替换成另一个，请写“错词=>正词”。",
        )
    if match := _EQUALS.search(text):
        raise _WrongLineError(
            f"{match[0]} does not say which side is wrong: write a replacement with an arrow, 错词=>正词.",
            f"只写“{match[0]}”看不出哪一边是错词：替换请写成“错词=>正词”。",
        )
    if match := _SENTENCE.search(text):
        raise _WrongLineError(
            f"The line holds {match[0]}, which nobody says: write the word without it.",
            f"“{match[0]}”是读不出来的符号，请只写词本身。",
        )
