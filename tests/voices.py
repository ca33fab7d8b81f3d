"""Recordings of every shape, made of the sample recordings: channels, tracks, time stamps, headers."""

from __future__ import annotations

import os
import subprocess
import wave
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding, Piece
from support import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path

FFMPEG = find_ffmpeg()
CHANCE = np.random.default_rng(3)


def ffmpeg(*arguments: str | Path) -> None:
    """Run ffmpeg."""
    subprocess.run([FFMPEG, "-v", "error", "-y", *arguments], check=True)


def voice(name: str = "lecture.wav", seconds: float = 6.0, begin: float = 0.0) -> np.ndarray:
    """Return somebody speaking, ``float32 [n_samples], 16 kHz mono``."""
    with (SAMPLES / name).open("rb") as file:
        whole = np.concatenate(list(Decoding(file.fileno(), FFMPEG, 3600)))
    return whole[int(begin * SAMPLE_RATE_HZ) :][: int(seconds * SAMPLE_RATE_HZ)]


def write_wave(path: Path, channels: np.ndarray, rate_hz: int = SAMPLE_RATE_HZ) -> Path:
    """Write ``float32 [n_samples, n_channels]`` as 16 bits."""
    pcm = (np.clip(np.atleast_2d(channels.T).T, -1, 1) * 32_767).astype("<i2")
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(pcm.shape[1])
        file.setsampwidth(2)
        file.setframerate(rate_hz)
        file.writeframes(pcm.tobytes())
    return path


def pieces(path: Path, max_duration_s: float = 3600) -> tuple[list[Piece], Decoding]:
    """Decode."""
    fd = os.open(path, os.O_RDONLY)
    try:
        decoding = Decoding(fd, FFMPEG, max_duration_s)
        return list(decoding.pieces()), decoding
    finally:
        os.close(fd)


def decoded(path: Path) -> np.ndarray:
    """Return all samples of a recording, gaps as silence."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return np.concatenate(list(Decoding(fd, FFMPEG, 3600)))
    finally:
        os.close(fd)


def likeness(heard: np.ndarray, said: np.ndarray) -> float:
    """Return how much of what is heard was said: 1 is all, with whatever sign, up to 50 ms late."""
    length = min(len(heard), len(said)) - 800
    said = said[:length]
    best = 0.0
    for shift in range(0, 800, 4):
        part = heard[shift : shift + length]
        best = max(
            best, abs(float(part @ said)) / (float(np.linalg.norm(part) * np.linalg.norm(said)) + 1e-9)
        )
    return best


def noise(count: int, dbfs: float) -> np.ndarray:
    """Return steady noise."""
    return (CHANCE.normal(0, 1, count) * 10 ** (dbfs / 20)).astype(np.float32)
