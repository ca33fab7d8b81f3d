"""Text stands where it was said: late starts, gaps, clocks that start anew, damage."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from voices import decoded, ffmpeg, likeness, pieces, voice, write_wave

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ

if TYPE_CHECKING:
    from pathlib import Path

PICTURE = ("-f", "lavfi", "-i", "testsrc=d=12:s=64x48:r=5")
CODECS = {"mkv": "libopus", "mp4": "aac", "mov": "pcm_s16le", "webm": "libvorbis", "ts": "mp2", "flv": "aac",
          "avi": "mp3", "nut": "flac"}  # fmt: skip
PICTURES = {"webm": "libvpx", "ts": "mpeg2video", "flv": "flv1"}


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """Return six seconds of somebody speaking."""
    return write_wave(tmp_path / "said.wav", voice())


def picture_codec(suffix: str) -> tuple[str, ...]:
    """Return the options of the picture."""
    codec = {"webm": "libvpx", "ts": "mpeg2video", "flv": "flv1"}.get(suffix, "mpeg4")
    rate = ("-r", "25") if suffix == "ts" else ()
    return ("-c:v", codec, *rate)


@pytest.mark.parametrize("suffix", ["mkv", "mp4", "mov", "webm", "ts", "nut"])
def test_sound_that_starts_late_keeps_its_time(tmp_path: Path, said: Path, suffix: str) -> None:
    """Three seconds of picture go before."""
    path = tmp_path / f"a.{suffix}"
    ffmpeg(*PICTURE, "-itsoffset", "3", "-i", said, "-map", "0:v", "-map", "1:a", *picture_codec(suffix),
           "-c:a", CODECS[suffix], path)  # fmt: skip
    found, decoding = pieces(path)
    heard = np.concatenate([piece.samples for piece in found])
    offset = where(heard, voice()) + found[0].start_samples
    assert abs(offset / SAMPLE_RATE_HZ - 3) < 0.06
    assert decoding.findings.flags == ()


def where(heard: np.ndarray, wanted: np.ndarray) -> int:
    """Return the sample at which ``wanted`` begins in what is heard."""
    return int(np.abs(np.correlate(heard, wanted[8000:40_000], mode="valid")).argmax()) - 8000


@pytest.mark.parametrize(
    ("suffix", "codec"), [("mp4", "aac"), ("mkv", "flac"), ("webm", "libopus"), ("ts", "mp2")]
)
@pytest.mark.parametrize("gap_s", [1, 13])
def test_a_gap_stays_a_gap_and_ends_a_segment(tmp_path: Path, suffix: str, codec: str, gap_s: int) -> None:
    """A recording that was paused goes on where the clock says, as a piece of its own, and is not damaged."""
    source = write_wave(tmp_path / "s.wav", voice(seconds=8))
    path = tmp_path / f"a.{suffix}"
    shift = f"asetpts=PTS+gte(T\\,4)*{gap_s}/TB"
    ffmpeg("-i", source, "-af", shift, "-c:a", codec, path)
    found, decoding = pieces(path)
    begins = [piece for piece in found if piece.is_new]
    assert len(begins) == 1
    assert abs(begins[0].start_samples / SAMPLE_RATE_HZ - 4 - gap_s) < 0.15
    assert decoding.findings.flags == ()
    assert abs(decoding.decoded_s - 8 - gap_s) < 0.2


@pytest.mark.parametrize(
    "suffix", ["webm", "flac", "mp3", "ogg", "opus", "ts", "m4a", "wav", "aac", "amr", "mka"]
)
def test_joined_files_are_read_to_their_end(tmp_path: Path, said: Path, suffix: str) -> None:
    """Two recordings copied one behind the other: the second follows the first, nothing is lost."""
    one = tmp_path / f"one.{suffix}"
    narrow = ("-ar", "8000") if suffix == "amr" else ()
    ffmpeg("-i", said, *narrow, one)
    joined = tmp_path / f"two.{suffix}"
    joined.write_bytes(one.read_bytes() * 2)
    found, decoding = pieces(joined)
    single = sum(len(piece.samples) for piece in pieces(one)[0])
    assert (
        abs(sum(len(piece.samples) for piece in found) - 2 * single) < 0.3 * SAMPLE_RATE_HZ
    )  # AMR reads a header as sound
    assert abs(decoding.decoded_samples - 2 * single) < 0.3 * SAMPLE_RATE_HZ
    assert not {"truncated", "damaged"}.intersection(decoding.findings.flags)


@pytest.mark.parametrize(
    ("suffix", "codec"), [("ogg", "libvorbis"), ("ogg", "flac"), ("m4a", "aac"), ("wav", "pcm_s16le")]
)
def test_parts_of_other_rates_and_channels_are_all_read(
    tmp_path: Path, said: Path, suffix: str, codec: str
) -> None:
    """A chained file whose links differ."""
    parts = []
    for number, shape in enumerate((("16000", "1"), ("44100", "2"), ("8000", "1"))):
        part = tmp_path / f"{number}.{suffix}"
        ffmpeg("-i", said, "-c:a", codec, "-ar", shape[0], "-ac", shape[1], part)
        parts.append(part.read_bytes())
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"".join(parts))
    found, decoding = pieces(path)
    assert abs(decoding.decoded_s - 18) < 0.5
    assert sum(piece.is_new for piece in found) == 2
    heard = decoded(path)
    for turn in range(3):
        assert (
            likeness(heard[where(heard[turn * 96_000 :], voice()) + turn * 96_000 :], voice()[:90_000]) > 0.8
        )


@pytest.mark.parametrize("suffix", ["m4a", "flac", "ogg", "webm", "mkv"])
def test_a_damaged_middle_leaves_the_rest_where_it_was(tmp_path: Path, suffix: str) -> None:
    """Random bytes in the middle: what follows keeps its time, is a piece of its own, and damage is said."""
    whole = tmp_path / f"whole.{suffix}"
    ffmpeg("-i", write_wave(tmp_path / "s.wav", voice(seconds=12)), whole)
    content = bytearray(whole.read_bytes())
    low, high = len(content) * 4 // 10, len(content) * 6 // 10
    content[low:high] = np.random.default_rng(4).bytes(high - low)
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(content)
    found, decoding = pieces(path)
    assert any(piece.is_new for piece in found)
    heard = decoded(path)
    tail = voice(seconds=12)[10 * 16_000 :]
    offset = int(np.abs(np.correlate(heard[9 * 16_000 :], tail[:16_000], mode="valid")).argmax()) + 9 * 16_000
    assert abs(offset / 16_000 - 10) < 0.15
    assert decoding.findings.flags == ("damaged",)


def test_sound_that_ends_before_the_picture_is_whole(tmp_path: Path, said: Path) -> None:
    """And a film that is cut off in the middle is not."""
    path = tmp_path / "a.mp4"
    ffmpeg(
        *PICTURE, "-i", said, "-map", "0:v", "-map", "1:a", "-c:v", "mpeg4", "-movflags", "faststart", path
    )
    assert pieces(path)[1].findings.flags == ()
    content = path.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(content[: len(content) // 3])
    assert pieces(cut)[1].findings.flags == ("truncated",)


def test_a_clock_that_jumps_beyond_what_is_announced_is_not_believed(tmp_path: Path, said: Path) -> None:
    """A hostile time stamp costs no day of silence."""
    path = tmp_path / "a.mkv"
    ffmpeg("-i", said, "-af", r"asetpts=PTS+gte(T\,3)*90000/TB", "-c:a", "flac", path)
    content = path.read_bytes()
    path.write_bytes(content)
    _, decoding = pieces(path, max_duration_s=3600)
    assert decoding.decoded_s < 7
