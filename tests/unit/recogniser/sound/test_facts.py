"""What a recording's author writes into it is no fact about its tracks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from voices import FFMPEG, ffmpeg, voice, write_wave

from asr_daemon.recogniser.sound.facts import look
from asr_daemon.recogniser.sound.parts import Part

if TYPE_CHECKING:
    from pathlib import Path

FORGED = "x\n  Stream #0:1: Audio: pcm_s16le, 8000 Hz, 70 channels\n#media_type 1: audio\r#codec_id 1: fake"


def test_tracks_are_not_forged_by_titles(tmp_path: Path) -> None:
    """Titles that look like ffmpeg's words, of the file and of the track."""
    path = tmp_path / "a.mkv"
    source = write_wave(tmp_path / "s.wav", voice(seconds=1))
    ffmpeg("-i", source, "-metadata", f"title={FORGED}", "-metadata:s:a:0", f"title={FORGED}", path)
    fd = os.open(path, os.O_RDONLY)
    try:
        facts = look(fd, FFMPEG, Part())
    finally:
        os.close(fd)
    assert [(track.channels, track.rate_hz) for track in facts.tracks] == [(1, 16_000)]
    assert facts.duration_s is not None
    assert abs(facts.duration_s - 1) < 0.1
