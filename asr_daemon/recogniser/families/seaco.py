"""SeACo-Paraformer (``paraformer-zh``, the built-in model): hotwords by bias encoder, token times.

The model's own steps are called in place of FunASR's ``inference``, which looks at every frame of a segment
in Python to find the times. Padding is kept out by cif.py, so that a segment reads the same in any batch.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import torch
from funasr.utils.postprocess_utils import sentence_postprocess

from asr_daemon.hotwords.seaco import SeacoHotwords
from asr_daemon.hotwords.vocabulary import Vocabulary
from asr_daemon.hotwords.word_bank import spell_all
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


class SeacoParaformer(Processed):
    """See :class:`~asr_daemon.recogniser.families.family.Exchangeable`."""

    def __init__(self, folder: Path, device: str, threads: int, precision: Precision = FLOAT32) -> None:
        super().__init__(folder, device, threads, precision)
        self._tokenizer = self.loaded.kwargs["tokenizer"]
        self._front_end = FrontEnd(self.loaded.kwargs["frontend"])
        self._vocabulary = Vocabulary.read(folder)
        self._hotwords = SeacoHotwords(self.network, self._vocabulary)
        self._one_at_a_time = threading.Lock()  # of those who set the list: in a batch, they set the same
        self._marks = frozenset((self.network.sos, self.network.eos, self.network.blank_id))

    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> Input:
        """Return the features of one segment."""
        return Input(self._front_end.prepare(samples, bank), len(samples))

    @torch.inference_mode()
    def transcribe(self, segments: Sequence[Input], request: Request) -> list[Spoken]:
        """Recognise one batch."""
        with self._one_at_a_time:
            self._hotwords.use(request.hotwords)
        model = self.network
        speech, lengths = pad_features([segment.features for segment in segments], self.device)
        with self.precision():
            encoded, steps = model.encode(speech, lengths)
            embeddings, counts, *_ = model.calc_predictor(encoded, steps)
            counts = counts.round().long()
            if not counts.any():
                return [Spoken("", flags=("empty",))] * len(segments)
            scores = model._seaco_decode_with_ASF(encoded, steps, embeddings, counts)  # noqa: SLF001 (ours)
            has_times = model.predictor_name == "CifPredictorV3"
            heads = model.calc_predictor_timestamp(encoded, steps, counts)[2:] if has_times else None
        spoken = []
        for row, (best, count) in enumerate(zip(scores.argmax(-1).tolist(), counts.tolist(), strict=True)):
            numbers = [number for number in best[:count] if number not in self._marks]
            times: list[tuple[int, int]] = []
            if heads is not None:
                length = int(steps[row]) * 3
                times = times_of_tokens(heads[0][row, :length], heads[1][row, :length], len(numbers))
            spoken.append(self._spoken(numbers, times, segments[row].length_samples))
        return spoken

    def unknown_hotwords(self, request: Request) -> tuple[str, ...]:
        """Return the hotwords that the model cannot write: unknown characters, or far too many."""
        usable, _ = spell_all(request.hotwords, self._vocabulary)
        return tuple(word for word, _ in usable.left_out)

    def _spoken(self, numbers: list[int], times: list[tuple[int, int]], length_samples: int) -> Spoken:
        """Return tokens (parts of words end in ``@@``) as words with times."""
        if not numbers:
            return Spoken("", flags=("empty",))
        tokens = self._tokenizer.ids2tokens(numbers)
        if times:
            text, times, _ = sentence_postprocess(tokens, [list(time) for time in times])
        else:
            text, _ = sentence_postprocess(tokens)
        words = text.split()
        if not words:
            return Spoken("", flags=("empty",))
        return Spoken(join(words), timed(words, times, length_samples * 1000 // SAMPLE_RATE_HZ))
