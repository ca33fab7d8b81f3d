"""The words and characters that sentences are made of: jieba's dictionary, of which only the file is read."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from dataclasses import dataclass
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

_HANZI = re.compile(r"[\u4e00-\u9fa5]+")
_NEEDED = (
    "零一二三四五六七八九十百千万亿两点半分秒号月日年元块毛角钱折倍幺负周礼拜"  # what figures are read with
)
_NOT_WORDS = ("nrt",)  # transliterated names: mostly rare characters
_FLATTENING = 0.6  # words are drawn by frequency to this power, so that rarer ones come up, too
LONGEST_WORD = 4


@dataclass(frozen=True)
class Dictionary:
    """Common characters, and the words written with them alone."""

    characters: tuple[str, ...]  # sorted
    words: tuple[str, ...]  # of two to LONGEST_WORD characters
    cumulative_weights: tuple[float, ...]

    def word(self, random: Random) -> str:
        """Return a word, common ones more often."""
        return random.choices(self.words, cum_weights=self.cumulative_weights)[0]


def read_dictionary(n_characters: int) -> Dictionary:
    """Return the dictionary of the ``n_characters`` most frequent characters (and those of figures)."""
    entries: list[tuple[str, int, str]] = []
    frequencies: Counter[str] = Counter()
    for line in _path().read_text(encoding="utf-8").splitlines():
        word, count, kind = line.split()
        if _HANZI.fullmatch(word):
            entries.append((word, int(count), kind))
            for character in word:
                frequencies[character] += int(count)
    common = {character for character, _ in frequencies.most_common(n_characters)} | set(_NEEDED)
    words = [
        (word, count**_FLATTENING)
        for word, count, kind in entries
        if 2 <= len(word) <= LONGEST_WORD and kind not in _NOT_WORDS and common.issuperset(word)
    ]
    return Dictionary(
        tuple(sorted(common)),
        tuple(word for word, _ in words),
        tuple(itertools.accumulate(weight for _, weight in words)),
    )


def _path() -> Path:
    spec = util.find_spec("jieba")
    assert spec is not None
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "dict.txt"
