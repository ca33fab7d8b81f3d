"""Every channel that somebody speaks into is heard, wherever it lies and whatever the others hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from scipy.signal import hilbert
from voices import decoded, ffmpeg, likeness, noise, pieces, voice, write_wave

if TYPE_CHECKING:
    from pathlib import Path

PLACES = [(channels, place) for channels in range(2, 9) for place in range(channels)]


@pytest.mark.parametrize(("channels", "place"), PLACES)
def test_one_microphone_of_several_is_heard(tmp_path: Path, channels: int, place: int) -> None:
    """In every position, at full level, whatever ffmpeg takes that channel for."""
    said = voice(seconds=3)
    sound = np.zeros((len(said), channels), np.float32)
    sound[:, place] = said
    heard = decoded(write_wave(tmp_path / "a.wav", sound))
    assert likeness(heard, said) > 0.95
    assert 0.5 < np.std(heard) / np.std(said) < 1.1


@pytest.mark.parametrize("codec", ["flac", "m4a", "ac3", "opus"])
@pytest.mark.parametrize("place", range(6))
def test_every_place_of_a_real_layout_is_heard(tmp_path: Path, codec: str, place: int) -> None:
    """Also the bass's, where somebody speaks into it (as far as the codec keeps more than bass there)."""
    if place == 3 and codec in ("m4a", "ac3", "opus"):
        pytest.skip("the codec keeps nothing but bass there")
    said = voice(seconds=3)
    sound = np.zeros((len(said), 6), np.float32)
    sound[:, place] = said
    source = write_wave(tmp_path / "a.wav", sound)
    path = tmp_path / f"a.{codec}"
    ffmpeg("-channel_layout", "5.1", "-i", source, "-ar", "48000", "-b:a", "384k", path)
    assert likeness(decoded(path), said) > 0.85


def test_a_film_bass_is_left_out(tmp_path: Path) -> None:
    """What rumbles below the voices is not mixed into them."""
    said = voice(seconds=4)
    sound = np.zeros((len(said), 6), np.float32)
    sound[:, 2] = said
    moves = np.sin(np.arange(len(said)) / 16_000 * 2 * np.pi * 0.7) > 0
    sound[:, 3] = 0.8 * moves * np.sin(2 * np.pi * 45 * np.arange(len(said)) / 16_000)
    path = tmp_path / "a.flac"
    ffmpeg("-channel_layout", "5.1", "-i", write_wave(tmp_path / "a.wav", sound), path)
    assert likeness(decoded(path), said) > 0.95


def test_opposite_phase_is_turned(tmp_path: Path) -> None:
    """Two channels that cancel each other are heard."""
    said = voice()
    heard = decoded(write_wave(tmp_path / "a.wav", np.stack([said, -0.8 * said], axis=1)))
    assert likeness(heard, said) > 0.98
    assert np.std(heard) > 0.7 * np.std(said)


def test_opposite_phase_under_a_common_hum_is_turned(tmp_path: Path) -> None:
    """What both channels share from the mains does not hide that the voices cancel."""
    said = voice()
    hum = 0.3 * np.sin(2 * np.pi * 50 * np.arange(len(said)) / 16_000)
    heard = decoded(write_wave(tmp_path / "a.wav", np.stack([0.3 * said + hum, -0.3 * said + hum], axis=1)))
    assert likeness(np.diff(heard, 2), np.diff(said, 2)) > 0.9


def test_opposite_phase_of_one_party_alone_is_turned(tmp_path: Path) -> None:
    """One speaks in phase, the other against it, in turn: both are heard all the time."""
    one, other = voice(seconds=5), voice("support.mp3", 5)
    left = np.concatenate([one, other] * 5)
    right = np.concatenate([one, -other] * 5)
    heard = decoded(write_wave(tmp_path / "a.wav", np.stack([left, right], axis=1)))
    for turn in range(1, 9):
        part = slice(turn * 80_000 + 8000, (turn + 1) * 80_000 - 8000)
        assert np.std(heard[part]) > 0.8 * np.std(left[part])


@pytest.mark.parametrize("before", ["other", "both", "nobody"])
def test_two_parties_at_once_of_which_one_is_against_itself(tmp_path: Path, before: str) -> None:
    """Neither their sum nor their difference holds both: both are heard, about as loud as they are.

    In every two seconds; whether one of them was alone before does not matter.
    """
    one, other = voice(seconds=6), 0.9 * voice("support.mp3", 6)
    alone = {"other": (other, -other), "both": (np.concatenate([one, other]), np.concatenate([one, -other]))}
    left, right = alone.get(before, (other[:0], other[:0]))
    sound = np.stack([np.concatenate([left, one + other]), np.concatenate([right, one - other])], axis=1)
    heard = decoded(write_wave(tmp_path / "a.wav", sound))[len(left) :]
    for begin in range(
        2 if before == "nobody" else 0, 6, 2
    ):  # the first half second decides for itself alone
        part = slice(begin * 16_000, (begin + 2) * 16_000)
        share = np.hypot(np.std(one[part]), np.std(other[part]))
        for said in (one[part], other[part]):
            assert in_any_phase(heard[part], said) > 0.8 * float(np.std(said)) / share
        assert np.std(heard[part]) > 0.5 * share


