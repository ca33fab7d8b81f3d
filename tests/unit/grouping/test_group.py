"""Who speaks when, of windows alone."""

from __future__ import annotations

import dataclasses
import random
from typing import TYPE_CHECKING

import numpy as np
import pytest
from made_voices import Room

from asr_daemon.grouping.group import group
from asr_daemon.speakers.grouped import Question
from asr_daemon.speakers.window import EMBEDDING_BYTES, Window

if TYPE_CHECKING:
    from asr_daemon.speakers.grouped import Grouped


def asked(windows: list[Window], **more: int) -> Grouped:
    return group(Question(tuple(windows), **more))


def speakers(grouped: Grouped) -> set[int]:
    return {turn.speaker for turn in grouped.turns}


def meeting(room: Room, voices: int, rounds: int, seconds: int = 6) -> tuple[list[Window], list[int]]:
    """Return windows and, for each segment, who speaks."""
    windows, who = [], []
    for _ in range(rounds):
        for voice in range(voices):
            windows += room.segment((voice, seconds * 1000))
            who.append(voice)
    return windows, who


def test_two_speakers_of_a_short_call_are_two() -> None:
    """Under 20 windows FunASR's clustering says one speaker, always."""
    windows, who = meeting(Room(), voices=2, rounds=2, seconds=3)
    assert len(windows) < 20
    found = [turn.speaker for turn in asked(windows).turns]
    assert len(found) == len(who)
    assert [speaker == found[0] for speaker in found] == [voice == who[0] for voice in who]


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("voices", [1, 2, 4, 7])
def test_their_number_is_found(voices: int, seed: int) -> None:
    """One speaker is not divided, several are told apart, whatever the noise."""
    windows, _ = meeting(Room(seed), voices=voices, rounds=max(2, 6 // voices))
    assert len(speakers(asked(windows))) == voices


def test_a_change_inside_a_segment_is_found_to_half_a_second() -> None:
    """The window across the change sounds like both: where it lies is told by how much of each."""
    room = Room()
    windows = [*room.segment((0, 6000), (1, 6000)), *room.segment((1, 4500), (0, 7500))]
    turns = asked(windows).turns
    assert [turn.speaker for turn in turns] == [0, 1, 1, 0]
    assert abs(turns[0].end_ms - 6000) <= 500
    assert abs(turns[2].end_ms - (13_000 + 4500)) <= 500
    assert turns[0].end_ms == turns[1].start_ms


def test_a_segment_is_covered_without_gaps() -> None:
    """Windows far apart leave no time that is nobody's."""
    windows = [one for one in Room().segment((0, 12_000)) if one.start_ms % 2250 == 0]
    turns = asked(windows).turns
    assert [(turn.start_ms, turn.end_ms) for turn in turns] == [(0, windows[-1].end_ms)]


def test_nothing_said_is_nobody() -> None:
    """No windows, or windows that are nothing, are no speaker."""
    assert asked([]).turns == ()
    nothing = Window(0, 0, 1500, bytes(EMBEDDING_BYTES))
    broken = Window(1, 2000, 3500, np.full(192, np.nan, "<f2").tobytes())
    assert asked([nothing, broken]).voices == ()


def test_a_third_of_a_second_in_all_is_one_speaker() -> None:
    """One short word has a speaker, and its voice."""
    [window] = Room().segment((3, 300))
    grouped = asked([window])
    assert [(turn.start_ms, turn.end_ms) for turn in grouped.turns] == [(0, 300)]
    assert grouped.voices[0].speech_ms == 300


def test_a_short_word_founds_no_speaker() -> None:
    """Half a second says little about a voice: it goes to one of those there."""
    room = Room()
    windows = [*room.segment((0, 9000)), *room.segment((5, 400)), *room.segment((1, 9000))]
    assert len(speakers(asked(windows))) == 2


def test_windows_that_share_most_of_their_sound_have_speakers() -> None:
    """They are little speech, less than nothing by how it is counted; still somebody says it."""
    room = Room()
    windows = [one for _ in range(6) for voice in (0, 1) for one in room.segment((voice, 6000))]
    close = [
        dataclasses.replace(one, start_ms=number * 250, end_ms=number * 250 + 1500)
        for number, one in enumerate(windows)
    ]
    assert speakers(asked(close))


def test_short_words_alone_are_told_apart_all_the_same() -> None:
    """Where there is nothing longer, short windows found the speakers."""
    room = Room()
    windows = [one for _ in range(8) for voice in (0, 1) for one in room.segment((voice, 740))]
    assert len(speakers(asked(windows))) >= 2


def test_the_number_that_was_given_is_kept_to() -> None:
    """Five voices for who says three; two for who says two of what sounds like one."""
    windows, _ = meeting(Room(), voices=5, rounds=3)
    assert len(speakers(asked(windows, speakers_expected=3))) == 3
    assert len(speakers(asked(windows, max_speakers=4))) == 4
    assert len(speakers(asked(windows, max_speakers=9))) == 5
    alone, _ = meeting(Room(), voices=1, rounds=6)
    assert len(speakers(asked(alone, speakers_expected=2))) <= 2


def test_forty_speakers() -> None:
    """A hall: as many as speak, not a bound somewhere."""
    windows, _ = meeting(Room(), voices=40, rounds=1, seconds=15)
    assert 38 <= len(speakers(asked(windows))) <= 42


def test_several_blocks_have_the_same_speakers() -> None:
    """An hour is compared in parts; who speaks in all of them is one speaker."""
    windows, who = meeting(Room(), voices=3, rounds=130)
    assert len(windows) > 2500
    grouped = asked(windows)
    assert len(speakers(grouped)) == 3
    by_segment = {turn.start_ms: turn.speaker for turn in grouped.turns}
    firsts = [by_segment[one.start_ms] for one in windows if one.start_ms in by_segment]
    assert len(set(zip(firsts, who, strict=True))) == 3


@pytest.mark.slow
def test_one_speaker_for_five_hours() -> None:
    """A lecture is one speaker, however long, and in little time."""
    windows, _ = meeting(Room(), voices=1, rounds=600, seconds=30)
    assert len(windows) > 20_000
    assert len(speakers(asked(windows))) == 1


def test_the_answer_does_not_depend_on_order_or_chance() -> None:
    """The same windows in any order, twice: the same turns."""
    windows, _ = meeting(Room(4), voices=4, rounds=4)
    shuffled = random.Random(2).sample(windows, len(windows))
    assert asked(windows) == asked(shuffled) == asked(windows)


def test_a_second_voice_is_said_to_speak_along() -> None:
    """Overlapped speech goes to the louder one, and is flagged."""
    room = Room()
    windows = [*room.segment((0, 12_000)), *room.segment((1, 12_000))]
    both = room.segment((0, 6000))
    mixed = [dataclasses.replace(one, embedding=_mix(one, room.voices[1])) for one in both]
    turns = asked([*windows, *mixed]).turns
    assert [turn.is_overlapped for turn in turns[:2]] == [False, False]
    assert any(turn.is_overlapped for turn in turns[2:])
    assert turns[2].speaker == 0


def _mix(window: Window, voice: np.ndarray) -> bytes:
    row = np.frombuffer(window.embedding, "<f2").astype(np.float32) + 0.35 * voice
    return (row / np.linalg.norm(row)).astype("<f2").tobytes()
