"""Kaldi's log mel filter bank for many frames at once: what VAD and recognition both see.

Enters: ``float32 [n_samples], -1..1, 16 kHz mono``. Leaves: ``float32 [n_frames, 80]``, one frame for each
10 ms whose 25 ms are there. The same numbers as kaldi-native-fbank with FunASR's options (hamming, no
dither, no energy floor, pre-emphasis 0.97, offset removed per frame) within float32 rounding, through one
batched FFT in place of a loop over frames.
"""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAME_SAMPLES = 400
HOP_SAMPLES = 160
MEL_BINS = 80
_FFT_SAMPLES = 512
_LOW_HZ, _HIGH_HZ = 20.0, SAMPLE_RATE_HZ / 2
_PREEMPHASIS = 0.97
_INT16 = 32768.0  # FunASR computes features of samples in the range of int16
_BLOCK_FRAMES = 256  # that many at once stay within a core's cache
_PIECE_SAMPLES = 80  # frames and hops are whole numbers of these
_FLOOR = float(np.finfo(np.float32).eps)


def frame_count(samples: int) -> int:
    """Return how many whole frames so many samples hold."""
    return max(0, (samples - FRAME_SAMPLES) // HOP_SAMPLES + 1)


@torch.inference_mode()
def filter_bank(audio: torch.Tensor) -> torch.Tensor:
    """Return the log mel energies ``[n_frames, 80]`` of ``float32 [n_samples]``."""
    frames = frame_count(len(audio))
    if not frames:
        return torch.empty(0, MEL_BINS)
    table = _table()
    scaled = audio[: (frames - 1) * HOP_SAMPLES + FRAME_SAMPLES] * _INT16
    # Kaldi takes each frame's mean off and then pre-emphasises: x[i] - 0.97 x[i-1] - 0.03 mean. The first
    # two terms are the same for all frames that share a sample.
    emphasised = torch.empty_like(scaled)
    torch.sub(scaled[1:], scaled[:-1], alpha=_PREEMPHASIS, out=emphasised[1:])
    pieces = scaled[: len(scaled) // _PIECE_SAMPLES * _PIECE_SAMPLES].reshape(-1, _PIECE_SAMPLES).sum(dim=1)
    sums = pieces.unfold(0, FRAME_SAMPLES // _PIECE_SAMPLES, HOP_SAMPLES // _PIECE_SAMPLES).sum(dim=1)
    offsets = sums[:, None] * ((1 - _PREEMPHASIS) / FRAME_SAMPLES)
    firsts = scaled[: (frames - 1) * HOP_SAMPLES + 1 : HOP_SAMPLES] * (1 - _PREEMPHASIS)
    windows = emphasised.unfold(0, FRAME_SAMPLES, HOP_SAMPLES)
    out = torch.empty(frames, MEL_BINS)
    padded = torch.zeros(min(frames, _BLOCK_FRAMES), _FFT_SAMPLES)
    for low in range(0, frames, _BLOCK_FRAMES):
        high = min(low + _BLOCK_FRAMES, frames)
        block = padded[: high - low]
        torch.sub(windows[low:high], offsets[low:high], out=block[:, :FRAME_SAMPLES])
        torch.sub(firsts[low:high], offsets[low:high, 0], out=block[:, 0])
        block *= table.window
        spectrum = torch.view_as_real(torch.fft.rfft(block)).flatten(1)
        energies = torch.mm(spectrum.square_(), table.mel)
        torch.log(energies.clamp_(min=_FLOOR), out=out[low:high])
    return out


class RunningFilterBank:
    """The filter bank of a recording that arrives in windows, for all who need it; used by one thread."""

    def __init__(self) -> None:
        self._rest = np.empty(0, np.float32)  # from the start of the next frame
        self._kept = torch.empty(0, MEL_BINS)
        self._dropped = 0  # frames before those in _kept

    def feed(self, window: NDArray[np.float32]) -> torch.Tensor:
        """Take ``float32 [n_samples]``; return the frames that are complete by now."""
        audio = np.concatenate([self._rest, window])
        fresh = filter_bank(torch.from_numpy(audio))
        self._rest = audio[len(fresh) * HOP_SAMPLES :]
        self._kept = torch.cat([self._kept, fresh])
        return fresh

    def part(self, start_samples: int, length_samples: int) -> torch.Tensor | None:
        """Return what :func:`filter_bank` says of a part of the recording that was not dropped.

        None where it does not begin on a hop: then the frames lie elsewhere.
        """
        if start_samples % HOP_SAMPLES:
            return None
        first = start_samples // HOP_SAMPLES - self._dropped
        return self._kept[first : first + frame_count(length_samples)]

    def drop(self, before_samples: int) -> None:
        """Forget the frames that begin before."""
        frames = min(-(-before_samples // HOP_SAMPLES) - self._dropped, len(self._kept))
        if frames > 0:
            self._kept = self._kept[frames:].clone()
            self._dropped += frames


@dataclass(frozen=True)
class _Table:
    window: torch.Tensor  # [512], zero behind the frame
    mel: torch.Tensor  # [514, 80]: adds a bin's squared real and imaginary part as well


@functools.cache
def _table() -> _Table:
    steps = torch.arange(FRAME_SAMPLES, dtype=torch.float64)
    window = 0.54 - 0.46 * torch.cos(2 * math.pi * steps / (FRAME_SAMPLES - 1))
    window = torch.nn.functional.pad(window, (0, _FFT_SAMPLES - FRAME_SAMPLES))
    return _Table(window.float(), torch.from_numpy(mel_weights()).repeat_interleave(2, dim=0).float())


def mel_weights() -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """Return Kaldi's triangles on the mel scale (``feat/mel-computations.cc``), ``[257, 80]``.

    Kaldi leaves the last bin, half the sampling rate, out: the last triangle ends there.
    """

    def mel(hz: np.ndarray[tuple[int], np.dtype[np.float64]]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
        return 1127.0 * np.log1p(hz / 700.0)

    low, high = mel(np.array([_LOW_HZ, _HIGH_HZ]))
    step = (high - low) / (MEL_BINS + 1)
    left = low + np.arange(MEL_BINS) * step
    bins = mel(np.arange(_FFT_SAMPLES // 2 + 1) * SAMPLE_RATE_HZ / _FFT_SAMPLES)[:, None]
    rising, falling = (bins - left) / step, (left + 2 * step - bins) / step
    return np.maximum(0.0, np.minimum(rising, falling))
