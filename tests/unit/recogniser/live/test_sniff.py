"""What is sent in place of sound is told by its first bytes; sound never is."""

from __future__ import annotations

import numpy as np
import pytest
from sounds import noise, speech
from talking import loud

from asr_daemon.recogniser.live.sniff import LOOK_AT_BYTES, what_it_is


@pytest.mark.parametrize(
    ("first", "what"),
    [
        ("今天天气很好。\n".encode() * 200, "text"),
        (b'{"type": "hello"}\r\n' * 100, "text"),
        (b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(2000), "a WAV file"),
        (b"OggS\x00\x02" + bytes(2000), "an Ogg file"),
        (b"\x00\x00\x00\x20ftypisom" + bytes(2000), "an MP4 file"),
    ],
)
def test_other_things_are_named(first: bytes, what: str) -> None:
    """Also where the last letter is cut in two."""
    assert what_it_is(first[:LOOK_AT_BYTES]) == what


@pytest.mark.parametrize("tenth", range(1, 11))
def test_a_tone_is_sound(tenth: int) -> None:
    """Also where its two values happen to be letters."""
    assert what_it_is(loud(0.064, tenth)) == ""


@pytest.mark.parametrize("dbfs", [-90.0, -60.0, -30.0, -6.0])
def test_sound_of_any_loudness_is_sound(dbfs: float) -> None:
    """Silence, noise, speech."""
    for samples in (speech(1, dbfs), noise(1, dbfs), np.zeros(16_000, np.float32)):
        pcm = (np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes()
        assert {what_it_is(pcm[at : at + LOOK_AT_BYTES]) for at in range(0, len(pcm), LOOK_AT_BYTES)} == {""}
