"""One table says what is collected and what is decoded."""

from __future__ import annotations

import subprocess
from typing import TYPE_CHECKING

import pytest
from voices import FFMPEG, decoded, ffmpeg, voice, write_wave

from asr_daemon.files.formats import DEMUXERS, HEAD_BYTES, SUFFIXES, TABLE, format_of, looks_like_sound
from asr_daemon.inboxes.scan import is_candidate

if TYPE_CHECKING:
    from pathlib import Path

MADE = {
    "wav": (),
    "w64": (),
    "aiff": (),
    "mp3": (),
    "mp2": (),
    "aac": (),
    "m4a": (),
    "mov": (),
    "3gp": ("-c:a", "aac"),
    "mka": (),
    "webm": (),
    "ogg": (),
    "opus": (),
    "spx": ("-c:a", "libvorbis"),
    "flac": (),
    "wma": (),
    "asf": (),
    "avi": (),
    "flv": ("-ar", "44100"),
    "mpg": (),
    "vob": (),
    "ts": (),
    "m2ts": (),
    "rm": (),
    "ac3": (),
    "eac3": (),
    "dts": ("-strict", "-2", "-ar", "48000"),
    "caf": (),
    "au": (),
    "tta": (),
    "wv": (),
    "voc": ("-c:a", "pcm_u8"),
    "nut": (),
    "mp4": (),
    "amr": ("-ar", "8000"),
}


@pytest.mark.parametrize("suffix", MADE)
def test_what_is_collected_is_decoded_and_known_without_its_name(tmp_path: Path, suffix: str) -> None:
    """A recording of each format is a candidate, is told by its first bytes, and comes out as sound."""
    source = write_wave(tmp_path / "s.wav", voice(seconds=3))
    path = tmp_path / f"a.{suffix}"
    ffmpeg("-i", source, *MADE[suffix], path)
    assert is_candidate(path.name)
    assert looks_like_sound(path.read_bytes()[:HEAD_BYTES]) or suffix in ("ac3", "eac3"), (
        "two bytes prove nothing"
    )
    assert format_of(path.read_bytes()[:HEAD_BYTES])
    assert abs(len(decoded(path)) / 16_000 - 3) < 0.2


def test_broadcast_mxf_is_decoded(tmp_path: Path) -> None:
    """Which holds a picture, too."""
    source = write_wave(tmp_path / "s.wav", voice(seconds=3))
    path = tmp_path / "a.mxf"
    ffmpeg("-f", "lavfi", "-i", "testsrc=d=3:r=25", "-i", source, "-c:v", "mpeg2video", "-ar", "48000", path)
    assert is_candidate(path.name)
    assert looks_like_sound(path.read_bytes()[:HEAD_BYTES])
    assert abs(len(decoded(path)) / 16_000 - 3) < 0.2


def test_ffmpeg_knows_every_demuxer_of_the_table() -> None:
    """A name that it does not know would never be opened."""
    listed = subprocess.run(
        [FFMPEG, "-hide_banner", "-demuxers"], capture_output=True, text=True, check=True
    ).stdout
    known = {
        name for line in listed.splitlines() if len(line.split()) > 1 for name in line.split()[1].split(",")
    }
    assert set(DEMUXERS.split(",")) - known == set()


def test_no_suffix_stands_in_two_rows() -> None:
    """Each suffix is one format's."""
    assert len(SUFFIXES) == sum(len(row.suffixes.split()) for row in TABLE)


@pytest.mark.parametrize(
    "head",
    [
        b"import x from 'y';\n" * 60,
        b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n",
        b"ffconcat version 1.0\n",
        b"\0" * 1024,
        b"%PDF-1.7\n" + b"x" * 900,
        b"PK\x03\x04" + b"\0" * 900,
        b"\xff\xfe" + b"T\0e\0x\0t\0" * 100,
        b"RIFF\0\0\0\0WEBP" + b"\0" * 900,
        b"\xff\xd8\xff\xe0" + b"\x10" * 900,
        b"Good morning " * 70,
        b"\x89PNG\r\n" + b"\0" * 900,
        b"",
        "MAC 地址表 The free TTA1 MP+ riff\n".encode() * 40,
        "The free 软件\n".encode() * 60,
        "riffraff 会议\n".encode() * 60,
        "V会议记录\n".encode() * 90,
        b"\0\0\0\x24ftypheic\0\0\0\0mif1heic" + b"\0" * 900,
        b"\0\0\0\x20ftypavif" + b"\0" * 900,
        b">seq1\n" + b"GATTACAGGG" * 400,
    ],
)
def test_what_is_no_recording_is_not_taken_for_one(head: bytes) -> None:
    """TypeScript, playlists, texts that begin like a format, photographs, archives, genomes, nothing."""
    assert not looks_like_sound(head)
