"""Most recordings have one track: one start of ffmpeg tells that and decodes it."""

from __future__ import annotations

import os
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest
from voices import FFMPEG, ffmpeg, likeness, voice, write_wave

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding
from asr_daemon.recogniser.sound.facts import Facts, Track
from asr_daemon.recogniser.sound.parts import Part
from asr_daemon.recogniser.sound.stream import TrackStream

if TYPE_CHECKING:
    from pathlib import Path

CODECS = {
    "mp3": (), "m4a": (), "opus": (), "ogg": (), "flac": (), "webm": ("-c:a", "libopus"), "wma": (),
    "amr": ("-ar", "8000", "-ac", "1"), "wav": ("-ar", "44100"), "aac": (), "mp4": (), "mka": (),
}  # fmt: skip


def program(path: Path, script: str) -> Path:
    """Write a program that stands in ffmpeg's place."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return path


def heard(path: Path, program: Path = FFMPEG) -> np.ndarray:
    """Decode with a program."""
    with path.open("rb") as file:
        return np.concatenate(list(Decoding(file.fileno(), program, 3600)))


@pytest.mark.parametrize("suffix", CODECS)
def test_a_recording_of_one_track_costs_one_start(tmp_path: Path, suffix: str) -> None:
    """Nothing but that sets what a voice message costs."""
    starts = tmp_path / "starts"
    starts.mkdir()  # it may write no file
    counting = program(tmp_path / "ffmpeg", f'mkdir "{starts}/$$"; exec "{FFMPEG}" "$@"')
    path = tmp_path / f"a.{suffix}"
    ffmpeg("-i", write_wave(tmp_path / "s.wav", voice(seconds=3)), *CODECS[suffix], path)
    assert abs(len(heard(path, counting)) - 3 * SAMPLE_RATE_HZ) < 0.1 * SAMPLE_RATE_HZ
    assert len(list(starts.iterdir())) == 1


@pytest.mark.parametrize("how", ["no process", "crash", "no sound", "rubbish"])
def test_what_cannot_be_told_at_once_is_decoded_as_before(tmp_path: Path, how: str) -> None:
    """Whatever becomes of the attempt (its mark is the second output), the recording is read."""
    attempt = {
        "no process": "exit 1",
        "crash": "kill -SEGV $$",
        "no sound": "exec cat /dev/null",
        "rubbish": "head -c 3000000 /dev/zero",
    }[how]
    odd = program(
        tmp_path / "ffmpeg", f'case "$*" in *flush_packets*) {attempt};; *) exec "{FFMPEG}" "$@";; esac'
    )
    path = tmp_path / "a.mp3"
    ffmpeg("-i", write_wave(tmp_path / "s.wav", voice(seconds=3)), path)
    assert np.array_equal(heard(path, odd), heard(path))


def test_sound_of_other_channels_than_announced_is_not_misread(tmp_path: Path) -> None:
    """Half as many would be heard at double speed."""
    other = program(
        tmp_path / "ffmpeg",
        f'case "$*" in *flush_packets*) exec "{FFMPEG}" $(echo "$*" | sed "s/-ar 16000/-ac 1 -ar 16000/");;'
        f' *) exec "{FFMPEG}" "$@";; esac',
    )
    path = tmp_path / "a.flac"
    sound = voice(seconds=3)
    ffmpeg("-i", write_wave(tmp_path / "s.wav", np.stack([sound, sound * 0.5], axis=1)), path)
    assert np.array_equal(heard(path, other), heard(path))


def test_the_clock_of_an_older_ffmpeg_is_heard(tmp_path: Path) -> None:
    """Until 7.0 our filter's prints bear no name."""
    older = program(
        tmp_path / "ffmpeg",
        "nonce=$(echo \"$*\" | grep -o 'print([0-9]*' | head -n 1 | tr -dc 0-9)\n"
        'printf "[warning] %s.000000\\n[warning] 0.000000\\n[warning] 3.000000\\n" $nonce >&2\n'
        "head -c 64000 /dev/zero",
    )
    track = Track(0, "mp3", 16_000, 1, "mono")
    facts = Facts((track,), has_picture=False, start_s=0.0, duration_s=None, evidence="")
    fd = os.open(older, os.O_RDONLY)
    try:
        blocks = list(TrackStream(fd, older, Part(), facts, track, 3600 * SAMPLE_RATE_HZ))
    finally:
        os.close(fd)
    assert [block.start_samples for block in blocks] == [3 * SAMPLE_RATE_HZ]


def test_dts_that_calls_itself_pcm_is_found(tmp_path: Path) -> None:
    """As it is on some discs; it would be noise."""
    raw = tmp_path / "a.dts"
    source = write_wave(tmp_path / "s.wav", voice(seconds=3))
    ffmpeg("-i", source, "-ar", "44100", "-ac", "2", "-c:a", "dca", "-strict", "-2", "-b:a", "1411200", raw)
    path = tmp_path / "a.wav"
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(2)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.writeframes(raw.read_bytes()[: raw.stat().st_size // 4 * 4])
    assert likeness(heard(path), voice(seconds=3)) > 0.7
