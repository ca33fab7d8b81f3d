"""Plain 16 kHz WAVE files are read without ffmpeg, to the last bit; all others are left to it."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import numpy as np
import pytest

from asr_daemon.errors import ReadFailedError
from asr_daemon.recogniser.sound.decoding import Decoding
from asr_daemon.recogniser.sound.parts import Part, find_parts
from asr_daemon.recogniser.sound.plain_wave import plain_wave

NO_FFMPEG = Path("/nowhere/ffmpeg")
SOUND = np.random.default_rng(0).integers(-20_000, 20_000, 40_000).astype("<i2")
NOTE = b"LIST" + struct.pack("<I", 6) + b"noted!"
MORE = b"data" + struct.pack("<I", 8) + bytes(8)


def wave(
    sound: np.ndarray = SOUND,
    *,
    tag: int = 1,
    channels: int = 1,
    rate_hz: int = 16_000,
    bits: int = 16,
    before: bytes = b"",
    behind: bytes = b"",
    says: int | None = None,
) -> bytes:
    """Return a WAVE file."""
    frame = channels * bits // 8
    described = struct.pack("<HHIIHH", tag, channels, rate_hz, rate_hz * frame, frame, bits)
    data = sound.tobytes()
    body = b"WAVEfmt " + struct.pack("<I", 16) + described + before
    body += b"data" + struct.pack("<I", len(data) if says is None else says) + data + behind
    return b"RIFF" + struct.pack("<I", len(body)) + body


def opened(folder: Path, content: bytes) -> int:
    """Return a descriptor of a file with that content."""
    path = folder / "a.wav"
    path.write_bytes(content)
    return os.open(path, os.O_RDONLY)


def heard(fd: int) -> np.ndarray:
    """Return what is decoded where there is no ffmpeg."""
    return np.concatenate(list(Decoding(fd, NO_FFMPEG, 3600)))


@pytest.mark.parametrize("before", [b"", NOTE])
@pytest.mark.parametrize("behind", [b"", NOTE, b"TAG" + b"x" * 125])
def test_plain_files_need_no_ffmpeg(tmp_path: Path, before: bytes, behind: bytes) -> None:
    """Whatever else lies before and behind the sound."""
    assert np.array_equal(
        heard(opened(tmp_path, wave(before=before, behind=behind))), SOUND / np.float32(32768)
    )


@pytest.mark.parametrize("says", [0, 0xFFFF_FFFF, 1000])
def test_length_that_is_wrong_is_ignored(tmp_path: Path, says: int) -> None:
    """As for ffmpeg, which is told so."""
    assert np.array_equal(heard(opened(tmp_path, wave(says=says))), SOUND / np.float32(32768))


def test_two_channels_are_mixed(tmp_path: Path) -> None:
    """The same on both: that is what is heard."""
    twice = np.repeat(SOUND, 2)
    assert np.array_equal(heard(opened(tmp_path, wave(twice, channels=2))), SOUND / np.float32(32768))


def test_half_a_sample_at_the_end_is_none(tmp_path: Path) -> None:
    """A file that was cut in the middle of one."""
    fd = opened(tmp_path, wave()[:-1])
    assert np.array_equal(heard(fd), SOUND[:-1] / np.float32(32768))


def test_files_behind_one_another_are_parts(tmp_path: Path) -> None:
    """Each is read to its own end."""
    fd = opened(tmp_path, wave() + wave(SOUND[:1000]))
    assert len(find_parts(fd, 3600)) == 2
    assert len(heard(fd)) == len(SOUND) + 1000


@pytest.mark.parametrize(
    "content",
    [
        wave(rate_hz=8_000),
        wave(rate_hz=44_100),
        wave(tag=3, bits=32),
        wave(tag=0xFFFE),
        wave(tag=0x11, bits=4),
        wave(bits=24),
        wave(bits=8),
        wave(channels=3),
        wave(channels=0),
        wave(behind=MORE),
        wave(behind=NOTE + MORE),
        wave(SOUND[:0]),
        b"RIFF",
        wave()[:40],
        b"no sound",
    ],
)
def test_everything_else_is_left_to_ffmpeg(tmp_path: Path, content: bytes) -> None:
    """Other rates, other kinds of samples, more than two channels, sound in several pieces, no sound."""
    assert plain_wave(opened(tmp_path, content), Part()) is None


def test_closing_ends_it(tmp_path: Path) -> None:
    """From another thread, without an error."""
    decoding = Decoding(opened(tmp_path, wave(np.tile(SOUND, 60))), NO_FFMPEG, 3600)
    windows = iter(decoding)
    assert len(next(windows)) == 480_000
    decoding.close()
    assert sum(map(len, windows)) <= 480_000


def test_share_that_fails_is_no_short_recording(tmp_path: Path) -> None:
    """What cannot be read to its end is said, and tried again; nothing is taken for the whole."""
    fd = opened(tmp_path, wave(np.tile(SOUND, 60)))
    decoding = Decoding(fd, NO_FFMPEG, 3600)
    windows = iter(decoding)
    next(windows)
    os.dup2(os.open(tmp_path, os.O_RDONLY), fd)  # a folder cannot be read
    with pytest.raises(ReadFailedError):
        list(windows)
