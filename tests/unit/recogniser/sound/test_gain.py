"""The gain: quiet speech comes up, nothing is clipped, loud sound is untouched."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import noise
from voices import voice

from asr_daemon.recogniser.sound.gain import FSMN_AIM, PEAK, SILERO_AIM, Aim, AutoGain
from asr_daemon.recogniser.sound.speech_band import levels_dbfs


def louder(pieces: list[np.ndarray], aim: Aim = FSMN_AIM) -> np.ndarray:
    """Return what comes out."""
    gain = AutoGain(aim)
    return np.concatenate([gain.apply(piece, levels_dbfs(piece)) for piece in pieces])


def scaled(sound: np.ndarray, db: float) -> np.ndarray:
    return (sound * 10 ** (db / 20)).astype(np.float32)


@pytest.mark.parametrize("aim", [FSMN_AIM, SILERO_AIM])
def test_loud_recording_is_bit_identical(aim: Aim) -> None:
    """What is loud enough stays as it is, noise and pauses in it, too."""
    sound = np.concatenate(
        [voice(seconds=8), noise(3, -60), voice("support.mp3", 8), np.zeros(16_000, np.float32)]
    )
    assert np.array_equal(louder(np.array_split(sound, 5), aim), sound)


@pytest.mark.parametrize("aim", [FSMN_AIM, SILERO_AIM])
@pytest.mark.parametrize("db", [-40, -60])
def test_quiet_speech_comes_up(db: float, aim: Aim) -> None:
    """As loud as ordinary speech, whatever the level, and still the same sound."""
    sound = voice(seconds=15)
    heard = louder([scaled(sound, db)], aim)
    least_dbfs = -30 if aim is FSMN_AIM else -36  # silero hears the quieter better
    assert least_dbfs < 20 * np.log10(heard.std()) < -14
    assert abs(np.corrcoef(heard, sound)[0, 1]) > 0.99


def test_nothing_is_clipped() -> None:
    """A door that slams in a quiet meeting is not made louder than it is, or than fits."""
    sound = scaled(voice(seconds=20), -40)
    sound[100_000:100_200] = 0.97
    sound[200_000:200_100] += noise(1, -20)[:100]
    heard = louder([sound])
    assert np.abs(heard).max() <= max(PEAK, 0.97) + 1e-6
    assert np.abs(heard[:80_000]).max() > 5 * np.abs(sound[:80_000]).max()


def test_steady_noise_and_silence_are_left_alone() -> None:
    """Where nobody speaks there is nothing to bring up."""
    for sound in (noise(40, -70), noise(40, -98), np.zeros(640_000, np.float32)):
        assert np.array_equal(louder([sound]), sound)


def test_gain_is_slow() -> None:
    """Upwards it goes along a line, and pieces join without a step."""
    sound = np.concatenate(
        [scaled(voice(seconds=15), -40), voice(seconds=15), scaled(voice(seconds=15), -40)]
    )
    heard = louder(list(np.array_split(sound, 3)))
    ratio = heard[np.abs(sound) > 1e-4] / sound[np.abs(sound) > 1e-4]
    assert np.diff(20 * np.log10(np.maximum(ratio, 1e-3))).max() < 1, (
        "upwards; downwards at once, or it clips"
    )
    assert np.abs(heard).max() <= max(PEAK, float(np.abs(sound).max())) + 1e-6
