"""The level of a recording: what is too quiet or overdriven is told, what is healthy is not."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from voices import decoded, ffmpeg

from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.sound.decoding import Decoding
from asr_daemon.recogniser.sound.gain import FSMN_AIM, PEAK, AutoGain
from asr_daemon.recogniser.sound.level import LevelMeter
from asr_daemon.recogniser.sound.speech_band import levels_dbfs
from support import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path


def flags_of(gain_db: float) -> tuple[str, ...]:
    with (SAMPLES / "lecture.wav").open("rb") as file:
        samples = np.concatenate(list(Decoding(file.fileno(), find_ffmpeg(), 3600)))
    meter = LevelMeter()
    for window in np.array_split(np.clip(samples * 10 ** (gain_db / 20), -1, 1).astype(np.float32), 7):
        meter.feed(window, levels_dbfs(window))
    return meter.flags()


@pytest.mark.parametrize(
    ("gain_db", "flags"), [(0, ()), (-12, ()), (-50, ("very_quiet",)), (40, ("overdriven",))]
)
def test_level_is_flagged(gain_db: float, flags: tuple[str, ...]) -> None:
    """A recording 50 dB too low is very quiet, one 40 dB too high overdriven, ordinary ones are neither."""
    assert flags_of(gain_db) == flags


def test_floating_point_beyond_full_scale_is_not_overdriven(tmp_path: Path) -> None:
    """A recorder with 32 bits of it leaves the level to whoever listens: nothing is cut off."""
    path = tmp_path / "a.wav"
    ffmpeg("-i", SAMPLES / "lecture.wav", "-af", "volume=30dB", "-c:a", "pcm_f32le", path)
    plain = decoded(SAMPLES / "lecture.wav")
    meter, gain = LevelMeter(), AutoGain(FSMN_AIM)
    heard = []
    for window in np.array_split(decoded(path), 7):
        levels = levels_dbfs(window)
        meter.feed(window, levels)
        heard.append(gain.apply(window, levels))
    assert meter.flags() == ()
    louder = np.concatenate(heard)
    assert np.abs(louder).max() <= PEAK + 1e-5
    assert np.corrcoef(louder[-100_000:], plain[-100_000:])[0, 1] > 0.999
    assert 0.3 < np.std(louder) / np.std(plain) < 5


def test_silence_is_not_quiet() -> None:
    """Digital silence has no level to complain of."""
    meter = LevelMeter()
    silence = np.zeros(16_000, np.float32)
    meter.feed(silence, levels_dbfs(silence))
    assert meter.flags() == ()


def test_nothing_fed_has_no_flags() -> None:
    """A recording without a single sample is not judged."""
    assert LevelMeter().flags() == ()
