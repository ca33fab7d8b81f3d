"""Bare frames have no clock: what follows a hole in an mp3 stands where it was said, as frames count."""

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

KINDS = {
    "constant.mp3": ("-b:a", "64k"),
    "variable.mp3": ("-q:a", "4"),
    "constant, no Xing.mp3": ("-b:a", "64k", "-write_xing", "0"),
    "variable, no Xing.mp3": ("-q:a", "4", "-write_xing", "0"),
    "low rate.mp3": ("-b:a", "32k", "-ar", "22050"),
    "layer 2.mp2": ("-b:a", "128k", "-ar", "48000"),
    "a.aac": (),
}
ESTIMATED = {"variable, no Xing.mp3", "a.aac"}


def made(tmp_path: Path, name: str) -> bytearray:
    """Return twelve seconds of somebody speaking."""
    path = tmp_path / f"whole {name}"
    ffmpeg("-i", write_wave(tmp_path / "s.wav", voice(seconds=12)), *KINDS[name], path)
    return bytearray(path.read_bytes())


def where_the_end_stands_s(path: Path) -> tuple[float, tuple[str, ...]]:
    """Return at what time the eleventh second is heard, and what was odd."""
    found, decoding = pieces(path)
    assert sum(piece.is_new for piece in found) == 1, "the hole ends a segment"
    tail = voice(seconds=12)[10 * SAMPLE_RATE_HZ : 11 * SAMPLE_RATE_HZ]
    last = next(piece for piece in found if piece.is_new)
    at = int(np.abs(np.correlate(last.samples, tail, mode="valid")).argmax())
    return (last.start_samples + at) / SAMPLE_RATE_HZ, decoding.findings.flags


@pytest.mark.parametrize("what", ["random", "zeros"])
@pytest.mark.parametrize("name", KINDS)
def test_what_follows_a_hole_stands_where_it_was_said(tmp_path: Path, name: str, what: str) -> None:
    """Exactly by a constant rate or a Xing header; about, and that is said, by the mean rate."""
    content = made(tmp_path, name)
    low, high = len(content) * 4 // 10, len(content) * 6 // 10
    content[low:high] = np.random.default_rng(4).bytes(high - low) if what == "random" else bytes(high - low)
    path = tmp_path / f"a{name[name.rindex('.') :]}"
    path.write_bytes(content)
    at_s, flags = where_the_end_stands_s(path)
    assert abs(at_s - 10) < (0.4 if name in ESTIMATED else 0.12)
    assert flags == (("damaged_about",) if name in ESTIMATED else ("damaged",))


def test_bytes_that_are_gone_altogether_are_counted_by_the_xing_header(tmp_path: Path) -> None:
    """A copy that went on after a gap: a frame is torn where it did."""
    content = made(tmp_path, "constant.mp3")
    del content[len(content) * 4 // 10 : len(content) * 6 // 10]
    path = tmp_path / "a.mp3"
    path.write_bytes(content)
    at_s, flags = where_the_end_stands_s(path)
    assert abs(at_s - 10) < 0.12
    assert flags == ("damaged",)


def test_a_hole_and_an_end_that_is_cut_off_are_both_said(tmp_path: Path) -> None:
    """The hole is as long as it is, the rest is missing at the end."""
    content = made(tmp_path, "constant.mp3")
    content[len(content) * 2 // 10 : len(content) * 4 // 10] = bytes(len(content) * 2 // 10)
    path = tmp_path / "a.mp3"
    path.write_bytes(content[: len(content) * 6 // 10])
    found, decoding = pieces(path)
    begins = [piece.start_samples / SAMPLE_RATE_HZ for piece in found if piece.is_new]
    assert [round(begin, 1) for begin in begins] == [4.8]
    assert decoding.findings.flags == ("truncated", "damaged")


@pytest.mark.parametrize("name", ["constant.mp3", "variable.mp3", "a.aac"])
def test_tags_and_junk_between_frames_are_no_hole(tmp_path: Path, name: str) -> None:
    """Files joined with their tags and covers, a few bytes that a radio lost."""
    content = bytes(made(tmp_path, name))
    single = sum(len(piece.samples) for piece in pieces(tmp_path / f"whole {name}")[0])
    cover = b"ID3\x03\0\0\0\x03\x0d\x40" + b"\xff\xfb\x90\x00" * 12_720
    path = tmp_path / f"a{name[name.rindex('.') :]}"
    for between in (b"", cover, b"TAG" + b"x" * 125, b"\0" * 200):
        path.write_bytes(content + between + content)
        found, decoding = pieces(path)
        assert abs(sum(len(piece.samples) for piece in found) - 2 * single) < 0.3 * SAMPLE_RATE_HZ
        assert abs(decoding.decoded_samples - 2 * single) < 0.3 * SAMPLE_RATE_HZ
        assert not {"damaged", "damaged_about"} & set(decoding.findings.flags)


@pytest.mark.parametrize(
    "pattern", [b"\xff\xfb\x90\x64", b"\xff\xfb\x10\x00" + b"\0" * 20, b"\xff\xf1\x50\x80"]
)
def test_files_made_of_heads_cost_no_more_than_others(tmp_path: Path, pattern: bytes) -> None:
    """Nothing is gathered of a hundred megabytes that look like frames everywhere."""
    path = tmp_path / "a.mp3"
    path.write_bytes(pattern * (100_000_000 // len(pattern)))
    began_s = time.process_time()
    with path.open("rb") as file:
        assert len(find_parts(file.fileno(), 86_400)) <= 65
    assert time.process_time() - began_s < 10
