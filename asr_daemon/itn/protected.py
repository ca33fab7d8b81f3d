"""Words whose numerals stay: the package's list, and the user's.

A word may name neighbours beside which it is no such word: ``[^满|得]十分[^钟|之]`` is the adverb 十分, but
not in 满十分 or 十分钟. ``N`` among the neighbours is any numeral, ``L`` any Latin letter, ``$`` the text's
end. The list is ``protected_words.txt``: words parted by blanks, ``#`` begins a comment. Only numerals ever
change, so a word without any protects nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from string import ascii_letters
from typing import TYPE_CHECKING

from asr_daemon.itn.characters import NUMERALS, fold
from asr_daemon.itn.lists import words_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_ENTRY = re.compile(r"(?:\[\^(?P<before>[^\]]*)\])?(?P<word>[^\[\]]+)(?:\[\^(?P<after>[^\]]*)\])?")
_CLASSES = {"N": tuple(NUMERALS + "0123456789"), "L": tuple(ascii_letters)}


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """What must not stand before, and after, a word."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


def _alternatives(text: str | None) -> tuple[str, ...]:
    """Return the neighbours a bracket names."""
    parts = [part for part in (text or "").split("|") if part]
    return tuple(each for part in parts for each in _CLASSES.get(part, (part,)))


def package_words() -> tuple[str, ...]:
    """Return the entries of the package's own list."""
    return words_of("protected_words.txt")


class ProtectedWords:
    """Finds protected words around numerals; the index is by each word's first numeral and its neighbour."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self._index: dict[str, list[tuple[int, str, _Neighbours]]] = {}
        for entry in package_words():
            self._add(entry)
        for word in extra:
            if word.strip():
                self._add(word.strip())

    def _add(self, entry: str) -> None:
        match = _ENTRY.fullmatch(fold(entry))
        before, word, after = match.group("before", "word", "after") if match else ("", fold(entry), "")
        offset = next((place for place, character in enumerate(word) if character in NUMERALS), None)
        if offset is None:
            return
        key = word[offset : offset + 2] if offset + 1 < len(word) else word[max(0, offset - 1) : offset + 1]
        neighbours = _Neighbours(_alternatives(before), _alternatives(after))
        self._index.setdefault(key, []).append((offset, word, neighbours))

    def around(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        """Return where words stand whose first numeral is in ``text[start:end]``, the longest first.

        ``text`` is folded.
        """
        found: list[tuple[int, int]] = []
        for place in range(start, end):
            for key in (text[place : place + 2], text[max(0, place - 1) : place + 1], text[place]):
                for offset, word, each in self._index.get(key, ()):
                    first = place - offset
                    last = first + len(word)
                    if (
                        first >= 0
                        and text.startswith(word, first)
                        and not text.startswith(each.after, last)
                        and not text.endswith(each.before, 0, first)
                        and not ("$" in each.after and last == len(text))
                    ):
                        found.append((first, last))
        found.sort(key=lambda place: (place[0], -place[1]))
        return found
