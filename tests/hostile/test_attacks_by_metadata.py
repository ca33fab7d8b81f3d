"""What a recording's author writes into it is text: it changes no track, no length and no time."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import pytest
from voices import FFMPEG, ffmpeg, pieces, voice, write_wave

from asr_daemon.recogniser.sound.facts import look
from asr_daemon.recogniser.sound.parts import Part

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.recogniser.sound.facts import Facts

CONTAINERS = {
    "wav": "pcm_s16le", "w64": "pcm_s16le", "aiff": "pcm_s16be", "au": "pcm_s16be", "caf": "pcm_s16le",
    "mp3": "mp3", "m4a": "aac", "mov": "aac", "3gp": "aac", "mka": "flac", "webm": "libopus",
    "ogg": "libvorbis", "opus": "libopus", "flac": "flac", "wma": "wmav2", "avi": "mp3", "flv": "aac",
    "ts": "mp2", "tta": "tta", "wv": "wavpack", "nut": "flac", "rm": "ac3", "mpg": "mp2", "voc": "pcm_u8",
}  # fmt: skip
FORGED = (
    "x\n  Duration: 99:00:00.00, start: 50.000000, bitrate: 1 kb/s\n"
    "  Stream #0:0: Audio: pcm_s16le, 8000 Hz, 30000000 channels, s16\n"
    "#media_type 1: audio\n#codec_id 1: fake\n#sample_rate 1: 8000\n#channel_layout_name 1: 64 channels\n"
    "[Eval @ 0x7ffc00000000] 0.500000\n[Eval @ 0x7ffc00000000] 40.000000\n"
    "[mp3 @ 0x55] Estimating duration from bitrate, this may be inaccurate\n"
    "Guessed Channel Layout: 64 channels\nInvalid data found\nTruncating packet, partial file\nz"
)
COMPLAINTS = (
    "x\nInput #0, wav\nStream mapping:\n[error] Invalid data found\n[mov @ 0x55] [warning] partial file\n"
    "[warning] Guessed Channel Layout: stereo\n[Eval @ 0x55] [warning] 7.000000\n"
)
TAGS = ("title", "comment", "artist", "handler_name", "language", "Duration", FORGED[:200], COMPLAINTS)


def facts_of(path: Path) -> Facts:
    """Return what is believed of a recording."""
    fd = os.open(path, os.O_RDONLY)
    try:
        return look(fd, FFMPEG, Part())
    finally:
        os.close(fd)


def forge(tmp_path: Path, words: str) -> list[str | Path]:
    """Return ffmpeg's options for a recording with those words wherever there is room for words."""
    chapters = tmp_path / "chapters.txt"
    escaped = words.replace("#", "\\#").replace(";", "\\;").replace("=", "\\=").replace("\n", "\\\n")
    chapters.write_text(f";FFMETADATA1\n[CHAPTER]\nTIMEBASE=1/1\nSTART=0\nEND=1\ntitle={escaped}\n")
    options: list[str | Path] = ["-i", chapters, "-map", "0:a", "-map_chapters", "1"]
    for tag in TAGS:
        for place in ("", ":s:a:0"):
            options += [f"-metadata{place}", f"{tag}={words}"]
    return options


@pytest.mark.parametrize("suffix", CONTAINERS)
def test_forged_words_change_nothing(tmp_path: Path, suffix: str) -> None:
    """Title, comment, handler, track title, chapter and a tag whose name has lines of its own."""
    source = write_wave(tmp_path / "s.wav", voice(seconds=3))
    codec = ("-c:a", CONTAINERS[suffix])
    honest, hostile = tmp_path / f"honest.{suffix}", tmp_path / f"hostile.{suffix}"
    ffmpeg("-i", source, *codec, honest)
    words = FORGED[:200] if suffix == "ts" else FORGED  # its names are short
    ffmpeg("-i", source, *forge(tmp_path, words), *codec, hostile)
    before, after = facts_of(honest), facts_of(hostile)
    assert after.tracks == before.tracks
    assert after.duration_s in (None, pytest.approx(before.duration_s, abs=0.1))
    (found, decoding), (wanted, _) = pieces(hostile), pieces(honest)
    assert [piece.start_samples for piece in found] == [piece.start_samples for piece in wanted]
    for one, other in zip(found, wanted, strict=True):
        assert np.array_equal(one.samples, other.samples)
    assert decoding.findings.flags == ()


def test_forged_complaints_change_no_layout(tmp_path: Path) -> None:
    """A film's sound is mixed as such, whatever a tag's name says that ffmpeg says."""
    sound = voice(seconds=3)
    levels = np.array([0.1, 0.2, 1.0, 0.1, 0.3, 0.4], np.float32)
    source = write_wave(tmp_path / "s.wav", sound[:, None] * levels)
    honest, hostile = tmp_path / "honest.mov", tmp_path / "hostile.mov"
    film = ("-i", source, "-af", "aformat=channel_layouts=5.1", "-movflags", "use_metadata_tags")
    ffmpeg(*film, honest)
    ffmpeg(*film, "-metadata", f"{COMPLAINTS}=x", hostile)
    said = subprocess.run([FFMPEG, "-i", hostile], capture_output=True, check=False).stderr
    assert b"\n[warning] Guessed Channel Layout: stereo" in said, "else the attack does not reach us"
    (found, _), (wanted, _) = pieces(hostile), pieces(honest)
    assert np.array_equal(found[0].samples, wanted[0].samples)


