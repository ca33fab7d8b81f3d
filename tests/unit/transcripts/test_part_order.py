"""Which recordings follow on each other: what devices leave, what copying makes of it, what only looks so."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate
from typing import TYPE_CHECKING

import pytest

from asr_daemon.transcripts.part_names import read_name
from asr_daemon.transcripts.part_order import MOST_PARTS, Member, runs_of

if TYPE_CHECKING:
    from collections.abc import Sequence

BEGAN_S = 1_710_000_000.0
LATER_S = BEGAN_S + 50_000_000.0  # when files are found


def member(name: str, ended_s: float, duration_s: float | None, **other: object) -> Member:
    """Return a recording; its number is that of its name's length and place, its content is its own."""
    read = read_name(name)
    assert read is not None
    facts = {"sha256": name, "size_bytes": 1_000_000, "found_s": LATER_S, **other}
    return Member(abs(hash((name, ended_s))), read, mtime_s=ended_s, duration_s=duration_s, **facts)  # type: ignore[arg-type]


def recorded(names: Sequence[str], lengths_s: Sequence[float], gap_s: float = 1.0) -> list[Member]:
    """Return parts as a recorder writes them, with its own times."""
    ends_s = accumulate(length_s + gap_s for length_s in lengths_s)
    return [
        member(name, BEGAN_S + end_s, length_s)
        for name, length_s, end_s in zip(names, lengths_s, ends_s, strict=True)
    ]


def copied(names: Sequence[str], lengths_s: Sequence[float], each_s: float = 20.0) -> list[Member]:
    """Return parts that were copied without their times, just now."""
    return [
        member(name, LATER_S + number * each_s, length_s, found_s=LATER_S + number * each_s + 8)
        for number, (name, length_s) in enumerate(zip(names, lengths_s, strict=True))
    ]


def told(members: Sequence[Member]) -> list[tuple[list[int], list[int]]]:
    """Return the places of each run's members among those given, and what is missing before each."""
    places = {each.id: place for place, each in enumerate(members)}
    return [([places[each.id] for each in run.members], run.missing) for run in runs_of(members)]


THREE = ["会议_001.wav", "会议_002.wav", "会议_003.wav"]


@pytest.mark.parametrize("lengths_s", [[1800, 1800, 700], [4000, 4100, 3999], [61, 62, 63]])
def test_parts_follow_by_their_files_times(lengths_s: list[float]) -> None:
    """However long they are, in whatever order they are found."""
    members = recorded(THREE, lengths_s)
    assert told(members) == [([0, 1, 2], [0, 0, 0])]
    assert told(members[::-1]) == [([2, 1, 0], [0, 0, 0])]


def test_recordings_with_a_pause_between_them_are_others() -> None:
    """A dictation machine counts all of its recordings."""
    members = recorded(THREE, [420, 2600, 900], gap_s=600)
    assert told(members) == [([0], [0]), ([1], [0]), ([2], [0])]


def test_memos_in_a_row_are_several() -> None:
    """However soon the next was begun."""
    assert len(runs_of(recorded(THREE, [20, 25, 31], gap_s=8))) == 3


def test_a_number_that_is_left_out_is_no_missing_part() -> None:
    """The camera took a photograph between, say: the next began when the one before ended."""
    names = ["DJI_0001.MP4", "DJI_0003.MP4"]
    assert told(recorded(names, [1800, 400])) == [([0, 1], [0, 0])]


def test_two_meetings_of_one_counter_are_two() -> None:
    """The second began after lunch; both were cut."""
    first = recorded(["DJI_0001.MP4", "DJI_0002.MP4"], [1800, 300])
    second = [
        member("DJI_0003.MP4", BEGAN_S + 10_000 + 1800, 1800.0),
        member("DJI_0004.MP4", BEGAN_S + 10_000 + 2500, 700.0),
    ]
    assert told([*first, *second]) == [([0, 1], [0, 0]), ([2, 3], [0, 0])]


def test_copied_parts_follow_where_they_are_as_long_as_recorders_cut() -> None:
    """Their times are of copying; the last is shorter."""
    assert told(copied(THREE, [1800.4, 1800.2, 700])) == [([0, 1, 2], [0, 0, 0])]
    assert told(copied(THREE, [504.2, 504.0, 70])) == [([0, 1, 2], [0, 0, 0])]
    assert told(copied(THREE[:2], [30.05, 23.9], 1)) == [([0, 1], [0, 0])]  # by a clock, to the packet
    assert told(copied(THREE[:2], [30.6, 23.9], 1)) == [([0], [0]), ([1], [0])]
    assert told(copied(THREE[:2], [1800, 1800])) == [([0], [0]), ([1], [0])]  # the last may still come


def test_copied_parts_follow_where_they_are_as_large_as_recorders_cut() -> None:
    """2 GB."""
    one, two = copied(THREE[:2], [11_003, 4000])
    large = member("会议_001.wav", one.mtime_s, 11_003, size_bytes=(1 << 31) - 5000, found_s=one.found_s)
    assert told([large, two]) == [([0, 1], [0, 0])]
    assert told([one, two]) == [([0], [0]), ([1], [0])]


