"""Headers that lie: what is in the file is read, whatever its beginning says of it."""

from __future__ import annotations

import struct
import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from voices import decoded, ffmpeg, likeness, pieces, voice, write_wave

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path

SECONDS = 6
PLACEHOLDERS = [
    0,
    0x7FFF_FFFF,
    0x7FFF_F000,
    0x7FFF_FFFF - 36,
    0x8000_0000,
    0xFFFF_FFFF,
    0xFFFF_FFDB,
    2_000_000_000,
]


def with_length(path: Path, length: int, riff: int | None = None) -> Path:
    """Change what a plain WAVE header says of its sound."""
    content = bytearray(path.read_bytes())
    content[40:44] = struct.pack("<I", length)
    if riff is not None:
        content[4:8] = struct.pack("<I", riff)
    path.write_bytes(content)
    return path


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Return a WAVE file with the plainest header."""
    return write_wave(tmp_path / "a.wav", voice(seconds=SECONDS))


@pytest.mark.parametrize("length", PLACEHOLDERS)
def test_placeholders_are_no_damage(plain: Path, length: int) -> None:
    """What recorders and pipes leave for a length that they do not know."""
    _, decoding = pieces(with_length(plain, length))
    assert abs(decoding.decoded_s - SECONDS) < 0.01
    assert decoding.findings.flags == ()


@pytest.mark.parametrize("length", [32_000, 33_334, 96_001])
@pytest.mark.parametrize("with_riff", [False, True])
def test_header_that_says_less_is_read_to_the_end(plain: Path, length: int, *, with_riff: bool) -> None:
    """A recorder that crashed, or more than 4 GB: the length is what it once was."""
    heard = decoded(with_length(plain, length, 36 + length if with_riff else None))
    assert abs(len(heard) / SAMPLE_RATE_HZ - SECONDS) < 0.01
    assert likeness(heard, voice(seconds=SECONDS)) > 0.99


def test_chunks_behind_the_sound_are_no_sound(plain: Path) -> None:
    """Names, cover pictures and players' marks behind the sound are not read as noise."""
    content = plain.read_bytes()
    for behind in (
        b"LIST" + struct.pack("<I", 4000) + bytes(range(250)) * 16,
        b"TAG" + b"x" * 125,
        b"\0" * 5000,
        b"id3 " + struct.pack("<I", 3001) + b"\xff\x10" * 1501,
        b"\x80" * 600,
    ):
        plain.write_bytes(content + behind)
        _, decoding = pieces(plain)
        assert abs(decoding.decoded_s - SECONDS) < 0.01
        assert decoding.findings.flags == ()


def test_short_header_before_gigabytes_of_zeros_is_read_at_once(plain: Path) -> None:
    """A recorder that reserves its file beforehand; the zeros are no sound."""
    with plain.open("r+b") as file:
        file.truncate(4_300_000_000)
    for length in (None, 0, 48_000):
        if length is not None:
            with plain.open("r+b") as file:
                file.seek(40)
                file.write(struct.pack("<I", length))
        began = time.monotonic()
        _, decoding = pieces(plain)
        assert time.monotonic() - began < 20
        assert abs(decoding.decoded_s - SECONDS) < 0.6


def test_sound_beyond_the_longest_allowed_is_told(plain: Path) -> None:
    """Where the rest would be too long, what the header says is read, and the rest is named."""
    with_length(plain, 64_000)
    _, decoding = pieces(plain, max_duration_s=4)
    assert abs(decoding.decoded_s - 2) < 0.01
    assert decoding.findings.flags == ("not_read_s:4",)


@pytest.mark.parametrize("keeps_riff", [False, True])
def test_cut_off_and_wrong_length_are_told_apart(plain: Path, *, keeps_riff: bool) -> None:
    """A file that is shorter than it says was cut off; one that only says more of its sound is whole."""
    content = plain.read_bytes()
    half = content[: len(content) // 2]
    plain.write_bytes(half)
    if not keeps_riff:
        with_length(plain, len(content) - 44, len(half) - 8)
    expected = ("truncated",) if keeps_riff else ("header_says_more",)
    assert pieces(plain)[1].findings.flags == expected


def test_long_headers_of_other_kinds_are_read(tmp_path: Path) -> None:
    """RF64 and extensible headers, with chunks before the sound."""
    source = write_wave(tmp_path / "s.wav", np.stack([voice(seconds=4)] * 3, axis=1))
    for options in (("-rf64", "always"), ("-c:a", "pcm_s24le"), ("-write_bext", "1", "-metadata", "title=x")):
        path = tmp_path / "a.wav"
        ffmpeg("-i", source, *options, path)
        _, decoding = pieces(path)
        assert abs(decoding.decoded_s - 4) < 0.01
        assert decoding.findings.flags == ()


def test_adpcm_whose_header_says_less(tmp_path: Path, plain: Path) -> None:
    """Compressed sound in WAVE, as dictation machines write it."""
    path = tmp_path / "b.wav"
    ffmpeg("-i", plain, "-c:a", "adpcm_ima_wav", path)
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = struct.pack("<I", 8192)
    path.write_bytes(content)
    assert abs(pieces(path)[1].decoded_s - SECONDS) < 0.2
