"""One line of a hotword file: a word, a replacement, an inclusion, nothing, or a problem.

Enters: a line's text. Leaves: an :data:`Entry`. Nothing raises; what is wrong is a :class:`Problem` in one
sentence of English and one of Chinese, for the person who edits the file.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

MAX_WORD_CHARS = 40  # longer ones are sentences: no model was trained on them
MAX_REPLACEMENT_CHARS = 200

_BLANK = " \t\u00a0\u3000\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u202a\u202b\u202c\u202d\u202e"
_BLANKS = re.compile(f"[{_BLANK}]+")
_COMMENT = re.compile(r"(?:^|\s)[#＃].*$")  # "C#" is a word: a comment follows a blank
_ARROW = re.compile(r"[=＝-][>＞]|→|⇒")
_INCLUDE = re.compile(r"^[@＠]include(?:\s+(?P<target>.*))?$", re.IGNORECASE)
_MARK = re.compile(r"</?[A-Za-z_|]{1,20}>")  # <s>, <unk>, <blank>: the models' own
_SEPARATOR = re.compile(r"[,，;；、]")
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


def parse_line(text: str | None, number: int, path: Path) -> Entry | None:
    """Return what the line says; None for a blank line or a comment. ``text`` None is undecodable."""
    try:
        return _parse(text)
    except _WrongLineError as wrong:
        return Problem(number, path, wrong.english, wrong.chinese)


def _parse(text: str | None) -> Entry | None:
    if text is None:
        raise _WrongLineError(
            "The line is damaged: its bytes are not in the encoding of the rest of the file.",
            "这一行已损坏（编码与文件其余部分不一致），请删除后重新输入，并另存为 UTF-8。",
        )
    if len(text) > 100 * MAX_REPLACEMENT_CHARS:  # no list, and not worth a regular expression
        raise _WrongLineError(
            f"The line has {len(text)} characters; a hotword has at most {MAX_WORD_CHARS}.",
            f"这一行有 {len(text)} 个字，热词最多 {MAX_WORD_CHARS} 个字。",
        )
    text = _COMMENT.sub("", unicodedata.normalize("NFC", text)).strip(_BLANK)
    if not text:
        return None
    if any(unicodedata.category(char) == "Cc" and char != "\t" for char in text):
        raise _WrongLineError(
            "The line holds control characters, which no word has.",
            "这一行含有看不见的控制字符，请删除后重新输入。",
        )
    if match := _INCLUDE.match(text):
        return _include(match["target"] or "")
    sides = [_BLANKS.sub(" ", side).strip(_BLANK) for side in _ARROW.split(text)]
    return _replacement(sides) if len(sides) > 1 else _word(sides[0])


def _include(target: str) -> Include:
    target = target.strip(_BLANK).strip("\"'“”")
    if not target:
        raise _WrongLineError("@include names no file.", "@include 后面没有写文件名。")
    return Include(target)


def _replacement(sides: list[str]) -> Replacement:
    if len(sides) != 2 or not all(sides):  # noqa: PLR2004 (left and right)
        raise _WrongLineError(
            "A replacement needs one wrong form, one arrow and one right form, as in 错词=>正词.",
            "替换的写法是“错词=>正词”：一个箭头，左右两边都要有词。",
        )
    wrong, right = sides
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


def _word(text: str) -> Word:
    text = text.translate(_FULL_WIDTH)  # ＡＩ is how an input method writes AI
    if _MARK.search(text):
        raise _WrongLineError(
            "The line holds a mark of the models themselves, such as <s>, which is no word.",
            "这一行含有 <s> 之类的模型内部标记，不能作为热词。",
        )
    if _SEPARATOR.search(text):
        raise _WrongLineError(
            "The line holds a comma or an enumeration: write every hotword on a line of its own.",
            "一行只能写一个热词，请把用逗号、顿号隔开的词分成多行。",
        )
    if len(text) > MAX_WORD_CHARS:
        raise _WrongLineError(
            f"The line has {len(text)} characters; a hotword has at most {MAX_WORD_CHARS}.",
            f"这一行有 {len(text)} 个字，热词最多 {MAX_WORD_CHARS} 个字。",
        )
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
    return Word(text)
