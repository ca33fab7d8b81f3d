"""The level of the band that speech lies in: no DC, no mains hum, no rumble.

Enters: pieces of ``float32 [n_samples], 16 kHz mono``. Leaves: ``float32``, the level of each 50 ms between
200 and 2000 Hz, in dBFS. By the spectrum of each frame (von Hann's window, whose side lobes fall off fast
enough to keep hum out of the speech beside it), and so without a filter's state.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMES_PER_S = 20
FRAME_SAMPLES = SAMPLE_RATE_HZ // FRAMES_PER_S  # about half a syllable
LOWEST_HZ = 200
_THIN = 4  # means of 4 samples: what lies above 2 kHz is folded down, which does a level no harm
_WINDOW = np.hanning(FRAME_SAMPLES // _THIN + 1)[:-1].astype(np.float32)
_LOWEST_BIN = LOWEST_HZ // FRAMES_PER_S
# By Parseval's theorem: both halves of the spectrum, and what the window takes away on average.
_POWER_OF_BINS = 2.0 / (len(_WINDOW) * float(np.sum(_WINDOW**2)))


def levels_dbfs(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the level of each whole 50 ms of the samples."""
    count = len(samples) // FRAME_SAMPLES
    if not count:
        return np.empty(0, np.float32)
    whole = samples[: count * FRAME_SAMPLES]
    thin = whole[0::_THIN] + whole[1::_THIN] + whole[2::_THIN] + whole[3::_THIN]
    power = _power(thin.reshape(count, -1))
    if (
        count > 1
    ):  # Welch's method: windows that overlap by half, so that what the window fades out counts, too
        half = len(_WINDOW) // 2
        between = _power(thin[half:-half].reshape(count - 1, -1))
        power = (power + (np.append(between[0], between) + np.append(between, between[-1])) / 2) / 2
    levels: NDArray[np.float32] = (10 * np.log10(power + 1e-15)).astype(np.float32)
    return levels


def _power(frames: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the mean power of each frame in the band."""
    spectrum = np.fft.rfft(frames * (_WINDOW / _THIN), axis=1)[:, _LOWEST_BIN:]
    power: NDArray[np.float32] = np.sum(spectrum.real**2 + spectrum.imag**2, axis=1) * _POWER_OF_BINS
    return power
