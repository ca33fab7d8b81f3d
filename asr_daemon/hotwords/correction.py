"""After decoding: explicit replacements, and words that sound like a hotword but are written otherwise.

Enters: a segment's raw text. Leaves: the corrected text and, for each place, what it was before, in offsets
of the raw text. Nothing raises.

Phonetic correction lets every hotword contest every stretch of as many Chinese characters (contest.py), at
the cost of each sound misheard (phonetics.py).
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.hotwords.contest import MIN_GAIN, Claim, Unlisted, hotword_costs, keeps, winners
from asr_daemon.hotwords.phonetics import Syllable, distance, syllables
from asr_daemon.hotwords.replacement import Replacements
from asr_daemon.transcripts.transcript import Correction

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

_Char = tuple[str, "Syllable | None"]  # a character and its sound

MIN_CHARS = 2
HOMOPHONE_COST = 1.5  # of a character that sounds the same and is written otherwise
SOUND_COST = 12.0  # of a distance of 1
CLOSE_DISTANCE = 0.1  # at least half of the characters must sound this much alike
MAX_DISTANCE = 0.3  # of any character: sounds that are mixed up, not any other consonant


@dataclass(frozen=True, slots=True)
class Corrected:
    """A segment's text after correction."""

    text: str
    corrections: tuple[Correction, ...]  # in the order of the text, not overlapping


@dataclass(frozen=True, slots=True)
class _Group:
    """The hotwords of one length."""

    words: dict[str, int]  # word: its row
    chars: NDArray[np.int64]  # [length, n_words]: index in Corrector._chars
    costs: NDArray[np.float32]  # [n_words]


class Corrector:
    """The corrections of one hotword list; made once per list, used for every segment."""

    def __init__(
        self, hotwords: Sequence[str], replacements: Sequence[tuple[str, str]], phonetic: bool
    ) -> None:
        self._replacements = Replacements(replacements)
        self._chars: dict[_Char, int] = {}  # of the hotwords
        self._groups = self._group(hotwords) if phonetic else {}
        self._rows: dict[tuple[str, Syllable | None], NDArray[np.float32]] = {}

    def correct(self, text: str) -> Corrected:
        """Return the text with everything replaced that should be."""
        corrections = self._replaced(text)
        if self._groups and text:
            taken = [False] * len(text)
            for correction in corrections:
                taken[correction.raw_start : correction.raw_end] = [True] * len(correction.before)
            corrections += self._sounding(text, taken)
            corrections.sort(key=lambda correction: correction.raw_start)
        pieces, at = [], 0
        for correction in corrections:
            pieces += [text[at : correction.raw_start], correction.after]
            at = correction.raw_end
        return Corrected("".join([*pieces, text[at:]]), tuple(corrections))

    def _group(self, hotwords: Sequence[str]) -> dict[int, _Group]:
        spelled: dict[int, dict[str, list[int]]] = {}
        for word in hotwords:
            sounds = syllables(word)
            if len(word) >= MIN_CHARS and len(sounds) == len(word) and None not in sounds:
                spelled.setdefault(len(word), {})[word] = [
                    self._chars.setdefault((char, sound), len(self._chars))
                    for char, sound in zip(word, sounds, strict=True)
                ]
        costs = dict(
            zip(all_words := [*itertools.chain(*spelled.values())], hotword_costs(all_words), strict=True)
        )
        return {
            length: _Group(
                words={word: row for row, word in enumerate(words)},
                chars=np.array(list(words.values())).T.copy(),
                costs=np.array([costs[word] for word in words], np.float32),
            )
            for length, words in sorted(spelled.items(), reverse=True)
        }

    def _replaced(self, text: str) -> list[Correction]:
        """Return the explicit replacements in order; what was put in is not looked at again."""
        found = list(self._replacements.find(text))
        taken = [(one.start, one.end) for one in found]
        found += [
            one
            for one in self._replacements.find_written(text)
            if not any(one.start < end and one.end > start for start, end in taken)
        ]
        return [
            Correction(one.start, one.end, text[one.start : one.end], one.right, "replacement")
            for one in sorted(found, key=lambda one: one.start)
        ]

    def _sounding(self, text: str, taken: list[bool]) -> Iterator[Correction]:
        """Yield the phonetic corrections, none on a character that is ``taken``."""
        for claim in winners(self._claims(text), taken):
            before = text[claim.start : claim.end]
            yield Correction(claim.start, claim.end, before, claim.word, "phonetic")

    def _claims(self, text: str) -> list[Claim]:
        """Return the hotwords that sound like a stretch and change none that is written right."""
        sounds = syllables(text)
        misheard = np.stack([self._row(char, sound) for char, sound in zip(text, sounds, strict=True)])
        is_close = misheard <= HOMOPHONE_COST + SOUND_COST * CLOSE_DISTANCE
        unlisted = Unlisted(text)
        settled = [False] * len(text)
        claims: list[Claim] = []
        for length, group in self._groups.items():
            words = tuple(group.words)
            for start in range(len(text) - length + 1):
                end = start + length
                if text[start:end] in group.words:
                    settled[start:end] = [True] * length
                    continue
                most = unlisted.cost(start, end) - float(group.costs.min()) - MIN_GAIN
                if most < 0 or None in sounds[start:end]:
                    continue
                n_close = np.zeros(len(words), np.int8)
                for offset in range(length):
                    n_close += is_close[start + offset][group.chars[offset]]
                rows = np.flatnonzero(2 * n_close >= length)
                each = np.stack([misheard[start + k][group.chars[k][rows]] for k in range(length)])
                gains = unlisted.cost(start, end) - group.costs[rows] - each.sum(axis=0)
                fits = (gains >= MIN_GAIN) & (each.max(axis=0) <= HOMOPHONE_COST + SOUND_COST * MAX_DISTANCE)
                claims += [
                    Claim(start, end, words[row], float(gain))
                    for row, gain in zip(rows[fits], gains[fits], strict=True)
                ]
        return [claim for claim in claims if keeps(settled, claim.start, text, claim.word)]

    def _row(self, char: str, sound: Syllable | None) -> NDArray[np.float32]:
        """Return what it costs to have heard this character for each of the hotwords', float32 [n_chars]."""
        row = self._rows.get((char, sound))
        if row is None:
            row = np.array(
                [_mishearing_cost(char, sound, other, meant) for other, meant in self._chars], np.float32
            )
            self._rows[char, sound] = row
        return row


def _mishearing_cost(char: str, sound: Syllable | None, other: str, meant: Syllable | None) -> float:
    if char == other:
        return 0.0
    if sound is None or meant is None:
        return HOMOPHONE_COST + SOUND_COST
    return HOMOPHONE_COST + SOUND_COST * distance(sound, meant)
