"""Who is next: shares of the recogniser by seconds of sound. Arithmetic alone; nothing is read or written.

Start-time fair queueing (Goyal, Vin, Cheng 1996): each inbox has a clock of its own that goes on by what it
gets, divided by its rate; who is furthest behind is next. One that had nothing to do takes up the time of
now: it neither saves up turns nor loses its first one, so the first call of a department goes in at once,
however much others have waiting. What is in work counts as got already, by its estimated length, until what
was really recognised takes its place.

An inbox's rate is its weight; one that got more than its part of the last day, compared with the others that
have work now, has a smaller rate, one that got less a greater one, by at most :data:`MOST_FAVOUR`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

HALF_LIFE_S = 8 * 3600.0  # of what an inbox got: an eighth of it counts after a day
MOST_FAVOUR = 3.0
SMALL_MS = 3_600_000.0  # an hour of sound for each unit of weight: less is no reason to favour anybody
SCREENS_IN_A_ROW = 3  # then comes one that nobody waits for at a screen


@dataclass(frozen=True, slots=True)
class Account:
    """What an inbox got."""

    used_ms: float = 0.0  # of the last day, as it was at that time
    at_s: float = 0.0
    clock_ms: float = 0.0  # what it got, divided by its rates
    rate: float = 1.0

    def used_at(self, now_s: float) -> float:
        """Return what still counts of it."""
        return self.used_ms * math.exp2(-max(0.0, now_s - self.at_s) / HALF_LIFE_S)

    def charged(self, sound_ms: float, now_s: float) -> Account:
        """Return the account once that much more was recognised for it."""
        used_ms = self.used_at(now_s) + sound_ms
        return Account(used_ms, now_s, self.clock_ms + sound_ms / self.rate, self.rate)


@dataclass(frozen=True, slots=True)
class Candidate:
    """The recording that an inbox would have recognised next."""

    recording: int
    job: int
    inbox: str  # for whose part
    expected_ms: int  # of sound, still to be recognised
    turn_at: float  # its place within the inbox
    is_urged: bool = False  # somebody waits for it at a screen
    is_suspect: bool = False  # it goes before all others, alone


def rates(weights: Mapping[str, float], used_ms: Mapping[str, float]) -> dict[str, float]:
    """Return the rate of each inbox that has work; ``used_ms`` of the last day."""
    got = {inbox: used_ms.get(inbox, 0.0) / weight + SMALL_MS for inbox, weight in weights.items()}
    whole = sum(weights.values())
    mean = sum(got[inbox] * weight for inbox, weight in weights.items()) / whole if whole else 1.0
    return {
        inbox: weight / min(MOST_FAVOUR, max(1 / MOST_FAVOUR, got[inbox] / mean))
        for inbox, weight in weights.items()
    }


def choose(
    candidates: Iterable[Candidate], late_ms: Mapping[str, float], screens_in_a_row: int
) -> Candidate | None:
    """Return the next of those that somebody waits for at a screen, else of the others."""
    at_screen: list[Candidate] = []
    others: list[Candidate] = []
    for one in candidates:
        (at_screen if one.is_urged else others).append(one)
    if others and screens_in_a_row >= SCREENS_IN_A_ROW:
        at_screen = []
    return min(
        at_screen or others,
        key=lambda one: (late_ms[one.inbox], one.turn_at, one.recording),
        default=None,
    )
