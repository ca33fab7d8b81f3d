"""What a model family is to the rest: samples in, words with times out.

Adapters raise whatever the model raises; :mod:`asr_daemon.recogniser.decoder` decides what that costs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from asr_daemon.recogniser.families.precision import Precision
    from asr_daemon.transcripts.transcript import Token

MIN_SAMPLES = 400  # 25 ms: below, the filter bank has no frame and FunASR raises


@dataclass(frozen=True, slots=True)
class Request:
    """What can differ between batches of one model: segments share a batch only where it is equal."""

    language: str = "zh"  # of the inbox: "zh", "yue", "en", "ja", "ko", "auto"
    hotwords: tuple[str, ...] = ()
    itn: bool = True  # whether a model that can is to write numbers


@dataclass(frozen=True, slots=True)
class Spoken:
    """What the model says of one segment; token times are milliseconds from the segment's start."""

    text: str
    tokens: tuple[Token, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Input:
    """A segment made ready for its model: what that is, only the family knows."""

    features: Any  # float32 [n_steps, width] for the Paraformers and SenseVoice, samples for Nano
    length_samples: int

    def halves(self) -> tuple[Input, Input]:
        """Return the first and the second half of the segment."""
        middle = len(self.features) // 2
        at = self.length_samples * middle // len(self.features)
        return Input(self.features[:middle], at), Input(self.features[middle:], self.length_samples - at)


class AnswerMismatchError(Exception):
    """The model's answers cannot be paired with the segments asked about."""


class Family(Protocol):
    """A loaded model on its device; used by one thread."""

    @property
    def device(self) -> str:
        """The device really used, as FunASR names it."""

    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> Input:
        """Make a segment of ``float32 [n_samples >= MIN_SAMPLES], 16 kHz mono`` ready; from any thread.

        ``bank`` is its :func:`~asr_daemon.recogniser.features.filter_bank`, where that is known already.
        """

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise segments in one batch.

        The result has one entry a segment, in order; each is the same whatever else is in the batch.
        Raises :class:`AnswerMismatchError`, or what the model raises.
        """

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return the hotwords that the model cannot write and that are therefore kept from it."""


class Exchangeable(Family, Protocol):
    """A family that a processor may compute in several precisions; ``transcribe`` is safe from threads."""

    def compute_in(self, precision: Precision) -> None:
        """Compute in that precision from now on; the one before can be had back until :meth:`settle`."""

    def settle(self) -> None:
        """Stay with the precision in force, and give back the memory of what others would need."""
