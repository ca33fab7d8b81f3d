"""Plain Paraformer and BiCif-Paraformer: no hotwords; times from the integrated weights or the time head.

The model's own steps are called in place of FunASR's ``inference``, so that each segment has its answer by
its place. Padding is kept out by cif.py; a predictor that cif.py does not know sees one segment at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from funasr.utils.postprocess_utils import sentence_postprocess

from asr_daemon.recogniser.families import cif
from asr_daemon.recogniser.families.family import Input, Request, Spoken
from asr_daemon.recogniser.families.front_end import FrontEnd, pad_features
from asr_daemon.recogniser.families.on_processor import Processed
from asr_daemon.recogniser.families.precision import FLOAT32
from asr_daemon.recogniser.families.times import times_of_tokens
from asr_daemon.recogniser.families.words import join, timed
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from asr_daemon.recogniser.families.precision import Precision

    Times = Sequence[Sequence[int]]  # (start, end) in milliseconds from the segment's start

_BEGUN = 0.1  # of a token's weight: from there on it is being spoken
_NO_WORDS = frozenset(("<blank>", "<s>", "</s>", "<unk>", "<OOV>"))


class Paraformer(Processed):
    """See :class:`~asr_daemon.recogniser.families.family.Exchangeable`."""

    def __init__(self, folder: Path, device: str, threads: int, precision: Precision = FLOAT32) -> None:
        super().__init__(folder, device, threads, precision)
        self._tokenizer = self.loaded.kwargs["tokenizer"]
        frontend = self.loaded.kwargs["frontend"]
        self._front_end = FrontEnd(frontend)
        self._step_ms = frontend.frame_shift * frontend.lfr_n

    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> Input:
        """Return the features of one segment."""
        return Input(self._front_end.prepare(samples, bank), len(samples))

    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:  # noqa: ARG002
        """Recognise one batch."""
        if self.is_padding_kept_out:
            return self._recognise(segments)
        return [self._recognise([segment])[0] for segment in segments]

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:  # noqa: ARG002
        """Return none: it is given none."""
        return ()

    @torch.inference_mode()
    def _recognise(self, segments: Sequence[Input]) -> list[Spoken]:
        model = self.network
        speech, lengths = pad_features([segment.features for segment in segments], self.device)
        with self.precision():
            encoded, steps = model.encode(speech, lengths)
            embeddings, counts, weights, *_ = model.calc_predictor(encoded, steps)
            counts = counts.round().long()
            if not counts.any():
                return [Spoken("", flags=("empty",))] * len(segments)
            scores, _ = model.cal_decoder_with_predictor(encoded, steps, embeddings, counts)
        best = scores.argmax(-1).tolist()
        tokens = [
            [self._token(number) for number in row[:count]]
            for row, count in zip(best, counts.tolist(), strict=True)
        ]
        if hasattr(model, "calc_predictor_timestamp"):
            times = self._times_of_head(encoded, steps, counts, tokens)
        else:
            times = self._times_of_weights(weights, counts, tokens)
        return [
            _spoken(list(filter(None, mine)), when, segment.length_samples * 1000 // SAMPLE_RATE_HZ)
            for mine, when, segment in zip(tokens, times, segments, strict=True)
        ]

    def _token(self, number: int) -> str:
        """Return a token's text; "" where it is a mark."""
        (token,) = self._tokenizer.ids2tokens([number])
        return "" if token in _NO_WORDS else str(token)

    def _times_of_head(
        self, encoded: torch.Tensor, steps: torch.Tensor, counts: torch.Tensor, tokens: list[list[str]]
    ) -> list[Times]:
        """Return the times of each segment's words from the time head, which has three steps for one."""
        _, _, weights, peaks = self.network.calc_predictor_timestamp(encoded, steps, counts)
        lengths = (steps * 3).tolist()
        return [
            times_of_tokens(weights[row, :length], peaks[row, :length], sum(map(bool, tokens[row])))
            for row, length in enumerate(lengths)
        ]

    def _times_of_weights(
        self, weights: torch.Tensor, counts: torch.Tensor, tokens: list[list[str]]
    ) -> list[Times]:
        """Return the times of each segment's words: from where a token's weight begins to gather to 1.

        ``weights``: float32 [n_segments, n_steps]; ``counts``: int64 [n_segments], tokens of each.
        """
        reached = cif.running_sum(weights)
        whole = torch.arange(int(counts.max()), device=reached.device, dtype=reached.dtype)
        whole = whole.expand(len(weights), -1).contiguous()
        begun = (torch.searchsorted(reached, whole + _BEGUN) * self._step_ms).tolist()
        done = ((torch.searchsorted(reached, whole + 1.0) + 1) * self._step_ms).tolist()
        return [
            [(first, last) for token, first, last in zip(mine, begun[row], done[row], strict=False) if token]
            for row, mine in enumerate(tokens)
        ]


def _spoken(tokens: list[str], times: Times, length_ms: int) -> Spoken:
    """Return tokens (parts of words end in ``@@``) as words with times."""
    if not tokens:
        return Spoken("", flags=("empty",))
    if len(times) == len(tokens):
        _, times, words = sentence_postprocess(tokens, [list(time) for time in times])
    else:
        _, words = sentence_postprocess(tokens)
        words, times = [word for word in words if word.strip()], ()
    return Spoken(join(words), timed(words, times, length_ms))
