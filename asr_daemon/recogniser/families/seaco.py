"""SeACo-Paraformer (``paraformer-zh``, the built-in model): hotwords by bias encoder, token times.

FunASR lets padding leak into a segment's text and times: the CIF predictor's convolution sees the padded
frame after the last real one, and its time head's backward LSTM starts in the padding. Both are shut off
here, so that a segment reads the same in any batch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

from asr_daemon.audio import SAMPLE_RATE_HZ
from asr_daemon.recogniser.families import funasr_model
from asr_daemon.recogniser.families.family import AnswerMismatchError, Request, Spoken
from asr_daemon.recogniser.families.words import join, timed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

HOTWORDS_AT_ONCE = 49  # with more, FunASR picks 50 by the first segment of the batch


class SeacoParaformer:
    """See :class:`~asr_daemon.recogniser.families.family.Family`."""

    def __init__(self, folder: Path, device: str, threads: int) -> None:
        self._model = funasr_model.load(str(folder), device, threads)
        self._known = _read_seg_dict(folder / "seg_dict")
        keep_padding_out(self._model.model.predictor)

    @property
    def device(self) -> str:
        """The device really used."""
        return str(self._model.kwargs["device"])

    def transcribe(self, segments: Sequence[NDArray[np.float32]], request: Request) -> list[Spoken]:
        """Recognise one batch."""
        words = [word for word in request.hotwords if self._can_write(word)]
        # Spaces around: a string that begins with "http" would be fetched, one that ends in ".txt" read.
        hotword = f" {' '.join(words)} " if words else None
        if len(words) > HOTWORDS_AT_ONCE:
            return [spoken for segment in segments for spoken in self._answers([segment], hotword)]
        return self._answers(segments, hotword)

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return the hotwords with characters that are not in the model's vocabulary."""
        return tuple(word for word in request.hotwords if not self._can_write(word))

    def _can_write(self, word: str) -> bool:
        return not self._known or all(
            piece.lower() in self._known or all(char in self._known for char in piece)
            for piece in word.split()
        )

    def _answers(self, segments: Sequence[NDArray[np.float32]], hotword: str | None) -> list[Spoken]:
        answers = self._model.generate(input=list(segments), batch_size=len(segments), hotword=hotword)
        if len(answers) != len(segments):
            if len(segments) == 1:  # no token at all
                return [Spoken("", flags=("empty",))]
            raise AnswerMismatchError(f"{len(answers)} answers for {len(segments)} segments")
        return [_spoken(answer, len(samples)) for answer, samples in zip(answers, segments, strict=True)]


def _spoken(answer: dict[str, Any], length_samples: int) -> Spoken:
    words = answer["text"].split()
    if not words:
        return Spoken("", flags=("empty",))
    length_ms = length_samples * 1000 // SAMPLE_RATE_HZ
    return Spoken(join(words), timed(words, answer.get("timestamp") or (), length_ms))


def _read_seg_dict(path: Path) -> frozenset[str]:
    """Return what FunASR can turn into tokens; empty where the folder has no such list."""
    if not path.is_file():
        return frozenset()
    return frozenset(
        line.split()[0] for line in path.read_text(encoding="utf-8").splitlines() if line.strip()
    )


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
