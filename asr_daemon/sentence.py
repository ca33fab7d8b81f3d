"""A sentence in English, for journal and programs, that carries the same in Chinese along, for the console.

What is wrong with an inbox, a model or the backups is said where it is found, and shown far from there: the
text that travels is an ordinary string.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing_extensions import Self

UNTOLD = "出了问题，请联系管理员查看系统日志。"


class Sentence(str):
    """The English one; ``chinese`` is the other."""

    __slots__ = ("chinese",)
    chinese: str

    def __new__(cls, english: str, chinese: str) -> Self:
        """Return the sentence; ends and begins as each language has it."""
        made = super().__new__(cls, english)
        made.chinese = chinese
        return made

    def __reduce__(self) -> tuple[type[Sentence], tuple[str, str]]:
        """Return what a copy is made of."""
        return Sentence, (str(self), self.chinese)


def chinese_of(text: str) -> str:
    """Return the Chinese of a sentence, "" of none; one that has none is said to be the administrator's."""
    if not text:
        return ""
    return text.chinese if isinstance(text, Sentence) else UNTOLD
