"""Sounds for tests that need no recording."""

from __future__ import annotations

import numpy as np

CHANCE = np.random.default_rng(7)


def speech(seconds: float, dbfs: float = -20.0) -> np.ndarray:
    """Return noise that comes and goes four times a second, as syllables do."""
    times = np.arange(int(seconds * 16_000)) / 16_000
    syllables = np.clip(np.sin(2 * np.pi * 4 * times), 0.02, 1)
    sound = CHANCE.normal(0, 1, len(times)) * syllables
    return (sound / np.sqrt(np.mean(sound**2)) * 10 ** (dbfs / 20)).astype(np.float32)


def noise(seconds: float, dbfs: float) -> np.ndarray:
    """Return steady noise."""
    return (CHANCE.normal(0, 1, int(seconds * 16_000)) * 10 ** (dbfs / 20)).astype(np.float32)
