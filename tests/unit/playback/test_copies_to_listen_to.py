"""Copies of recordings to listen to: right in time whatever the format, kept within a bound."""

from __future__ import annotations

import os
import subprocess
import threading
import time
import wave
from typing import TYPE_CHECKING

import numpy as np
import pytest

from asr_daemon.control.playbacks import PEAKS_PER_S, Playbacks
from asr_daemon.ffmpeg import find_ffmpeg
from support import convert, eventually

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

RATE_HZ = 48_000
LENGTH_S = 75.0
CLICKS_S = (1.0, 40.5, 71.25)
# A file that does not say how much its encoder put before the sound begins that much later, all through: 1105
# samples of MP3, 1024 of AAC. The transcript, made by the same decoder, says the same.
NEAR_S, NEAR_WITHOUT_DELAY_S = 0.012, 0.030
SHA = "ab" * 32  # stands for a content


def with_clicks(path: Path, length_s: float = LENGTH_S) -> Path:
    """Write speech-like noise that comes and goes (so that a variable bit rate varies), and clicks in it."""
    chance = np.random.default_rng(1)
    at = np.arange(int(length_s * RATE_HZ)) / RATE_HZ
    samples = chance.standard_normal(len(at)) * 0.004 * (np.sin(at / 3) > 0)
    for click_s in CLICKS_S:
        first = int(click_s * RATE_HZ)
        if first < len(samples):
            samples[first : first + 240] += 0.8 * np.sin(np.arange(240) * 2 * np.pi * 2000 / RATE_HZ)
    with wave.open(os.fspath(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples * 32767).astype(np.int16).tobytes())
    return path


FORMATS = {
    "vbr.mp3": ("-c:a", "libmp3lame", "-q:a", "4", "-write_xing", "0"),  # without the table of a VBR file
    "microphone.webm": (
        "-c:a",
        "libopus",
        "-b:a",
        "32k",
        "-f",
        "webm",
        "-live",
        "1",
    ),  # as MediaRecorder: no cues
    "raw.aac": ("-c:a", "aac", "-b:a", "48k", "-f", "adts"),
}


def decoded(path: Path, *, from_s: float = 0.0, length_s: float | None = None) -> NDArray[np.float32]:
    """Return ``float32 [n_samples], 16 kHz``, sought to as a browser does: by the container's own numbers."""
    span = ("-t", str(length_s)) if length_s else ()
    command = [os.fspath(find_ffmpeg("")), "-v", "error", "-ss", str(from_s), *span, "-i", os.fspath(path)]
    told = subprocess.run([*command, "-f", "f32le", "pipe:1"], check=True, capture_output=True)
    return np.frombuffer(told.stdout, np.float32)


def first_click_s(samples: NDArray[np.float32]) -> float:
    """Return when the first click begins, in seconds."""
    loud = np.flatnonzero(np.abs(samples) > 0.2)
    assert len(loud), "there is no click"
    return float(loud[0]) / 16_000


class Copies(Playbacks):
    """Copies below a folder, and waiting for one."""

    def __init__(self, folder: Path, most_bytes: int = 1 << 30) -> None:
        self.changed = threading.Event()
        super().__init__(folder / "playback", most_bytes, most_s=3600.0, on_change=self.changed.set)
        self.folder = folder / "playback"

    def made(self, sound: Path, sha256: str = SHA) -> Path:
        """Have a copy made; return it."""
        self.want(sha256, opener(sound))
        eventually(lambda: self.is_there(sha256) or self.problem(sound, sha256), what="the copy")
        assert self.is_there(sha256), self.problem(sound, sha256)
        return self.folder / f"{sha256}.flac"

    def problem(self, sound: Path, sha256: str = SHA) -> str:
        """Return why there is none, "" while it is made."""
        return "" if self.is_there(sha256) else self.want(sha256, opener(sound)).problem


