"""How long the queue will take, about: from what waits, and from what recent work made of its time.

How long a recording lasts is not known before it is decoded. It is taken from its size, by the bytes a second
of finished recordings of the same suffix (of any, where there are none of it). Nothing is estimated before
anything was done.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Ahead:
    """A piece of work that is queued or in work."""

    job: int
    name: str  # of its file
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Underway:
    """How far a recording in work is."""

    duration_s: float | None  # None while unknown
    recognised_s: float
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class Done:
    """A finished piece of work; times are seconds of one clock."""

    name: str
    size_bytes: int
    duration_s: float
    began_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Estimate:
    """What lies before the recogniser."""

    audio_s: float  # sound that is still to be recognised
    rtfx: float  # seconds of sound a second, of late
    remaining_s: float


def estimate(
    ahead: Sequence[Ahead], underway: Mapping[int, Underway], done: Sequence[Done], now_s: float
) -> Estimate | None:
    """Return the estimate; None where nothing is ahead, or where too little is known.

    ``underway`` is by job; ``now_s`` is on the clock of ``done``.
    """
    rtfx = rtfx_of(done, underway.values(), now_s)
    rates = _bytes_per_s(done)
    if not ahead or rtfx is None:
        return None
    audio_s = 0.0
    for work in ahead:
        progress = underway.get(work.job)
        lasts_s = progress.duration_s if progress else None
        if lasts_s is None:
            rate = rates.get(_suffix(work.name)) or rates.get("")
            if rate is None:
                return None
            lasts_s = work.size_bytes / rate
        audio_s += max(0.0, lasts_s - (progress.recognised_s if progress else 0.0))
    return Estimate(audio_s, rtfx, audio_s / rtfx)


def rtfx_of(done: Sequence[Done], underway: Iterable[Underway], now_s: float) -> float | None:
    """Return the sound recognised in each second with work in hand: idle hours do not count."""
    spells = [(one.began_s, one.ended_s, one.duration_s) for one in done]
    spells += [(now_s - one.elapsed_s, now_s, one.recognised_s) for one in underway]
    busy_s = audio_s = 0.0
    reached_s = float("-inf")
    for began_s, ended_s, sound_s in sorted(spells):
        busy_s += max(0.0, ended_s - max(began_s, reached_s))
        reached_s = max(reached_s, ended_s)
        audio_s += sound_s
    return audio_s / busy_s if busy_s > 0 and audio_s > 0 else None


def _bytes_per_s(done: Iterable[Done]) -> dict[str, float]:
    """Return the bytes a second of each suffix, and of all under ""."""
    sizes: dict[str, float] = defaultdict(float)
    lengths: dict[str, float] = defaultdict(float)
    for one in done:
        for suffix in (_suffix(one.name), ""):
            sizes[suffix] += one.size_bytes
            lengths[suffix] += one.duration_s
    return {suffix: sizes[suffix] / lengths[suffix] for suffix in sizes if sizes[suffix] and lengths[suffix]}


def _suffix(name: str) -> str:
    return PurePath(name).suffix.lower() or "."


def percent(done_ms: int, of_ms: int) -> int | None:
    """Return how much of a recording is done, 0 to 100; None while its length is unknown."""
    return min(100, done_ms * 100 // of_ms) if of_ms else None


def remaining_s(elapsed_s: float, done_ms: int, of_ms: int) -> float | None:
    """Return how long a recording will take from now, judged by what it took so far; None while unknown."""
    return round(elapsed_s * (of_ms - done_ms) / done_ms, 1) if done_ms and of_ms else None
