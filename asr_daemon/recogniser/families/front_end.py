"""A model's input: the filter bank, stacked and normalised as its frontend would, ahead of the device.

FunASR extracts features inside ``inference``, one segment after the other, on the thread that feeds the
device. Here they are made on the decoding thread (:meth:`FrontEnd.prepare`) and handed to ``inference``
through a frontend that only passes them on (:class:`Prepared`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from funasr.frontends.wav_frontend import apply_cmvn, apply_lfr

from asr_daemon.recogniser.features import FRAME_SAMPLES, HOP_SAMPLES, MEL_BINS, filter_bank
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class FrontEnd:
    """What a loaded ``WavFrontend`` does, in one pass; dither is left out, so that text does not change."""

    def __init__(self, frontend: Any) -> None:
        described = (
            frontend.fs,
            frontend.n_mels,
            frontend.frame_length * frontend.fs // 1000,
            frontend.frame_shift * frontend.fs // 1000,
            frontend.window,
            bool(frontend.snip_edges),
            bool(frontend.upsacle_samples),
        )
        self._is_usual = described == (
            SAMPLE_RATE_HZ, MEL_BINS, FRAME_SAMPLES, HOP_SAMPLES, "hamming", True, True
        )  # fmt: skip
        self._frontend = frontend

    @torch.inference_mode()
    def prepare(self, samples: NDArray[np.float32], bank: torch.Tensor | None = None) -> torch.Tensor:
        """Return the model's input ``float32 [n_steps, width]`` of one segment; safe from any thread.

        ``bank`` is its :func:`~asr_daemon.recogniser.features.filter_bank`, where that is known already.
        """
        audio = torch.from_numpy(samples)
        if not self._is_usual:
            own, _ = self._frontend(audio[None], torch.tensor([len(audio)]))
            return torch.as_tensor(own[0])
        features = filter_bank(audio) if bank is None else bank
        if self._frontend.lfr_m != 1 or self._frontend.lfr_n != 1:
            features = apply_lfr(features, self._frontend.lfr_m, self._frontend.lfr_n)
        if self._frontend.cmvn is not None:
            features = apply_cmvn(features, self._frontend.cmvn)
        return torch.as_tensor(features)


class Prepared:
    """Stands for the frontend in one call of ``inference``: gives back what is ready."""

    def __init__(self, frontend: Any, features: Sequence[torch.Tensor]) -> None:
        self.fs = frontend.fs
        self.cmvn_file = frontend.cmvn_file
        self.frame_shift = frontend.frame_shift
        self.lfr_n = frontend.lfr_n
        self._features = list(features)

    def __call__(self, _data: Any, _lengths: Any, **_more: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Return ``[n_segments, n_steps, width]`` and the steps of each."""
        return pad_features(self._features, "cpu")


def pad_features(features: Sequence[torch.Tensor], device: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ``float32 [n_segments, n_steps, width]`` and ``int64 [n_segments]``, the steps of each."""
    lengths = torch.tensor([len(each) for each in features])
    padded = torch.nn.utils.rnn.pad_sequence(list(features), batch_first=True)
    return to_device(padded, device), to_device(lengths, device)


def to_device(tensor: torch.Tensor, device: str) -> torch.Tensor:
    """Return a tensor of this process's memory on the device; a card fetches it while we go on."""
    if torch.device(device).type == "cuda":
        return tensor.pin_memory().to(device, non_blocking=True)
    return tensor.to(device)