def opener(sound: Path) -> Callable[[], int]:
    """Return a way to open a recording."""
    return lambda: os.open(sound, os.O_RDONLY)


@pytest.mark.parametrize("name", FORMATS)
def test_copy_is_right_in_time_wherever_it_is_sought(tmp_path: Path, name: str) -> None:
    """Clicks at known times are there, read through or sought to; the picture of it shows them, too."""
    sound = convert(with_clicks(tmp_path / "clicks.wav"), tmp_path / name, *FORMATS[name])
    copies = Copies(tmp_path)
    copy = copies.made(sound)
    near_s = NEAR_S if name.endswith("webm") else NEAR_WITHOUT_DELAY_S
    assert len(decoded(copy)) == pytest.approx(LENGTH_S * 16_000, abs=0.06 * 16_000)
    for click_s in CLICKS_S:
        found_s = click_s - 0.5 + first_click_s(decoded(copy, from_s=click_s - 0.5, length_s=1.0))
        assert found_s == pytest.approx(click_s, abs=near_s)
    peaks = np.frombuffer((copies.folder / f"{SHA}.peaks").read_bytes(), np.uint8)
    loud = [number / PEAKS_PER_S for number in np.flatnonzero(peaks > 80)]
    assert [each for each in CLICKS_S if any(abs(each - found) <= 0.1 for found in loud)] == list(CLICKS_S)
    assert len(loud) <= 2 * len(CLICKS_S)
    copies.close()


def test_least_recently_heard_copy_goes_and_the_newest_stays(tmp_path: Path) -> None:
    """The bound is kept, also by a copy that is alone larger than it: somebody waits for that."""
    sound = with_clicks(tmp_path / "clicks.wav", 5.0)
    one = Copies(tmp_path).made(sound, "aa").stat().st_size
    copies = Copies(tmp_path, most_bytes=int(2.5 * one))
    copies.made(sound, "bb")
    os.utime(copies.folder / "aa.flac", (1, 1))
    os.utime(copies.folder / "bb.flac", (2, 2))
    descriptor = copies.open("aa", "flac")  # heard again
    assert descriptor is not None
    copies.made(sound, "cc")
    eventually(lambda: not (copies.folder / "bb.peaks").exists(), what="room")
    assert [copies.is_there(each) for each in ("aa", "bb", "cc")] == [True, False, True]
    os.close(descriptor)
    copies.close()


def test_what_is_no_sound_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """Nobody waits for ever for a copy that cannot be made."""
    broken = tmp_path / "broken.mp3"
    broken.write_bytes(b"ID3" + bytes(5000))
    copies = Copies(tmp_path)
    copies.want(SHA, opener(broken))
    assert eventually(lambda: copies.problem(broken), what="the reason")
    assert list(copies.folder.iterdir()) == []
    copies.close()


def test_killed_daemon_leaves_no_half_copy(tmp_path: Path) -> None:
    """What was under way is begun anew; a copy has its name when it is whole."""
    copies = Copies(tmp_path)
    copies.folder.mkdir()
    (copies.folder / f"{SHA}.flac.part").write_bytes(b"half")
    again = Copies(tmp_path)
    assert list(again.folder.iterdir()) == []
    assert again.open(SHA, "flac") is None


def test_close_ends_what_is_under_way(tmp_path: Path) -> None:
    """A stop of the service does not wait for a long recording."""
    hours = tmp_path / "long.wav"
    with wave.open(os.fspath(hours), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(44_100)
        file.setnframes(44_100 * 7200)
        file.writeframesraw(b"")
        file._datawritten = 44_100 * 7200 * 2  # type: ignore[attr-defined] (it would mend the header)
    os.truncate(hours, 44 + 44_100 * 7200 * 2)
    copies = Copies(tmp_path)
    copies.want(SHA, opener(hours))
    copies.changed.wait(60)
    began_s = time.monotonic()
    copies.close()
    assert time.monotonic() - began_s < 5
    assert list(copies.folder.iterdir()) == []