def with_cover(sound: bytes, mimetype: bytes) -> bytes:
    """Return an mp3 whose cover is of a kind that nobody knows, which ffmpeg quotes in a warning."""
    frame = b"\0" + mimetype + b"\0\x03\0" + b"x" * 20
    body = b"APIC" + len(frame).to_bytes(4, "big") + b"\0\0" + frame
    size = len(body)
    return b"ID3\x03\0\0" + bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0)) + body + sound


@pytest.mark.parametrize("lines", [1, 2, 3])
def test_warnings_that_quote_the_recording_set_no_clock(tmp_path: Path, lines: int) -> None:
    """A cover's type that looks like what our own filter prints."""
    plain = tmp_path / "plain.mp3"
    ffmpeg("-i", write_wave(tmp_path / "s.wav", voice(seconds=3)), "-id3v2_version", "0", plain)
    words = b"x\n" + b"[Eval @ 0x1] 2.0\n" * lines
    path = tmp_path / "a.mp3"
    path.write_bytes(with_cover(plain.read_bytes(), words))
    said = subprocess.run([FFMPEG, "-i", path], capture_output=True, check=False).stderr
    assert b"\n[Eval @ 0x1] 2.0\n" in said, "else the attack does not reach us"
    (found, decoding), (wanted, _) = pieces(path), pieces(plain)
    assert [piece.start_samples for piece in found] == [piece.start_samples for piece in wanted]
    assert np.array_equal(found[0].samples, wanted[0].samples)
    assert decoding.findings.flags == ()


WITHIN = """
import os, resource, sys
from pathlib import Path
from asr_daemon.errors import JobError
from asr_daemon.recogniser.sound.decoding import Decoding
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
try:
    for _ in Decoding(os.open(sys.argv[1], os.O_RDONLY), Path(sys.argv[2]), 86_400).pieces():
        pass
except JobError as error:
    print(type(error).__name__)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print("KIB", grown, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


COPY = """
import os, resource, sys, threading
from pathlib import Path
from asr_daemon.control.playbacks import Playbacks
changed, sha256 = threading.Event(), "ab" * 32
playbacks = Playbacks(Path(sys.argv[2]), 1 << 30, most_s=3600.0, on_change=changed.set)
sound = lambda: os.open(sys.argv[1], os.O_RDONLY)
while not playbacks.is_there(sha256) and not playbacks.want(sha256, sound).problem:
    changed.wait(1)
    changed.clear()
playbacks.close()
print("KIB", resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
"""


def small_flac(path: Path, channels: int, rate_hz: int) -> Path:
    """Write some kilobytes of one value, that say of themselves what they like."""
    seconds = min(3600, 40_000_000 // rate_hz // channels)
    still = f"aevalsrc={'|'.join(['0.1'] * channels)}:s=48000:d={min(seconds, 900)}"
    ffmpeg(
        "-f", "lavfi", "-i", still, "-frame_size", "65535", "-c:a", "flac", "-compression_level", "8", path
    )
    content = bytearray(path.read_bytes())
    bits = int.from_bytes(content[18:26], "big")  # STREAMINFO: 20 bits of rate first
    content[18:26] = ((bits & ((1 << 44) - 1)) | rate_hz << 44).to_bytes(8, "big")
    path.write_bytes(content)
    assert len(content) < 200_000
    return path


@pytest.mark.parametrize(("channels", "rate_hz"), [(8, 48_000), (8, 8), (1, 655_350)])
def test_small_flac_that_unfolds_takes_little_memory(tmp_path: Path, channels: int, rate_hz: int) -> None:
    """In eight channels, at a rate of which there are few samples a second."""
    path = small_flac(tmp_path / "a.flac", channels, rate_hz)
    done = subprocess.run(
        [sys.executable, "-c", WITHIN, path, FFMPEG], capture_output=True, text=True, check=True, timeout=240
    )
    own, ffmpegs = map(int, done.stdout.split("KIB")[1].split())
    assert own < 400_000, done.stdout
    assert ffmpegs < 400_000, done.stdout
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss < 4_000_000


@pytest.mark.slow
def test_nor_does_the_copy_of_it_that_the_console_plays(tmp_path: Path) -> None:
    """Whoever may upload may also ask to listen."""
    path = small_flac(tmp_path / "a.flac", 8, 8)
    done = subprocess.run(
        [sys.executable, "-c", COPY, path, tmp_path / "copies"],
        capture_output=True,
        text=True,
        check=True,
        timeout=240,
    )
    assert int(done.stdout.split("KIB")[1]) < 400_000, done.stdout
