"""jieba's dictionary, looked up in its text: a third of the memory of a dict, a fifth of its speed.

For the daemon, which cuts subtitles between words and is to stay small; recognisers take ``word_costs``.
"""

from __future__ import annotations

import math
import re
from functools import cache, lru_cache

from asr_daemon.language.costs import MAX_CHAR_COST, MAX_CHARS, MIN_COUNT
from asr_daemon.language.dictionary import dictionary_path

KEPT_COUNTS = 10_000  # a speaker's words come again
_ENTRY = re.compile(rb"\n([^ \n]+) ([0-9]+)(?= )")


class WordCosts:
    """{word: -log of its share}, in nats, looked up in the dictionary's text: ``word count tag`` a line."""

    def __init__(self, text: bytes) -> None:
        self._text = b"\n" + text
        self._places: dict[str, tuple[int, int]] = {}  # first character: where its words begin and end
        self._others: dict[str, int] = {}  # counts of characters, and of words apart from their like
        total, first = 0, ""
        for match in _ENTRY.finditer(self._text):
            word, count = match[1].decode(), int(match[2])
            if len(word) > MAX_CHARS or count < MIN_COUNT:
                continue
            total += count
            if word[0] not in self._places:
                first = word[0]
            if word[0] == first:
                self._places[first] = (self._places.get(first, match.span())[0], match.end())
            if len(word) == 1 or word[0] != first:
                self._others[word] = count
        self._total = math.log(max(1, total))
        self._count = lru_cache(KEPT_COUNTS)(self._look_up)

    def get(self, word: str) -> float | None:
        """Return the word's cost; None where it is no word."""
        count = self._others.get(word) or (self._count(word) if len(word) > 1 else 0)
        if not count:
            return None
        cost = self._total - math.log(count)
        return min(cost, MAX_CHAR_COST) if len(word) == 1 else cost

    def _look_up(self, word: str) -> int:
        """Return how often a word of two characters and more was counted; 0 where it does not count."""
        place = self._places.get(word[0])
        if place is None or len(word) > MAX_CHARS:
            return 0
        entry = b"\n" + word.encode("utf-8", "replace") + b" "
        at = self._text.find(entry, *place)
        if at < 0:
            return 0
        at += len(entry)
        count = int(self._text[at : self._text.index(b" ", at)])
        return count if count >= MIN_COUNT else 0


@cache
def small_word_costs() -> WordCosts:
    """Return the costs of jieba's words; none where jieba is not installed."""
    path = dictionary_path()
    return WordCosts(path.read_bytes() if path else b"")
