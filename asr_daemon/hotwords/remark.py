"""A sentence for the people who edit a hotword list, in English and in Chinese.

An administrator runs the check, a department reads its answer: each sentence is there in both languages, and
``Language`` says which of them is shown.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Language = Literal["zh", "en", "both"]


@dataclass(frozen=True, slots=True)
class Remark:
    """What is to be said of a line or of a list."""

    english: str
    chinese: str

    def lines(self, language: Language) -> list[str]:
        """Return what is shown, a language a line."""
        shown = {"zh": [self.chinese], "en": [self.english], "both": [self.english, self.chinese]}
        return shown[language]
