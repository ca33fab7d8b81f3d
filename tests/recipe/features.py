"""Filter banks of spoken sentences, as they are and distorted: quieter, noisy, muffled, with pauses."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from scipy.signal import butter, sosfilt

from recipe.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

FRONT_END = {
    "fs": 16_000,
    "window": "hamming",
    "n_mels": 80,
    "frame_length": 25,  # ms
    "frame_shift": 10,  # ms
    "lfr_m": 7,  # so many frames stacked ...
    "lfr_n": 6,  # ... every so many: one step is 60 ms
    "dither": 0.0,
}
WIDTH = 560  # 80 filters of 7 frames
_RATE_HZ = 16_000


def filter_banks(speech: Shard, n_noisy: int, seed: int) -> Shard:
    """Return float16 [n_steps, WIDTH] for each sentence of int16 samples, then for its noisy copies."""
    return Shard.of(_filter_banks(speech, n_noisy, np.random.default_rng(seed)))


def _filter_banks(
    speech: Shard, n_noisy: int, random: np.random.Generator
) -> Iterator[tuple[str, NDArray[np.float16]]]:
    from funasr.frontends.wav_frontend import WavFrontend  # noqa: PLC0415 (seconds)

    front_end = WavFrontend(**FRONT_END)
    for text, samples in speech:
        clean = samples.astype(np.float32) / 32768
        for version in (clean, *(distort(clean, random) for _ in range(n_noisy))):
            steps, lengths = front_end(torch.from_numpy(version)[None], torch.tensor([len(version)]))
            yield text, steps[0, : lengths[0]].numpy().astype(np.float16)


def distort(samples: NDArray[np.float32], random: np.random.Generator) -> NDArray[np.float32]:
    """Return a copy as a worse microphone in a livelier room would have it (float32, -1..1, 16 kHz)."""
    samples = samples * random.uniform(0.15, 1.0)
    if random.random() < 0.6:
        noise = random.standard_normal(len(samples))
        if random.random() < 0.5:
            noise = _low_pass(noise, 1, random.uniform(200, 3000))
        below_db = random.uniform(8, 30)
        samples = samples + noise * (_level(samples) / _level(noise) * 10 ** (-below_db / 20))
    if random.random() < 0.2:
        samples = _low_pass(samples, 4, random.uniform(3000, 3900))  # a telephone
    around = [int(random.uniform(0, 0.35) * _RATE_HZ) for _ in range(2)]
    before, after = (random.standard_normal(n) * 10 ** random.uniform(-5, -3) for n in around)
    return np.concatenate([before, samples, after]).astype(np.float32)


def _low_pass(samples: NDArray[np.floating], order: int, up_to_hz: float) -> NDArray[np.floating]:
    return sosfilt(butter(order, up_to_hz, fs=_RATE_HZ, output="sos"), samples)


def _level(samples: NDArray[np.floating]) -> float:
    return float(np.sqrt(np.mean(samples**2)) + 1e-9)
