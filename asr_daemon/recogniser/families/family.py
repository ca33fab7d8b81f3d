"""What a model family is to the rest: samples in, words with times out.

Adapters raise whatever the model raises; :mod:`asr_daemon.recogniser.decoder` decides what that costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from asr_daemon.transcript import Token

MIN_SAMPLES = 400  # 25 ms: below, the filter bank has no frame and FunASR raises


@dataclass(frozen=True, slots=True)
class Request:
    """What can differ between batches of one model: segments share a batch only where it is equal."""

    language: str = "zh"
    hotwords: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the model says of one segment; token times are milliseconds from the segment's start."""

    text: str
    tokens: tuple[Token, ...] = ()
    flags: tuple[str, ...] = ()


class AnswerMismatchError(Exception):
    """The model's answers cannot be paired with the segments asked about."""


class Family(Protocol):
    """A loaded model on its device; used by one thread."""

    @property
    def device(self) -> str:
        """The device really used, as FunASR names it."""

    def transcribe(self, segments: Sequence[NDArray[np.float32]], request: Request) -> list[Spoken]:
        """Recognise segments, ``float32 [n_samples >= MIN_SAMPLES], 16 kHz mono``, in one batch.

        The result has one entry a segment, in order; each is the same whatever else is in the batch.
        Raises :class:`AnswerMismatchError`, or what the model raises.
        """

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return the hotwords that the model cannot write and that are therefore kept from it."""
