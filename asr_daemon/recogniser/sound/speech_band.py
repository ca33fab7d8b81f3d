"""The level of the band that speech lies in: no DC, no mains hum, no rumble.

Enters: pieces of ``float32 [n_samples], 16 kHz mono`` in order. Leaves: ``float32``, the level of each 50 ms
between about 200 and 1800 Hz, in dBFS.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import signal

from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from numpy.typing import NDArray

FRAMES_PER_S = 20
FRAME_SAMPLES = SAMPLE_RATE_HZ // FRAMES_PER_S  # about half a syllable
LOWEST_HZ = 200.0  # Butterworth of the fourth order: 24 dB off 100 Hz, 48 dB off 50 Hz
_THIN = 4  # means of 4 samples: what lies above 2 kHz is folded down, which does a level no harm
_HIGH_PASS = signal.butter(4, LOWEST_HZ, "highpass", fs=SAMPLE_RATE_HZ / _THIN, output="sos").astype(
    np.float32
)


class SpeechBand:
    """One recording's levels; the filter's state goes on from piece to piece."""

    def __init__(self) -> None:
        self._state: NDArray[np.float32] | None = None

    def levels_dbfs(self, samples: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the level of each whole 50 ms."""
        count = len(samples) // FRAME_SAMPLES
        if not count:
            return np.empty(0, np.float32)
        whole = samples[: count * FRAME_SAMPLES]
        thin = whole[0::_THIN] + whole[1::_THIN] + whole[2::_THIN] + whole[3::_THIN]
        thin *= 1 / _THIN
        if self._state is None:  # as if the first sample had been there for ever: no step from nothing to DC
            self._state = (signal.sosfilt_zi(_HIGH_PASS) * thin[0]).astype(np.float32)
        band, self._state = signal.sosfilt(_HIGH_PASS, thin, zi=self._state)
        frames = band.reshape(count, -1)
        power = np.einsum("ij,ij->i", frames, frames) / frames.shape[1]
        levels: NDArray[np.float32] = 10 * np.log10(power + 1e-15)
        return levels
