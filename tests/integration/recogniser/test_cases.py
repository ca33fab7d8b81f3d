"""The shared cases: files that other programs of this kind get wrong, and what must come out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from conftest import SHARED

from asr_daemon.dispatch.protocol import Failed, Finished
from asr_daemon.transcripts.profile import Profile

if TYPE_CHECKING:
    from .conftest import Driver, Outcome

CASES = SHARED / "cases"
pytestmark = pytest.mark.skipif(not CASES.is_dir(), reason=f"{CASES} is not there")
PLAIN = Profile("m", itn=False)
SENTENCES = Profile("m", itn=False, max_end_silence_ms=300)
HELLO = "大家好我是客服部的胡文博"
FOLLOW_UP = "一共有一百一十四套营业时间需要跟进"
A = HELLO + FOLLOW_UP
B = "同学们今天我们来学习"
WHOLE = [
    "01_opposite_phase.opus",
    "06_sound_ends_before_picture.mp4",
    "07_mic_on_second_track.mp4",
    "12_header_says_less.wav",
    "14_placeholder_sox_pipe.wav",
    "16_dictation.dss",
    "18_recording.ts",
    "19_dc_offset.flac",
    "22_noise_on_other_channel.opus",
]


def said(driver: Driver, name: str, profile: Profile = PLAIN) -> tuple[Outcome, Finished]:
    """Return what came of a case."""
    outcome = driver.transcribe(CASES / name, profile)
    assert isinstance(outcome.end, Finished), outcome.end
    return outcome, outcome.end


def when(outcome: Outcome, words: str) -> float:
    """Return the second at which words begin."""
    tokens = [token for one in sorted(outcome.segments, key=lambda one: one.index) for token in one.tokens]
    return tokens["".join(token.text for token in tokens).index(words)].start_ms / 1000


@pytest.mark.parametrize("name", WHOLE)
def test_text_is_whole_and_nothing_is_wrong(driver: Driver, name: str) -> None:
    """Everything that is said, no doubt, no notice."""
    outcome, end = said(driver, name)
    assert outcome.text == A
    assert end.flags == ()
    assert not any(segment.flags for segment in outcome.segments)


@pytest.mark.parametrize("name", ["03_audio_starts_3s_late.mp4", "03_audio_starts_3s_late.mkv"])
def test_late_sound_has_late_times(driver: Driver, name: str) -> None:
    """Three seconds later, and not damaged."""
    outcome, end = said(driver, name)
    assert outcome.text == A
    assert abs(when(outcome, HELLO) - 3.4) < 0.2
    assert abs(when(outcome, FOLLOW_UP) - 6.7) < 0.2
    assert end.flags == ()


def test_gap_stays_a_gap(driver: Driver) -> None:
    """What is said after the gap stands behind it, in a segment of its own."""
    outcome, end = said(driver, "04_gap_of_13s.mp4")
    assert outcome.text.startswith(A + B)
    assert abs(when(outcome, B) - 20.3) < 0.3
    assert len(outcome.segments) == 3
    assert end.flags == ()


def test_damage_leaves_the_rest_in_its_place(driver: Driver) -> None:
    """The notice is right here, and the second voice stands where it was."""
    outcome, end = said(driver, "05_damaged_middle.m4a")
    assert outcome.text.startswith(HELLO)
    assert end.flags == ("damaged",)
    last = max(outcome.segments, key=lambda one: one.index)
    assert "今天我们来学习" in last.raw_text
    assert last.start_ms > 11_000
    assert said(driver, "05_undamaged.m4a")[1].flags == ()


def test_both_tracks_are_heard(driver: Driver) -> None:
    """Remote and microphone."""
    outcome, end = said(driver, "08_remote_and_mic_tracks.mp4", SENTENCES)
    assert HELLO in outcome.text
    assert abs(when(outcome, B) - 3.3) < 0.3
    assert end.flags == ()


def test_track_that_nothing_decodes_is_passed_over_and_named(driver: Driver) -> None:
    """The other one is read."""
    outcome, end = said(driver, "11_undecodable_track_chosen.mov")
    assert outcome.text == A
    assert end.flags == ("track_not_read:2 apple_apac",)


def test_third_microphone_is_heard(driver: Driver) -> None:
    """Which ffmpeg takes for a cinema's bass."""
    outcome, end = said(driver, "15_three_mics_third_speaks.wav")
    assert outcome.text == HELLO
    assert end.flags == ()


def test_wechat_voice_is_named(driver: Driver) -> None:
    """Its failure says what it is and what to do."""
    outcome = driver.transcribe(CASES / "17_wechat_silk.amr")
    assert isinstance(outcome.end, Failed)
    assert outcome.end.code == "silk"


def test_quiet_float_is_read(driver: Driver) -> None:
    """Only gain is missing; that it is quiet is told, with how quiet."""
    outcome, end = said(driver, "21_quiet_float.wav")
    assert outcome.text == A
    assert end.flags[0] == "very_quiet"
    assert "channels:1" in end.flags
    assert not any(segment.flags for segment in outcome.segments)
