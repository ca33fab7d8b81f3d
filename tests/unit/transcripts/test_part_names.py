"""What names of recordings say of being parts: tables of what devices, programs and people write."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

import pytest

from asr_daemon.transcripts.part_names import PartName, read_name

if TYPE_CHECKING:
    from collections.abc import Sequence

# Names of one recording's parts, and their numbers.
OF_ONE = [
    (["会议_001.wav", "会议_002.wav", "会议_010.WAV"], [1, 2, 10]),
    (["REC-1.m4a", "REC-2.m4a"], [1, 2]),
    (["会议 (1).mp3", "会议 (2).mp3"], [1, 2]),
    (["会议.mp3", "会议（2）.mp3"], [0, 2]),
    (["会议.mp3", "会议-1.mp3"], [0, 1]),
    (["DJI_0001.MP4", "DJI_0002.MP4"], [1, 2]),
    (["DJI_1234_001.mp4", "DJI_1234_002.mp4"], [1, 2]),
    (["DJI_20251230055808_0001_D.MP4", "DJI_20251230062808_0002_D.MP4"], [1, 2]),
    (["TX01_MIC001_20240315_093000_orig.wav", "TX01_MIC002_20240315_100000_orig.wav"], [1, 2]),
    (["GH011234.MP4", "GH021234.MP4"], [1, 2]),
    (["GX010048.MP4", "GX120048.MP4"], [1, 12]),
    (["GOPR1234.MP4", "GP011234.MP4", "GP021234.MP4"], [0, 1, 2]),
    (["C0001.MP4", "C0002.MP4"], [1, 2]),
    (["00000.MTS", "00001.MTS"], [0, 1]),
    (["210101_001.WAV", "210101_002.WAV"], [1, 2]),
    (["240315_0001.MP3", "240315_0002.MP3"], [1, 2]),
    (["TASCAM_0001S12.wav", "TASCAM_0002S12.wav"], [1, 2]),
    (["TASCAM_0001_01.wav", "TASCAM_0001_02.wav"], [1, 2]),
    (["DR0000_0001.wav", "DR0000_0002.wav"], [1, 2]),
    (["ZOOM0001_Tr1.WAV", "ZOOM0002_Tr1.WAV"], [1, 2]),
    (["R07_0010L.WAV", "R07_0011L.WAV"], [10, 11]),
    (["01_0001_2024-03-15_093000.M2T", "01_0002_2024-03-15_095512.M2T"], [1, 2]),
    (["2024-03-15 09-30-00.mkv", "2024-03-15 10-00-00.mkv"], [None, None]),
    (["VID_20240315_093000.mp4", "VID_20240315_100000.mp4"], [None, None]),
    (["240315_0930.mp3", "240315_1000.mp3"], [None, None]),
    (["2024年03月15日 09时30分.m4a", "2024年03月15日 10时00分.m4a"], [None, None]),
    (["周会part1.mp3", "周会part2.mp3"], [1, 2]),
    (["周会 Part 1.mp3", "周会 part 2.mp3"], [1, 2]),
    (["周会第1部分.mp3", "周会第2部分.mp3"], [1, 2]),
    (["周会（第一段）.mp3", "周会（第十二段）.mp3"], [1, 12]),
]
NOT_OF_ONE = [
    ("会议_001.wav", "例会_001.wav"),
    ("会议_001.wav", "会议_002.mp3"),
    ("GH011234.MP4", "GH011235.MP4"),
    ("ZOOM0001_Tr1.WAV", "ZOOM0001_Tr2.WAV"),
    ("TASCAM_0001S12.wav", "TASCAM_0001S34.wav"),
    ("机位1.mp4", "机位2.mp4"),
    ("会议.wav", "例会.wav"),
]


def read(name: str) -> PartName:
    """Read a name that says something."""
    found = read_name(name)
    assert found is not None
    return found


@pytest.mark.parametrize(("names", "numbers"), OF_ONE)
def test_parts_of_one_recording_share_a_family(names: Sequence[str], numbers: Sequence[int | None]) -> None:
    """And each has its number, where the name has one."""
    found = [read(name) for name in names]
    assert len({each.family for each in found}) == 1, [each.family for each in found]
    assert [each.number for each in found] == numbers


@pytest.mark.parametrize(("one", "other"), NOT_OF_ONE)
def test_others_do_not(one: str, other: str) -> None:
    """Another meeting, another kind of file, another camera, another track of the same moment."""
    assert read(one).family != read(other).family


@pytest.mark.parametrize(
    ("name", "clock", "error_s"),
    [
        ("DJI_20251230055808_0001_D.MP4", datetime(2025, 12, 30, 5, 58, 8), 0),  # noqa: DTZ001
        ("2024-03-15 09-30-00.mkv", datetime(2024, 3, 15, 9, 30), 0),  # noqa: DTZ001
        ("240315_0930.mp3", datetime(2024, 3, 15, 9, 30), 60),  # noqa: DTZ001
        ("240315_0001.mp3", None, 0),
        ("VID_20241315_093000.mp4", None, 0),
        ("会议_001.wav", None, 0),
    ],
)
def test_a_name_says_when_it_begins(name: str, clock: datetime | None, error_s: float) -> None:
    """To the second or the minute; what is no date is none."""
    found = read(name)
    assert (found.clock, found.clock_error_s) == (clock, error_s)


@pytest.mark.parametrize("name", ["GX020048.MP4", "周会part2.mp3", "周会第2部分.mp3"])
def test_a_name_may_say_itself_that_it_is_a_part(name: str) -> None:
    """A counter alone does not."""
    assert read(name).is_explicit
    assert not read("REC_002.wav").is_explicit


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("会议_002.wav", "会议_003.wav"),
        ("会议 (2).mp3", "会议 (3).mp3"),
        ("GX020048.MP4", "GX030048.MP4"),
        ("周会第2部分.mp3", "周会第3部分.mp3"),
        ("TASCAM_0002S12.wav", "TASCAM_0003S12.wav"),
        ("R07_0010L.WAV", "R07_0003L.WAV"),
        ("DJI_20251230055808_0001_D.MP4", ""),
        ("周会第二段.mp3", ""),
    ],
)
def test_a_missing_part_is_called_as_the_others(name: str, expected: str) -> None:
    """Unless its name would say when it began, or nobody can tell."""
    assert read(name).named(3) == expected


@pytest.mark.parametrize("name", [".wav", "wav", "a" * 300 + ".wav"])
def test_what_is_no_name_of_a_recording_says_nothing(name: str) -> None:
    """It is passed over."""
    assert read_name(name) is None


@pytest.mark.parametrize(
    "name",
    ["a_" + "1" * 250, "9" * 250, "(1" * 120, "第" * 120 + "一" * 100, "_" * 250, "2024-" * 50, "\udcff_001"],
)
def test_hostile_names_are_read_as_others(name: str) -> None:
    """They come to an end; a number of hundreds of digits is none."""
    found = read_name(name + ".wav")
    assert found is None or (found.number or 0) < 10_000
