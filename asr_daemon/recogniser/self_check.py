"""Which precision a processor is to compute a model in: the fastest that writes what float32 writes.

Enters: a loaded family that computes in float32, and the precisions that are worth trying. Leaves: the one
taken, in force. A few seconds of the package's sample speech go through each of them; a precision that
raises, that is not clearly faster, or whose tokens differ is not taken. Costs a few seconds, once per model,
processor and torch: the daemon remembers the answer.
"""

from __future__ import annotations

import time
import wave
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

from asr_daemon.recogniser.families.family import Request
from asr_daemon.recogniser.families.precision import ON_PROCESSOR

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from asr_daemon.models.abilities import Computed
    from asr_daemon.recogniser.decoder import Note
    from asr_daemon.recogniser.families.family import Exchangeable, Family, Input

SAMPLE = Path(__file__).resolve().parents[1] / "demo" / "audio" / "lecture.wav"
PIECES = 4
ROUNDS = 2  # the better one counts
MOST_DIFFERENT = 0.01  # of the tokens: a sentence's tokens are all the same then
LEAST_GAIN = 1.15  # times as fast as float32; less is not worth another text


@dataclass(frozen=True, slots=True)
class Tried:
    """How one precision did on the sample."""

    spent_s: float
    tokens: tuple[str, ...]


def check(
    family: Exchangeable,
    reader: Family,
    candidates: Sequence[Computed],
    note: Note,
    clock_s: Callable[[], float] = time.process_time,
) -> Computed:
    """Return the precision that was taken, which ``family`` computes in from now on.

    ``reader`` recognises with that family, as recordings will be. Processor time counts, not time: on a
    machine that is busy with something else, time says little.
    """
    samples = read_sample()
    pieces = [reader.prepare(piece) for piece in np.array_split(samples, PIECES)]
    plain = _try(reader, pieces, clock_s)
    taken: Computed = "float32"
    best_s = plain.spent_s / LEAST_GAIN
    for candidate in candidates if plain.tokens else ():
        fields: dict[str, object] = {"precision": candidate, "float32_s": round(plain.spent_s, 2)}
        try:
            family.compute_in(ON_PROCESSOR[candidate])
            tried = _try(reader, pieces, clock_s)
        except Exception as error:  # noqa: BLE001 (whatever this torch cannot do on this processor)
            note("warning", "precision_failed", {**fields, "error": f"{type(error).__name__}: {error}"})
            continue
        different = Levenshtein.distance(plain.tokens, tried.tokens) / len(plain.tokens)
        if tried.spent_s < best_s and different <= MOST_DIFFERENT:
            taken, best_s = candidate, tried.spent_s
        note(
            "info", "precision_tried", {**fields, "spent_s": round(tried.spent_s, 2), "different": different}
        )
    family.compute_in(ON_PROCESSOR[taken])
    family.settle()
    return taken


def read_sample() -> NDArray[np.float32]:
    """Return the sample speech, ``float32 [n_samples], -1..1, 16 kHz mono``."""
    with wave.open(str(SAMPLE)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
    return samples.astype(np.float32) / np.float32(32768)


def _try(reader: Family, pieces: Sequence[Input], clock_s: Callable[[], float]) -> Tried:
    spent_s = float("inf")
    tokens: tuple[str, ...] = ()
    for _ in range(ROUNDS):
        began = clock_s()
        spoken = reader.transcribe(pieces, Request())
        spent_s = min(spent_s, clock_s() - began)
        tokens = tuple(token.text for one in spoken for token in one.tokens)
    return Tried(spent_s, tokens)