def test_copied_recordings_of_odd_lengths_stay_apart() -> None:
    """Nothing says that they belong together."""
    assert told(copied(THREE, [427, 2613, 921])) == [([0], [0]), ([1], [0]), ([2], [0])]


def test_tracks_of_one_moment_stay_apart() -> None:
    """They are equally long to the end, and as large as a recorder cuts."""
    assert told(copied(["T_1.wav", "T_2.wav"], [1800, 1800])) == [([0], [0]), ([1], [0])]


def test_names_that_say_when_are_believed_before_the_files_times() -> None:
    """They survive copying."""
    names = ["2024-03-15 09-30-00.mkv", "2024-03-15 10-00-01.mkv", "2024-03-15 14-00-00.mkv"]
    assert told(copied(names, [1800, 913, 1800])) == [([0, 1], [0, 0]), ([2], [0])]
    by_minute = ["240315_0930.mp3", "240315_1012.mp3"]
    assert told(copied(by_minute, [2555, 100])) == [([0, 1], [0, 0])]


def test_names_that_say_when_and_count() -> None:
    """Either order is the same."""
    names = [
        "DJI_20251230055808_0009_D.MP4",
        "DJI_20251230060308_0010_D.MP4",
        "DJI_20251230070000_0011_D.MP4",
    ]
    assert told(copied(names, [300, 120, 50])) == [([0, 1], [0, 0]), ([2], [0])]


@pytest.mark.parametrize("says", ["begin", "end"])
def test_containers_are_believed_before_the_files_times(says: str) -> None:
    """They survive copying; cameras say when a part began, telephones when it ended."""
    lengths_s, begins_s = [437.0, 512.0, 61.0], [0.0, 438.0, 4000.0]
    parts = [
        replace(each, created_s=begin_s + (length_s if says == "end" else 0))
        for each, length_s, begin_s in zip(copied(THREE, lengths_s), lengths_s, begins_s, strict=True)
    ]
    assert told(parts) == [([0, 1], [0, 0]), ([2], [0])]


def test_chapters_follow_by_their_names_where_times_say_nothing() -> None:
    """As do parts that are called so; after a day they do not."""
    assert told(copied(["GH011234.MP4", "GH021234.MP4"], [531, 97])) == [([0, 1], [0, 0])]
    assert told(copied(["GOPR1234.MP4", "GP011234.MP4"], [531, 97])) == [([0, 1], [0, 0])]
    assert told(recorded(["会part1.wav", "会part2.wav"], [531, 97], gap_s=3600)) == [([0, 1], [0, 0])]
    assert len(runs_of(recorded(["会part1.wav", "会part2.wav"], [531, 97], gap_s=90_000))) == 2


def test_a_missing_part_leaves_a_gap() -> None:
    """By time, or where the one before was cut; not where hundreds are missing."""
    one, _, three, four = recorded([*THREE, "会议_004.wav"], [1800, 1800, 1800, 60])
    assert told([one, three, four]) == [([0, 1, 2], [0, 1, 0])]
    assert told(copied(["会议_001.wav", "会议_003.wav"], [1800, 60])) == [([0, 1], [0, 1])]
    assert told(copied(["会议_001.wav", "会议_900.wav"], [1800, 60])) == [([0], [0]), ([1], [0])]
    assert len(runs_of(recorded(["会议_001.wav", "会议_900.wav"], [1800, 60]))) == 2


def test_a_copy_of_a_part_is_left_out() -> None:
    """It has the same content under another name."""
    one, two, three = recorded(THREE, [1800, 1800, 700])
    copy = member("会议_002 (2).wav", LATER_S, 1800, sha256=two.sha256)
    twin = member("会议_004.wav", LATER_S, 1800, sha256=two.sha256)
    assert told([one, two, three, twin, copy]) == [([0, 1, 2], [0, 0, 0])]


def test_a_part_that_failed_or_waits_keeps_its_place() -> None:
    """How long it is nobody knows; it ended when the next began."""
    one, two, three = recorded(THREE, [1800, 1200, 700])
    failed = member("会议_002.wav", two.mtime_s, None)
    assert told([one, failed, three]) == [([0, 1, 2], [0, 0, 0])]


def test_the_name_without_a_number_is_the_first() -> None:
    """As Windows and browsers count."""
    assert told(recorded(["会.mp3", "会 (2).mp3", "会 (3).mp3"], [1800, 1800, 60])) == [
        ([0, 1, 2], [0, 0, 0])
    ]
    assert told(recorded(["会.mp3", "会-1.mp3"], [1800, 60])) == [([0, 1], [0, 0])]


def test_ten_thousand_names_come_to_an_end() -> None:
    """No run is longer than it may be."""
    names = [f"a_{number:05}.wav" for number in range(10_000)]
    runs = runs_of(recorded(names, [600.0] * 10_000))
    assert {len(run.members) for run in runs} == {MOST_PARTS}
