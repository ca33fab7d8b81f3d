"""Words of a hotword list: what somebody wrote down as a name is written so, numerals and all.

Unlike protected words they have no conditions, win against every reading of their numerals, and may be
thousands: they are found by their first numeral and the character beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.itn.characters import MASK, NUMERALS, fold

if TYPE_CHECKING:
    from collections.abc import Iterable

_RANKS = "百千万亿"


class ListedWords:
    """Finds listed words that hold numerals; a word without any has nothing to lose."""

    def __init__(self, words: Iterable[str]) -> None:
        self._index: dict[str, list[tuple[int, str]]] = {}
        for word in dict.fromkeys(words):
            for folded in {fold(word), fold("".join(word.split()))}:
                place = next((place for place, each in enumerate(folded) if each in NUMERALS), None)
                if place is not None and len(folded) > 1:
                    key = (
                        folded[place : place + 2]
                        if place + 1 < len(folded)
                        else folded[place - 1 : place + 1]
                    )
                    self._index.setdefault(key, []).append((place, folded))
        for found in self._index.values():
            found.sort(key=lambda entry: -len(entry[1]))

    def hide(self, text: str) -> str:
        """Return the folded ``text`` with the numerals of listed words masked; same length."""
        if not self._index:
            return text
        hidden = list(text)
        done = 0
        for place, character in enumerate(text):
            if character not in NUMERALS or place < done:
                continue
            for key in (text[place : place + 2], text[max(0, place - 1) : place + 1]):
                for offset, word in self._index.get(key, ()):
                    start = place - offset
                    if start >= done and text.startswith(word, start) and _stands_alone(text, start, word):
                        done = start + len(word)
                        break
                else:
                    continue
                hidden[start:done] = [MASK if each in NUMERALS else each for each in word]
                break
        return "".join(hidden)


def _stands_alone(text: str, start: int, word: str) -> bool:
    """Return whether a word is no part of a longer number: 五一 in 二五一, 第一 in 第一百条."""
    end = start + len(word)
    before, after = text[max(0, start - 1) : start], text[end : end + 1]
    if before and before in NUMERALS and word[0] in NUMERALS:
        return False
    if not after or after not in NUMERALS or word[-1] not in NUMERALS:
        return True
    return word[0] not in NUMERALS and word[0] != "第" and after not in _RANKS  # 王二|十五号
