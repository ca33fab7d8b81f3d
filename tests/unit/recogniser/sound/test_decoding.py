"""Decoding: what comes out of good recordings, and what each kind of bad one is called."""

from __future__ import annotations

import os
import subprocess
import wave
from pathlib import Path

import numpy as np
import pytest

from asr_daemon.errors import (
    ConfigurationError,
    EmptyFileError,
    JobError,
    NoAudioError,
    NotDecodableError,
    ReadFailedError,
    TooLongError,
)
from asr_daemon.ffmpeg import find_ffmpeg
from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ, Decoding
from asr_daemon.recogniser.sound.facts import Facts, nothing_to_decode

DEMO = Path(__file__).resolve().parents[4] / "asr_daemon" / "demo" / "audio"
FFMPEG = find_ffmpeg()
FORMATS = ["wav", "mp3", "m4a", "aac", "flac", "ogg", "opus", "amr", "wma", "webm"]
FORMATS += ["mp4", "mkv", "mov", "w64", "aiff", "3gp"]


def make(path: Path, *arguments: str) -> Path:
    """Make a file with ffmpeg."""
    subprocess.run([FFMPEG, "-v", "error", "-y", *arguments, path], check=True)
    return path


def decode(path: Path, max_duration_s: float = 3600, window_s: float = 30) -> tuple[np.ndarray, Decoding]:
    """Return all samples, and the decoding for its findings."""
    fd = os.open(path, os.O_RDONLY)
    try:
        decoding = Decoding(fd, FFMPEG, max_duration_s, window_s)
        windows = list(decoding)
    finally:
        os.close(fd)
    assert all(len(window) <= window_s * SAMPLE_RATE_HZ for window in windows)
    return np.concatenate([np.empty(0, np.float32), *windows]), decoding


def failure(path: Path, **more: float) -> JobError:
    """Return the error that decoding ends with."""
    with pytest.raises(JobError) as caught:
        decode(path, **more)
    return caught.value


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_promised_format_is_decoded(tmp_path: Path, suffix: str) -> None:
    """Containers and codecs that people use come out as the same sound at 16 kHz mono."""
    narrow = ("-ar", "8000", "-b:a", "12.2k") if suffix in ("amr", "3gp") else ()
    codec = ("-c:a", "libopencore_amrnb") if suffix == "3gp" else ()
    path = make(tmp_path / f"a.{suffix}", "-i", str(DEMO / "lecture.wav"), *narrow, *codec)
    samples, decoding = decode(path)
    reference, _ = decode(DEMO / "lecture.wav")
    assert samples.dtype == np.float32
    assert abs(len(samples) - len(reference)) < 0.15 * SAMPLE_RATE_HZ
    assert 0.5 < float(np.std(samples) / np.std(reference)) < 1.5
    assert not decoding.is_truncated


