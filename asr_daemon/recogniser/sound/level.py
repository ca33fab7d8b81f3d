"""How loud a recording is: what makes a transcript bad that no model can mend, said to who recorded it.

Enters: the windows as they are decoded, and the level of their speech band. Leaves: flags of the recording:
"very_quiet" (the microphone was far away or nearly off) and "overdriven" (too loud: peaks cut off, the voice
distorted). DC and mains hum are no sound.
"""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from asr_daemon.recogniser.sound.gain import BEYOND_FULL_SCALE
from asr_daemon.recogniser.sound.rate import SAMPLE_RATE_HZ
from asr_daemon.recogniser.sound.speech_band import FRAMES_PER_S

with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # it looks for an ffmpeg that it is never asked to use
    from pydub import AudioSegment

if TYPE_CHECKING:
    from numpy.typing import NDArray

FULL_SCALE = 32_767
# EBU R 128 wants speech at -23 LUFS; a phone in a pocket lies about 30 dB below that.
VERY_QUIET_DBFS = -45.0
NOTHING_DBFS = -110.0  # below the last bit of 16: pure silence is not "quiet"
CUT_OFF = 0.999  # of full scale
OVERDRIVEN_SHARE = 0.005  # of the samples; a healthy recording touches full scale in less than 0.01%
_HALF_S = FRAMES_PER_S // 2


class LevelMeter:
    """Loudest half second and cut-off peaks of one recording, window by window."""

    def __init__(self) -> None:
        self.loudest_dbfs = -np.inf
        self._samples = 0
        self._cut_off_samples = 0
        self._has_headroom = False  # floating point: nothing was cut off

    def feed(self, window: NDArray[np.float32], levels_dbfs: NDArray[np.float32]) -> None:
        """Take the next window, ``float32 [n_samples], -1..1, 16 kHz mono``, and the levels of its 50 ms."""
        if len(levels_dbfs):
            power = 10 ** (np.pad(levels_dbfs, (0, -len(levels_dbfs) % _HALF_S), mode="edge") / 10)
            loudest = float(power.reshape(-1, _HALF_S).mean(axis=1).max())
            self.loudest_dbfs = max(self.loudest_dbfs, 10 * np.log10(loudest))
        self._samples += len(window)
        pcm = (np.clip(window, -1.0, 1.0) * FULL_SCALE).astype("<i2")
        sound = AudioSegment(pcm.tobytes(), sample_width=2, frame_rate=SAMPLE_RATE_HZ, channels=1)
        if sound.max >= int(CUT_OFF * FULL_SCALE):
            loud = np.abs(window)
            self._cut_off_samples += int(np.count_nonzero(loud >= CUT_OFF))
            self._has_headroom |= bool(loud.max() > BEYOND_FULL_SCALE)

    def flags(self) -> tuple[str, ...]:
        """Return what is odd about the level of everything that was fed."""
        flags = []
        if NOTHING_DBFS < self.loudest_dbfs < VERY_QUIET_DBFS:
            flags.append("very_quiet")
        if (
            self._samples
            and not self._has_headroom
            and self._cut_off_samples > OVERDRIVEN_SHARE * self._samples
        ):
            flags.append("overdriven")
        return tuple(flags)