def in_any_phase(heard: np.ndarray, said: np.ndarray) -> float:
    """Return how much of what is heard was said, every frequency shifted by the same angle."""
    return float(np.hypot(likeness(heard, said), likeness(heard, np.imag(hilbert(said)).astype(np.float32))))


@pytest.mark.parametrize("loud_dbfs", [-30, -20, -10])
@pytest.mark.parametrize("speaks_in", [0, 1])
def test_noise_on_the_other_channel_is_left_out(tmp_path: Path, speaks_in: int, loud_dbfs: float) -> None:
    """Hiss, however loud, on a channel that nobody speaks into."""
    said = voice(seconds=40)
    sound = np.stack([noise(len(said), loud_dbfs)] * 2, axis=1)
    sound[:, speaks_in] = said
    assert likeness(decoded(write_wave(tmp_path / "a.wav", sound)), said) > 0.95


@pytest.mark.parametrize("hz", [50, 60])
def test_hum_on_the_other_channel_is_left_out(tmp_path: Path, hz: int) -> None:
    """Mains hum with its harmonics."""
    said = voice(seconds=10)
    times = np.arange(len(said)) / 16_000
    hum = sum(np.sin(2 * np.pi * hz * n * times) / n for n in range(1, 12)) * 0.2
    sound = np.stack([hum, said], axis=1).astype(np.float32)
    assert likeness(decoded(write_wave(tmp_path / "a.wav", sound)), said) > 0.95


def test_noise_that_comes_and_goes_drowns_little(tmp_path: Path) -> None:
    """A fan that is switched on and off on the other channel costs the moments of switching alone."""
    said = voice(seconds=15)
    fan = noise(len(said), -15)
    fan[: 4 * 16_000] = 0
    fan[9 * 16_000 :] = 0
    heard = decoded(write_wave(tmp_path / "a.wav", np.stack([said, fan], axis=1)))
    assert likeness(heard[6 * 16_000 : 7 * 16_000], said[6 * 16_000 : 7 * 16_000]) > 0.9
    assert likeness(heard[11 * 16_000 :], said[11 * 16_000 :]) > 0.95


def test_two_who_take_turns_on_their_own_channels_are_both_heard(tmp_path: Path) -> None:
    """A telephone call with a party on each side."""
    one, other = voice(seconds=6), voice("support.mp3", 6)
    sound = np.zeros((len(one) + len(other), 2), np.float32)
    sound[: len(one), 0] = one
    sound[len(one) :, 1] = other
    heard = decoded(write_wave(tmp_path / "a.wav", sound))
    assert likeness(heard[: len(one)], one) > 0.95
    assert likeness(heard[len(one) :], other) > 0.95


def test_ordinary_stereo_is_the_mean_of_its_channels(tmp_path: Path) -> None:
    """Nothing is decided where nothing has to be."""
    said = voice(seconds=40)
    sound = np.stack([said + noise(len(said), -60), 0.7 * said + noise(len(said), -60)], axis=1)
    heard = decoded(write_wave(tmp_path / "a.wav", sound))
    assert np.abs(heard - sound.mean(axis=1)).max() < 1e-4


def test_microphone_on_the_second_track_is_heard(tmp_path: Path) -> None:
    """Beside a silent 5.1 that ffmpeg would prefer, and a track that starts later."""
    said, other = voice(seconds=6), voice("support.mp3", 4)
    mono = write_wave(tmp_path / "m.wav", said)
    late = write_wave(tmp_path / "l.wav", other)
    path = tmp_path / "a.mkv"
    ffmpeg(
        "-f",
        "lavfi",
        "-t",
        "6",
        "-i",
        "anullsrc=cl=5.1:r=48000",
        "-i",
        mono,
        "-itsoffset",
        "8",
        "-i",
        late,
        "-map",
        "0:a",
        "-map",
        "1:a",
        "-map",
        "2:a",
        "-c:a",
        "flac",
        path,
    )
    found, decoding = pieces(path)
    heard = found[0].samples
    assert likeness(heard, said) > 0.95
    assert abs(found[-1].start_samples - 8 * 16_000) < 100
    assert found[-1].is_new
    assert likeness(found[-1].samples, other) > 0.95
    assert decoding.findings.tracks == 3


def test_tracks_that_speak_at_once_are_mixed(tmp_path: Path) -> None:
    """Remote and microphone on tracks of their own, of different rates and layouts."""
    one, other = voice(seconds=6), voice("support.mp3", 6)
    first = write_wave(tmp_path / "1.wav", one)
    second = write_wave(tmp_path / "2.wav", other)
    path = tmp_path / "a.mov"
    ffmpeg(
        "-i",
        first,
        "-i",
        second,
        "-map",
        "0:a",
        "-map",
        "1:a",
        "-c:a",
        "pcm_s16le",
        "-ar:a:0",
        "48000",
        "-ac:a:0",
        "2",
        "-ar:a:1",
        "8000",
        path,
    )
    heard = decoded(path)
    assert likeness(heard, one) > 0.4
    assert likeness(heard, other) > 0.4
