"""SeACo-Paraformer (``paraformer-zh``, the built-in model): hotwords by bias encoder, token times.

Padding and Python loops are kept out by cif.py, so that a segment reads the same in any batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asr_daemon.hotwords.seaco import SeacoHotwords
from asr_daemon.hotwords.vocabulary import Vocabulary
from asr_daemon.hotwords.word_bank import spell_all
from asr_daemon.recogniser.families import cif, funasr_model
from asr_daemon.recogniser.families.family import AnswerMismatchError, Input, Request, Spoken
from asr_daemon.recogniser.families.front_end import FrontEnd, infer
from asr_daemon.recogniser.families.precision import FLOAT32
from asr_daemon.recogniser.families.words import join, timed
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import torch
    from numpy.typing import NDArray

    from asr_daemon.recogniser.families.precision import Precision


class SeacoParaformer:
    """See :class:`~asr_daemon.recogniser.families.family.Family`."""

    def __init__(self, folder: Path, device: str, threads: int, precision: Precision = FLOAT32) -> None:
        self._precision = precision
        self._model = funasr_model.load(str(folder), device, threads)
        cif.install(self._model.model.predictor)
        self._front_end = FrontEnd(self._model.kwargs["frontend"])
        self._vocabulary = Vocabulary.read(folder)
        self._hotwords = SeacoHotwords(self._model.model, self._vocabulary)

    @property
    def device(self) -> str:
        """The device really used."""
        return str(self._model.kwargs["device"])

    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> Input:
        """Return the features of one segment."""
        return Input(self._front_end.prepare(samples, bank), len(samples))

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise one batch."""
        self._hotwords.use(request.hotwords)
        with self._precision():
            answers = infer(self._model, [segment.features for segment in segments])
        if len(answers) != len(segments):
            if len(segments) == 1:  # no token at all
                return [Spoken("", flags=("empty",))]
            raise AnswerMismatchError(f"{len(answers)} answers for {len(segments)} segments")
        return [
            _spoken(answer, segment.length_samples) for answer, segment in zip(answers, segments, strict=True)
        ]

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return the hotwords that the model cannot write: unknown characters, or far too many."""
        usable, _ = spell_all(request.hotwords, self._vocabulary)
        return tuple(word for word, _ in usable.left_out)


def _spoken(answer: dict[str, Any], length_samples: int) -> Spoken:
    words = answer["text"].split()
    if not words:
        return Spoken("", flags=("empty",))
    length_ms = length_samples * 1000 // SAMPLE_RATE_HZ
    return Spoken(join(words), timed(words, answer.get("timestamp") or (), length_ms))