@pytest.mark.parametrize("channels", [2, 6, 8, 20])
def test_any_number_of_channels_is_mixed(tmp_path: Path, channels: int) -> None:
    """Sound in every channel is heard, also where ffmpeg has no name for the layout."""
    path = tmp_path / "many.wav"
    tone = np.sin(2 * np.pi * 440 * np.arange(22_050) / 22_050) * 8000
    with wave.open(str(path), "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(2)
        file.setframerate(22_050)
        file.writeframes(np.repeat(tone[:, None], channels, axis=1).astype("<i2").tobytes())
    samples, _ = decode(path)
    assert abs(len(samples) - SAMPLE_RATE_HZ) < 200
    assert 0.05 < float(np.std(samples)) < 0.2  # not louder than one channel


def test_windows_are_bounded_and_join_seamlessly() -> None:
    """Small windows carry the same samples as one large one."""
    whole, _ = decode(DEMO / "support.mp3", window_s=100)
    pieces, decoding = decode(DEMO / "support.mp3", window_s=0.5)
    assert np.array_equal(whole, pieces)
    assert decoding.decoded_samples == len(pieces)


def test_an_empty_file_says_so(tmp_path: Path) -> None:
    """Zero bytes are an error of their own."""
    (tmp_path / "a.wav").touch()
    assert isinstance(failure(tmp_path / "a.wav"), EmptyFileError)


@pytest.mark.parametrize("content", [b"hello, no sound here\n" * 50, os.urandom(5000), b"\x89PNG\r\n\x1a\n"])
def test_rubbish_is_not_decodable(tmp_path: Path, content: bytes) -> None:
    """Text and noise named .wav are refused with ffmpeg's words as evidence."""
    (tmp_path / "a.wav").write_bytes(content)
    error = failure(tmp_path / "a.wav")
    assert isinstance(error, NotDecodableError)
    assert "Invalid data" in error.evidence or "whitelist" in error.evidence


def test_a_picture_is_refused_by_its_format(tmp_path: Path) -> None:
    """What ffmpeg could read but is no recording never reaches a decoder."""
    path = make(tmp_path / "a.png", "-f", "lavfi", "-i", "testsrc=d=0.1", "-frames:v", "1")
    assert "whitelist" in failure(path).evidence


@pytest.mark.parametrize("suffix", ["m3u8", "m4a", "ffconcat"])
def test_a_playlist_opens_no_other_file(tmp_path: Path, suffix: str) -> None:
    """A file that names other files does not get them read."""
    path = tmp_path / f"list.{suffix}"
    target = DEMO / "lecture.wav"
    if suffix == "ffconcat":
        path.write_text(f"ffconcat version 1.0\nfile '{target}'\n")
    else:
        path.write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile://{target}\n#EXT-X-ENDLIST\n")
    assert isinstance(failure(path), NotDecodableError)


def test_a_film_without_sound_says_so(tmp_path: Path) -> None:
    """A video with no sound track is told apart from a damaged file."""
    path = make(tmp_path / "a.mp4", "-f", "lavfi", "-i", "testsrc=d=0.5")
    assert isinstance(failure(path), NoAudioError)


def test_a_recording_over_the_limit_is_stopped() -> None:
    """Decoding ends at the limit, whatever the container says."""
    error = failure(DEMO / "lecture.wav", max_duration_s=5, window_s=1)
    assert isinstance(error, TooLongError)


def test_a_disk_error_is_no_fault_of_the_recording() -> None:
    """Where reading fails, that is said, since trying again can help."""
    fd = os.open("/proc/self/mem", os.O_RDONLY)  # reading at 0 gives EIO
    try:
        assert isinstance(
            nothing_to_decode(fd, Facts((), has_picture=False, start_s=0, duration_s=None, evidence="")),
            ReadFailedError,
        )
    finally:
        os.close(fd)


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3"])
def test_a_cut_off_recording_is_decoded_and_flagged(tmp_path: Path, suffix: str) -> None:
    """Half a file gives half the sound, and says that more had been announced."""
    whole = make(tmp_path / f"whole.{suffix}", "-i", str(DEMO / "lecture.wav"))
    content = whole.read_bytes()
    cut = tmp_path / f"cut.{suffix}"
    cut.write_bytes(content[: len(content) // 2])
    samples, decoding = decode(cut)
    assert 5 < len(samples) / SAMPLE_RATE_HZ < 10
    assert decoding.is_truncated


def test_a_cut_off_m4a_without_its_index_is_not_decodable(tmp_path: Path) -> None:
    """The index of an m4a is at its end: half of one holds nothing that can be decoded."""
    content = (DEMO / "finance.m4a").read_bytes()
    (tmp_path / "a.m4a").write_bytes(content[: len(content) // 2])
    error = failure(tmp_path / "a.m4a")
    assert isinstance(error, NotDecodableError)
    assert "moov" in error.evidence


def test_twenty_milliseconds_and_silence_are_no_failures(tmp_path: Path) -> None:
    """Tiny and silent recordings decode to what they are."""
    tiny, _ = decode(make(tmp_path / "tiny.wav", "-f", "lavfi", "-i", "sine=d=0.02"))
    assert len(tiny) == 320
    silence, decoding = decode(make(tmp_path / "s.wav", "-f", "lavfi", "-i", "anullsrc", "-t", "2"))
    assert not silence.any()
    assert not decoding.is_truncated


def test_the_recording_is_the_open_file_whatever_its_name(tmp_path: Path) -> None:
    """A renamed or deleted recording is still decoded from its descriptor."""
    path = tmp_path / "a.m4a"
    path.write_bytes((DEMO / "finance.m4a").read_bytes())
    fd = os.open(path, os.O_RDONLY)
    path.unlink()
    try:
        assert sum(map(len, Decoding(fd, FFMPEG, 3600))) > 18 * SAMPLE_RATE_HZ
        assert os.lseek(fd, 0, os.SEEK_CUR) == 0  # the descriptor's own offset is not moved
    finally:
        os.close(fd)


def test_closing_ends_decoding_without_an_error(tmp_path: Path) -> None:
    """A cancelled job's decoding stops between windows and leaves no process."""
    path = make(tmp_path / "long.mp3", "-f", "lavfi", "-i", "anoisesrc=d=600:r=16000")
    fd = os.open(path, os.O_RDONLY)
    decoding = Decoding(fd, FFMPEG, 3600, 1)
    windows = iter(decoding)
    next(windows)
    decoding.close()
    rest = list(windows)
    os.close(fd)
    assert len(rest) < 599
    assert decoding._tracks is not None
    assert all(stream.status is not None for stream in decoding._tracks.streams)


def test_damaged_samples_become_silence(tmp_path: Path) -> None:
    """Not-a-number in a float recording does not reach the model."""
    path = tmp_path / "a.wav"
    raw = np.full(16_000, np.nan, "<f4")
    raw[8000:] = 0.25
    (tmp_path / "raw").write_bytes(raw.tobytes())
    make(path, "-f", "f32le", "-ar", "16000", "-ac", "1", "-i", str(tmp_path / "raw"), "-c:a", "pcm_f32le")
    samples, _ = decode(path)
    assert np.isfinite(samples).all()
    assert samples[-1] == pytest.approx(0.25)


def test_a_configured_ffmpeg_that_is_none_is_named() -> None:
    """A wrong path in the configuration is an error that names the key."""
    with pytest.raises(ConfigurationError, match=r"engine\.ffmpeg"):
        find_ffmpeg("/nonexistent/ffmpeg")
