"""What ffmpeg says of a recording: enough for an administrator, and nothing else is opened for it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from asr_daemon.ffmpeg import describe
from support import SAMPLES

if TYPE_CHECKING:
    from pathlib import Path


def words_of(path: Path, configured: str = "") -> str:
    fd = os.open(path, os.O_RDONLY)
    try:
        return describe(fd, configured)
    finally:
        os.close(fd)


def test_recording_is_described() -> None:
    """Container, codec and length."""
    words = words_of(SAMPLES / "lecture.wav")
    assert "Audio: pcm_s16le" in words
    assert "Duration: 00:" in words
    assert "output file" not in words, "that nothing is written is no trouble"


def test_rubbish_is_described_and_opens_nothing_else(tmp_path: Path) -> None:
    """A playlist in disguise gets ffmpeg's refusal, and what it names is not opened."""
    playlist = tmp_path / "a.wav"
    playlist.write_text(f"ffconcat version 1.0\nfile '{SAMPLES / 'lecture.wav'}'\n", encoding="utf-8")
    words = words_of(playlist)
    assert "Audio:" not in words
    assert len(words.splitlines()) > 1


def test_missing_ffmpeg_is_said(tmp_path: Path) -> None:
    """It must not cost the recording its evidence."""
    assert "could not be started" in words_of(SAMPLES / "lecture.wav", str(tmp_path / "none"))
