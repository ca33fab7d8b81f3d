"""Words that people corrected again and again: what may be added to their department's list.

Enters: texts before and after a correction, and where it was made. Leaves: :class:`Learned`, the words that
were corrected at several places, most often first. A changed character is widened to the word around it.
Nothing raises.
"""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rapidfuzz.distance import Levenshtein

from asr_daemon.hotwords.dressing import CHINESE
from asr_daemon.hotwords.entry import Replacement, Word, parse_line
from asr_daemon.transcripts.writers.words import (
    CHEAP,
    PARTICLES,
    PREPOSITIONS,
    PRICE_AFTER_PREPOSITION,
    PRICE_BEFORE_PARTICLE,
    PRICE_IN_NAME,
    cut_prices,
)

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Iterator

OFTEN = 2  # places
MOST_CHARS = 20  # of a word
MOST_WIDENED = 4  # characters on either side
MOST_LEARNED = 100
JOIN_CHARS = 1  # changes no further apart than this are one
_CHINESE = re.compile(f"[{CHINESE}]+")
_NOT_IN_NAMES = frozenset("说讲问答去到在是做写看听想要能")  # what people do whose name stands before it
_LATIN = re.compile(r"[0-9A-Za-zÀ-ÖØ-öø-ɏ]")


@dataclass(frozen=True, slots=True)
class Corrected:
    """A text that somebody wrote in place of another; ``where`` tells places apart."""

    where: Hashable
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class Learned:
    """A word that was written in place of another; ``line`` is what the list is to say."""

    wrong: str
    right: str
    times: int
    is_hotword: bool  # it is about as long as what was heard: the model may learn to hear it
    line: str


def learn(
    corrected: Iterable[Corrected], known_words: Iterable[str], known_replacements: Iterable[tuple[str, str]]
) -> tuple[Learned, ...]:
    """Return what was corrected at ``OFTEN`` places or more, and is not in the list yet."""
    places: dict[tuple[str, str], set[Hashable]] = defaultdict(set)
    for each in corrected:
        for change in _changes(each.before, each.after):
            for pair in change.forms():
                places[pair].add(each.where)
    words, replacements = set(known_words), set(known_replacements)
    found = [
        learned
        for (wrong, right), where in _longest(places)
        if (learned := _learned(wrong, right, len(where))) is not None
    ]
    fresh = [
        each
        for each in found
        if (each.right not in words if each.is_hotword else (each.wrong, each.right) not in replacements)
    ]
    return tuple(sorted(fresh, key=lambda each: (-each.times, each.right)))[:MOST_LEARNED]


@dataclass(frozen=True, slots=True)
class _Change:
    """What was written in place of what, and the parts of words to the left and right of it."""

    wrong: str
    right: str
    before: str
    behind: str

    def forms(self) -> Iterator[tuple[str, str]]:
        """Yield the change alone, and with more and more of what is around it."""
        for first in range(len(self.before) + 1):
            for last in range(len(self.behind) + 1):
                left, after = self.before[first:], self.behind[:last]
                wrong, right = left + self.wrong + after, left + self.right + after
                if 0 < len(wrong) <= MOST_CHARS and 0 < len(right) <= MOST_CHARS:
                    yield wrong, right


def _longest(
    places: dict[tuple[str, str], set[Hashable]],
) -> Iterator[tuple[tuple[str, str], set[Hashable]]]:
    """Yield what was corrected often; of forms within one another the longest, and what has more places."""
    taken: list[tuple[tuple[str, str], set[Hashable]]] = []
    often = [(pair, where) for pair, where in places.items() if len(where) >= OFTEN]
    for pair, where in sorted(often, key=lambda each: -len(each[0][1])):
        covered = {
            place
            for (wrong, right), there in taken
            if pair[0] in wrong and pair[1] in right
            for place in there
        }
        if len(where - covered) >= OFTEN or not covered & where:
            taken.append((pair, where))
            yield pair, where


def _learned(wrong: str, right: str, times: int) -> Learned | None:
    is_alike = len(wrong) == len(right) and all(map(_CHINESE.fullmatch, (wrong, right)))
    for line, kind in ((right, Word), (f"{wrong}=>{right}", Replacement)):
        if kind is Word and not is_alike:
            continue
        entry = parse_line(line, 1, Path("-"))
        if isinstance(entry, Word) and entry.text == right:
            return Learned(wrong, right, times, is_hotword=True, line=line)
        if isinstance(entry, Replacement) and (entry.wrong, entry.right) == (wrong, right):
            return Learned(wrong, right, times, is_hotword=False, line=line)
    return None


def _changes(before: str, after: str) -> Iterator[_Change]:
    """Yield what was written in place of what, with what belongs to the words around it."""
    spans: list[tuple[int, int, int, int]] = []
    for step in Levenshtein.opcodes(before, after):
        if step.tag == "equal":
            continue
        here = (step.src_start, step.src_end, step.dest_start, step.dest_end)
        if spans and here[0] - spans[-1][1] <= JOIN_CHARS:
            spans[-1] = (spans[-1][0], here[1], spans[-1][2], here[3])
        else:
            spans.append(here)
    prices = cut_prices(after) if spans else []
    for number, (start, end, new_start, new_end) in enumerate(spans):
        if not _says(before[start:end]) and not _says(after[new_start:new_end]):
            continue  # marks alone
        floor = spans[number - 1][3] if number else 0
        ceiling = spans[number + 1][2] if number + 1 < len(spans) else len(after)
        low, high = _widened(after, prices, (new_start, new_end), floor, ceiling)
        wrong, right = before[start:end], after[new_start:new_end]
        yield _Change(wrong, right, after[low:new_start], after[new_end:high])


def _widened(
    text: str, prices: list[float], place: tuple[int, int], floor: int, ceiling: int
) -> tuple[int, int]:
    low, high = place
    floor, ceiling = max(floor, low - MOST_WIDENED), min(ceiling, high + MOST_WIDENED)
    while low > floor and _belong(text, prices, low):
        low -= 1
    while high < ceiling and _belong(text, prices, high):
        high += 1
    if high - low == 1 and _CHINESE.fullmatch(text[low:high]):  # one character alone is no word
        if high < ceiling and _CHINESE.fullmatch(text[high]):
            high += 1
        elif low > floor and _CHINESE.fullmatch(text[low - 1]):
            low -= 1
    return low, high


def _belong(text: str, prices: list[float], at: int) -> bool:
    """Return whether the characters before and behind a place are of one word."""
    left, right = text[at - 1], text[at]
    if not (left.isalnum() and right.isalnum()):
        return False
    if _LATIN.match(left) and _LATIN.match(right):
        return True
    # Prices say where a line ends well; a word ends as well between 请 or 和 and a name, or before 的 or 说.
    limits = (
        PRICE_AFTER_PREPOSITION if left in PREPOSITIONS else 0.0,
        PRICE_BEFORE_PARTICLE if right in PARTICLES else 0.0,
        PRICE_IN_NAME if right in _NOT_IN_NAMES else 0.0,
    )
    return prices[at] > max(CHEAP, *limits)


def _says(text: str) -> bool:
    return any(map(str.isalnum, text))
