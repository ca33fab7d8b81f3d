"""SeACo-Paraformer (``paraformer-zh``, the built-in model): hotwords by bias encoder, token times.

FunASR lets padding leak into a segment's text and times: the CIF predictor's convolution sees the padded
frame after the last real one, and its time head's backward LSTM starts in the padding. Both are shut off
here, so that a segment reads the same in any batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from asr_daemon.audio import SAMPLE_RATE_HZ
from asr_daemon.hotwords.seaco import SeacoHotwords
from asr_daemon.hotwords.vocabulary import Vocabulary
from asr_daemon.hotwords.word_bank import spell_all
from asr_daemon.recogniser.families import funasr_model
from asr_daemon.recogniser.families.family import AnswerMismatchError, Request, Spoken
from asr_daemon.recogniser.families.words import join, timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray


class SeacoParaformer:
    """See :class:`~asr_daemon.recogniser.families.family.Family`."""

    def __init__(self, folder: Path, device: str, threads: int) -> None:
        self._model = funasr_model.load(str(folder), device, threads)
        keep_padding_out(self._model.model.predictor)
        self._vocabulary = Vocabulary.read(folder)
        self._hotwords = SeacoHotwords(self._model.model, self._vocabulary)

    @property
    def device(self) -> str:
        """The device really used."""
        return str(self._model.kwargs["device"])

    def transcribe(self, segments: Sequence[NDArray[np.float32]], request: Request) -> list[Spoken]:
        """Recognise one batch."""
        self._hotwords.use(request.hotwords)
        answers = self._model.generate(input=list(segments), batch_size=len(segments))
        if len(answers) != len(segments):
            if len(segments) == 1:  # no token at all
                return [Spoken("", flags=("empty",))]
            raise AnswerMismatchError(f"{len(answers)} answers for {len(segments)} segments")
        return [_spoken(answer, len(samples)) for answer, samples in zip(answers, segments, strict=True)]

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


def keep_padding_out(predictor: Any) -> None:
    """Make a CIF predictor (``CifPredictorV2``/``V3``) blind to the padding behind each segment."""

    def blank_padding(_module: Any, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        hidden, label, mask, *rest = inputs
        if mask is not None:
            hidden = hidden * mask.transpose(1, 2).to(hidden.dtype)  # as its own zero padding when alone
        return (hidden, label, mask, *rest)

    predictor.register_forward_pre_hook(blank_padding)
    if getattr(predictor, "upsample_type", "") == "cnn_blstm":
        predictor.blstm = PackedLstm(predictor.blstm)
        times_of = predictor.get_upsample_timestamp

        def get_upsample_timestamp(hidden: Any, mask: Any = None, token_num: Any = None) -> Any:
            predictor.blstm.lengths = mask.sum(dim=(1, 2)).long() * predictor.upsample_times
            return times_of(hidden, mask, token_num)

        predictor.get_upsample_timestamp = get_upsample_timestamp


class PackedLstm(torch.nn.Module):
    """A bidirectional LSTM that ends each sequence at its own length."""

    def __init__(self, lstm: torch.nn.LSTM) -> None:
        super().__init__()
        self.lstm = lstm
        self.lengths: torch.Tensor | None = None

    def forward(self, padded: torch.Tensor) -> tuple[torch.Tensor, Any]:
        """Run on ``[batch, time, width]``, with ``lengths`` set for this call."""
        if self.lengths is None:
            return self.lstm(padded)  # type: ignore[no-any-return]
        lengths, self.lengths = self.lengths, None
        packed = torch.nn.utils.rnn.pack_padded_sequence(
            padded, lengths.cpu(), batch_first=True, enforce_sorted=False
        )
        out, state = self.lstm(packed)
        out, _ = torch.nn.utils.rnn.pad_packed_sequence(out, batch_first=True, total_length=padded.shape[1])
        return out, state
