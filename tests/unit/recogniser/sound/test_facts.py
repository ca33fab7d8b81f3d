"""What a recording's author writes into it is no fact about its tracks."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from voices import FFMPEG, ffmpeg, voice, write_wave

from asr_daemon.recogniser.sound.decoding import Decoding
from asr_daemon.recogniser.sound.facts import look
from asr_daemon.recogniser.sound.parts import Part

if TYPE_CHECKING:
    from collections.abc import Sequence
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


@pytest.mark.parametrize(
    ("suffix", "says"),
    [
        ("m4a", ("-metadata", "creation_time=2024-03-15T09:30:00Z")),
        ("wav", ("-ar", "48000", "-write_bext", "1",
                 "-metadata", "origination_date=2024-03-15", "-metadata", "origination_time=09:30:00")),
        ("m4a", ("-metadata", "creation_time=1980-01-06T00:00:00Z")),  # of a clock that was never set
        ("mp3", ()),
    ],
)  # fmt: skip
def test_a_recording_says_when_it_was_made(tmp_path: Path, suffix: str, says: Sequence[str]) -> None:
    """Where its container does; it is one of the recording's flags then."""
    path = tmp_path / f"a.{suffix}"
    ffmpeg("-i", write_wave(tmp_path / "s.wav", voice(seconds=1)), *says, path)
    with path.open("rb") as file:
        decoding = Decoding(file.fileno(), FFMPEG, 3600)
        assert sum(map(len, decoding))
    assert decoding.findings.flags == (("created:2024-03-15T09:30:00",) if "2024" in "".join(says) else ())
