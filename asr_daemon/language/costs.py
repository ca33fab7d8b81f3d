"""How likely a stretch of ordinary Chinese is, so that no hotword takes the place of what was said rightly.

A text costs what its cheapest division into words costs, each word -log of its share in jieba's dictionary.
The dictionary is read as a file: jieba itself is not imported (it keeps a cache where anybody may write).
"""

from __future__ import annotations

import math
from functools import cache
from typing import Protocol

from asr_daemon.language.dictionary import dictionary_path

MAX_CHARS = 6  # of a word
MIN_COUNT = 4  # rarer entries would cost nearly as much as their characters
MAX_CHAR_COST = 10.5  # of any one character, in nats: a recogniser that writes a rare one means it
NUMERAL_COST = 3.0  # of a numeral after another: figures are in no dictionary
_NUMERALS = frozenset("零〇一二两三四五六七八九十百千万亿点幺")


class Costs(Protocol):
    """What words cost."""

    def get(self, word: str, /) -> float | None:
        """Return the word's cost in nats; None where it is no word."""


@cache
def word_costs() -> dict[str, float]:
    """Return {word: -log of its share}, in nats; empty where jieba is not installed."""
    path = dictionary_path()
    if path is None:
        return {}
    counts: dict[str, int] = {}
    with path.open(encoding="utf-8") as file:
        for line in file:
            word, count, _ = line.split(" ", 2)
            if len(word) <= MAX_CHARS and int(count) >= MIN_COUNT:
                counts[word] = int(count)
    total = math.log(sum(counts.values()))
    costs = {word: total - math.log(count) for word, count in counts.items()}
    return {word: min(cost, MAX_CHAR_COST) if len(word) == 1 else cost for word, cost in costs.items()}


def text_costs(text: str, costs: Costs | None = None) -> tuple[list[float], list[float]]:
    """Return the costs of ``text[:i]`` and of ``text[i:]`` for every i from 0 to ``len(text)``.

    ``costs``: of the words; ``word_costs()`` where none are given.
    """
    costs = word_costs() if costs is None else costs
    before = _prefix_costs(text, costs, reverse=False)
    after = _prefix_costs(text, costs, reverse=True)
    return before, after[::-1]


def _prefix_costs(text: str, costs: Costs, *, reverse: bool) -> list[float]:
    """Return the costs of the first i characters (with ``reverse``: of the last i)."""
    if reverse:
        text = text[::-1]
    best = [0.0]
    for end in range(1, len(text) + 1):
        cheapest = best[end - 1] + _char_cost(text, end - 1, costs)
        for length in range(2, min(MAX_CHARS, end) + 1):
            word = text[end - length : end]
            cost = costs.get(word[::-1] if reverse else word)
            if cost is not None and best[end - length] + cost < cheapest:
                cheapest = best[end - length] + cost
        best.append(cheapest)
    return best


def _char_cost(text: str, position: int, costs: Costs) -> float:
    """Return the cost of a character that stands for itself, given the one before it."""
    char = text[position]
    if position and char in _NUMERALS and text[position - 1] in _NUMERALS:
        return NUMERAL_COST
    cost = costs.get(char)
    return MAX_CHAR_COST if cost is None else cost
