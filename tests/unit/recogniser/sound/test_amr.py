"""What follows a hole in an AMR recording stands where it was said: each frame says how long it is."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import pytest
from voices import ffmpeg, pieces, voice, write_wave

from asr_daemon.recogniser.sound.decoding import SAMPLE_RATE_HZ
from asr_daemon.recogniser.sound.parts import find_parts

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.recogniser.sound.parts import Part

SECONDS = 12
CHANCE = np.random.default_rng(4)


def made(tmp_path: Path, *options: str) -> bytearray:
    """Return twelve seconds of somebody speaking."""
    path = tmp_path / "whole.amr"
    source = write_wave(tmp_path / "s.wav", voice(seconds=SECONDS))
    ffmpeg("-i", source, "-ar", "8000", "-b:a", "12.2k", *options, path)
    return bytearray(path.read_bytes())


def parts_of(path: Path) -> list[Part]:
    with path.open("rb") as file:
        return find_parts(file.fileno(), 86_400)


@pytest.mark.parametrize("what", ["random", "zeros", "ones"])
@pytest.mark.parametrize("kind", ["constant", "with silences"])
def test_what_follows_a_hole_stands_where_it_was_said(tmp_path: Path, kind: str, what: str) -> None:
    """Exactly where all frames are alike; about, and that is said, where silence takes fewer bytes."""
    content = made(tmp_path, *(("-dtx", "1") if kind == "with silences" else ()))
    low, high = len(content) * 4 // 10, len(content) * 6 // 10
    filled = {"random": CHANCE.bytes(high - low), "zeros": bytes(high - low), "ones": b"\xff" * (high - low)}
    content[low:high] = filled[what]
    path = tmp_path / "a.amr"
    path.write_bytes(content)
    found, decoding = pieces(path)
    assert any(piece.is_new for piece in found), "the hole ends a segment"
    tail = voice(seconds=SECONDS)[10 * SAMPLE_RATE_HZ + 8000 : 11 * SAMPLE_RATE_HZ + 8000]
    at = int(np.abs(np.correlate(found[-1].samples, tail, mode="valid")).argmax())
    assert abs((found[-1].start_samples + at) / SAMPLE_RATE_HZ - 10.5) < (0.1 if kind == "constant" else 0.8)
    assert decoding.findings.flags == (("damaged",) if kind == "constant" else ("damaged_about",))
    assert abs(decoding.decoded_s - SECONDS) < (0.1 if kind == "constant" else 0.8)


@pytest.mark.parametrize("options", [(), ("-dtx", "1")])
def test_a_few_bad_bytes_move_nothing(tmp_path: Path, options: tuple[str, ...]) -> None:
    """Less than a word is not called damage, but ffmpeg's way through it may be a second long."""
    whole = made(tmp_path, *options)
    length_s = pieces(tmp_path / "whole.amr")[1].decoded_s
    path = tmp_path / "a.amr"
    for bad in (1, 10, 100, 250):
        path.write_bytes(whole[:5000] + b"\xff" * bad + whole[5000 + bad :])
        _, decoding = pieces(path)
        assert decoding.findings.flags == ()
        assert abs(decoding.decoded_s - length_s) < 0.15


def test_silence_as_phones_send_it_is_no_damage(tmp_path: Path) -> None:
    """Frames that say that nothing is said; those at the end are not missed either."""
    path = tmp_path / "a.amr"
    path.write_bytes(made(tmp_path, "-dtx", "1") + b"\x7c" * 500)
    found, decoding = pieces(path)
    assert len(found) > 1, "there are pauses"
    assert decoding.findings.flags == ()


def test_joined_recordings_are_two_and_lose_nothing(tmp_path: Path) -> None:
    """The second one's mark is no sound, and no hole."""
    content = made(tmp_path)
    path = tmp_path / "a.amr"
    path.write_bytes(content + content)
    found, decoding = pieces(path)
    assert [piece.is_new for piece in found] == [False, True]
    assert abs(decoding.decoded_s - 2 * SECONDS) < 0.1
    assert decoding.findings.flags == ()


def test_a_hole_in_wideband_is_placed(tmp_path: Path) -> None:
    """AMR-WB has other lengths: ten seconds of frames at 23.85 kbit/s, two of them lost."""
    frames = [b"\x44" + CHANCE.bytes(60) for _ in range(500)]
    path = tmp_path / "a.awb"
    path.write_bytes(b"#!AMR-WB\n" + b"".join(frames[:200]) + bytes(100 * 61) + b"".join(frames[300:]))
    first, second = parts_of(path)
    assert (first.announced_s, second.lost_s, second.announced_s) == pytest.approx((4, 2, 4))
    found, decoding = pieces(path)
    assert [piece.start_samples / SAMPLE_RATE_HZ for piece in found if piece.is_new] == [6]
    assert decoding.findings.flags == ("damaged",)


def test_files_made_to_be_counted_cost_little(tmp_path: Path) -> None:
    """Many megabytes of frames of one byte, in chains that break before they are one."""
    path = tmp_path / "a.amr"
    path.write_bytes(b"#!AMR\n" + (b"\xff" + b"\x7c" * 7) * 1_000_000)
    began_s = time.process_time()
    assert len(parts_of(path)) <= 65
    assert time.process_time() - began_s < 10
