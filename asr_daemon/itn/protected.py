"""Words whose numerals stay: the package's list, and the user's.

A word may name neighbours beside which it is no such word: ``[^满|得]十分[^钟|之]`` is the adverb 十分, but
not in 满十分 or 十分钟. ``N`` among the neighbours is any numeral, ``L`` any Latin letter, ``$`` the text's
end. The list is ``protected_words.txt``: words parted by blanks, ``#`` begins a comment. Only numerals ever
change, so a word without any protects nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from string import ascii_letters
from typing import TYPE_CHECKING

from asr_daemon.itn.characters import NUMERALS, fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LIST = Path(__file__).with_name("protected_words.txt")
_ENTRY = re.compile(r"(?:\[\^(?P<before>[^\]]*)\])?(?P<word>[^\[\]]+)(?:\[\^(?P<after>[^\]]*)\])?")
_CLASSES = {"N": tuple(NUMERALS + "0123456789"), "L": tuple(ascii_letters)}


@dataclass(frozen=True, slots=True)
class _Neighbours:
    """What must not stand before, and after, a word."""

    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Anchored:
    """Words that share their first numeral, its place in the word, and their length."""

    offset: int
    length: int
    words: dict[str, tuple[_Neighbours, ...]] = field(default_factory=dict)


def _alternatives(text: str | None) -> tuple[str, ...]:
    """Return the neighbours a bracket names."""
    parts = [part for part in (text or "").split("|") if part]
    return tuple(each for part in parts for each in _CLASSES.get(part, (part,)))


def _entries(lines: Iterable[str]) -> Iterator[str]:
    """Yield the entries of a list, without comments."""
    for line in lines:
        yield from line.partition("#")[0].split()


@lru_cache(maxsize=1)
def package_words() -> tuple[str, ...]:
    """Return the entries of the package's own list."""
    return tuple(_entries(_LIST.read_text(encoding="utf-8").splitlines()))


class ProtectedWords:
    """Finds protected words around numerals; the index is by each word's first numeral."""

    def __init__(self, extra: Iterable[str] = ()) -> None:
        self._index: dict[str, dict[tuple[int, int], _Anchored]] = {}
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
        anchored = self._index.setdefault(word[offset], {}).setdefault(
            (offset, len(word)), _Anchored(offset, len(word))
        )
        neighbours = _Neighbours(_alternatives(before), _alternatives(after))
        anchored.words[word] = (*anchored.words.get(word, ()), neighbours)

    def around(self, text: str, start: int, end: int) -> list[tuple[int, int]]:
        """Return where words stand whose first numeral is in ``text[start:end]``, the longest first.

        ``text`` is folded.
        """
        found: list[tuple[int, int]] = []
        for place in range(start, end):
            for anchored in self._index.get(text[place], {}).values():
                first = place - anchored.offset
                last = first + anchored.length
                if first < 0:
                    continue
                conditions = anchored.words.get(text[first:last])
                if conditions and any(
                    not text.startswith(each.after, last)
                    and not text.endswith(each.before, 0, first)
                    and not ("$" in each.after and last == len(text))
                    for each in conditions
                ):
                    found.append((first, last))
        found.sort(key=lambda place: (place[0], -place[1]))
        return found
