"""What of a growing sentence may be believed already: the beginning that two readings agree on.

Enters: readings of one sentence, each of more of its sound. Leaves: for each a text and its stable beginning,
which only grows (LocalAgreement-2: Macháček, Dabre, Bojar 2023, "Turning Whisper into Real-Time
Transcription System"). Long sentences are read from a place within what is stable on, so that a reading
never costs more than some ten seconds of sound do.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.recogniser.families.words import join

if TYPE_CHECKING:
    from collections.abc import Sequence

    from asr_daemon.recogniser.families.family import Spoken

READ_AT_MOST_MS = 10_000  # of sound that is not read again, where there is a place to begin at
LEFT_BEHIND_MS = 3_000  # less than that is not worth a new beginning
SLACK_MS = 60  # by which the times of two readings may differ
_WORDS = re.compile(r"[0-9A-Za-z'’.-]+|\S")


@dataclass(frozen=True, slots=True)
class Unit:
    """A token; times are milliseconds of the session, None where the model gives none."""

    text: str
    start_ms: int | None = None
    end_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Reading:
    """A sentence as it reads now."""

    stable: str
    text: str


class Agreement:
    """The readings of one sentence, which begins at ``start_ms`` of the session."""

    def __init__(self, start_ms: int) -> None:
        self.start_ms = start_ms
        self.from_ms = start_ms  # where the next reading is to begin
        self._stable: list[Unit] = []
        self._behind = 0  # how many of them lie before from_ms
        self._before: list[Unit] = []  # the last reading, whole

    def take(self, spoken: Spoken, heard_ms: int) -> Reading:
        """Take the reading of the sound from ``from_ms`` to ``heard_ms``."""
        now = self._whole(units_of(spoken, self.from_ms))
        same = sum(1 for _ in itertools.takewhile(_is_same, zip(self._before, now, strict=False)))
        self._stable = now[: max(same, len(self._stable))]
        self._before = now
        if heard_ms - self.from_ms > READ_AT_MOST_MS:
            self._begin_later()
        return Reading(_text(self._stable), _text(now))

    def _whole(self, read: list[Unit]) -> list[Unit]:
        """Return the reading behind what is stable, which it may contradict: that stays as it was said."""
        kept = self._stable[self._behind :]
        if [unit.text for unit in read[: len(kept)]] == [unit.text for unit in kept]:
            return [*self._stable, *read[len(kept) :]]
        until_ms = self._stable[-1].end_ms
        if until_ms is None or any(unit.start_ms is None for unit in read):
            return [*self._stable, *read[len(kept) :]]
        later = [unit for unit in read if unit.start_ms is not None and unit.start_ms >= until_ms - SLACK_MS]
        return [*self._stable, *later]

    def _begin_later(self) -> None:
        """Let the next reading begin at the longest pause within what is stable."""
        best, longest_ms = 0, -1
        for number in range(max(1, self._behind), len(self._stable)):
            ended_ms, begins_ms = self._stable[number - 1].end_ms, self._stable[number].start_ms
            if ended_ms is None or begins_ms is None or begins_ms < self.from_ms + LEFT_BEHIND_MS:
                continue
            if begins_ms - ended_ms >= longest_ms:
                best, longest_ms = number, begins_ms - ended_ms
        if best:
            ended_ms, begins_ms = self._stable[best - 1].end_ms, self._stable[best].start_ms
            assert ended_ms is not None and begins_ms is not None  # noqa: S101, PT018 (looked at above)
            self._behind, self.from_ms = best, (ended_ms + begins_ms) // 2


def units_of(spoken: Spoken, offset_ms: int) -> list[Unit]:
    """Return a reading in units; without times where the model gives none."""
    if not spoken.tokens:
        return [Unit(word) for word in _WORDS.findall(spoken.text)]
    return [Unit(token.text, token.start_ms + offset_ms, token.end_ms + offset_ms) for token in spoken.tokens]


def _is_same(pair: tuple[Unit, Unit]) -> bool:
    return pair[0].text == pair[1].text


def _text(units: Sequence[Unit]) -> str:
    return join([unit.text for unit in units])
