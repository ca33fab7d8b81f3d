"""Live sessions with the built-in model in a child of its own: the same words however they come."""

from __future__ import annotations

import itertools
import os
import signal
import socket
from typing import TYPE_CHECKING

import numpy as np
import pytest
from conftest import DEMO
from talking import Talker, quiet

from asr_daemon.dispatch.protocol import Finished, Listen, Listened
from asr_daemon.transcripts import live
from asr_daemon.transcripts.profile import Profile
from support import convert

if TYPE_CHECKING:
    from pathlib import Path

    from conftest import Driver

PROFILE = Profile("m", max_end_silence_ms=300, max_segment_s=15.0)
NUMBERS = itertools.count(1)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Return somebody who speaks for a while."""
    target = tmp_path_factory.mktemp("live") / "finance.pcm"
    made = convert(DEMO / "finance.m4a", target, *("-t", "20", "-f", "s16le", "-ar", "16000", "-ac", "1"))
    return made.read_bytes()


def open_session(driver: Driver, profile: Profile = PROFILE, *, interim: bool = True) -> Talker:
    """Begin a session in a child."""
    ours, theirs = socket.socketpair()
    number = next(NUMBERS)
    with theirs:
        driver.child.send(Listen(number, profile, interim), theirs.fileno())
    return Talker(ours, number).listen()


def finals(talker: Talker) -> list[live.Final]:
    """End the sound, and return what was said."""
    talker.end_speech()
    talker.wait_for_end()
    assert isinstance(talker.events[-1], live.Ended)
    return talker.of(live.Final)


def test_fast_and_slow_give_the_same_words(driver: Driver, sound: bytes) -> None:
    """All at once, and read along from the start, every second heard before the next one is spoken."""
    at_once = open_session(driver)
    at_once.say(sound)
    told = finals(at_once)
    slow = open_session(driver)
    slow.say(sound[:64_000])
    slow.wait(lambda: bool(slow.of(live.Interim)))
    for begin in range(64_000, len(sound), 32_000):
        for at in range(begin, min(begin + 32_000, len(sound)), 3200):
            slow.say(sound[at : at + 3200])
        slow.wait(lambda second=begin // 32: any(one.heard_ms >= second for one in slow.of(live.Heard)))  # type: ignore[misc]
    again = finals(slow)
    assert [(one.start_ms, one.end_ms, one.text) for one in told] == [
        (one.start_ms, one.end_ms, one.text) for one in again
    ]
    assert len(told) >= 3


def test_hotwords_and_numbers_are_written_as_in_a_transcript(driver: Driver, sound: bytes) -> None:
    """The profile's steps are those of a recording."""
    plain = open_session(driver, Profile("m", itn=False, max_end_silence_ms=300), interim=False)
    plain.say(sound)
    spoken = "".join(one.text for one in finals(plain))
    wrong = spoken[2:4]
    profile = Profile("m", replacements=((wrong, "甲乙丙"),), max_end_silence_ms=300)
    written = open_session(driver, profile, interim=False)
    written.say(sound)
    text = "".join(one.text for one in finals(written))
    assert wrong in spoken
    assert "甲乙丙" in text
    assert any(digit in text for digit in "0123456789")
    assert not any(digit in spoken for digit in "0123456789")


def test_queue_and_live_lose_nothing_together(driver: Driver, sound: bytes, tmp_path: Path) -> None:
    """A recording in work and two speakers: each has the words that it has alone."""
    recording = convert(
        *(DEMO / "finance.m4a", tmp_path / "long.wav"),
        *("-filter_complex", "aloop=3:900000", "-ar", "16000", "-ac", "1"),
    )
    alone = driver.transcribe(recording)
    lonely = open_session(driver)
    lonely.say(sound)
    told = [one.text for one in finals(lonely)]
    job = driver.begin(recording)
    talkers = [open_session(driver), open_session(driver)]
    for talker in talkers:
        talker.say(sound)
    for talker in talkers:
        assert [one.text for one in finals(talker)] == told
    (beside,) = driver.finish(job)
    assert isinstance(beside.end, Finished)
    assert beside.places == alone.places
    assert beside.text == alone.text


def test_music_and_silence_say_nothing_and_the_session_stays(driver: Driver, sound: bytes) -> None:
    """A chord for a minute, then silence, then somebody speaks."""
    times = np.arange(60 * 16_000) / 16_000
    chord = sum(np.sin(2 * np.pi * pitch * times) for pitch in (220.0, 277.2, 329.6)) * 0.1
    talker = open_session(driver)
    talker.say((chord * 32767).astype("<i2").tobytes() + quiet(60))
    talker.say(sound)
    told = finals(talker)
    assert [one for one in told if one.start_ms < 119_000] == []
    assert len(told) >= 3


def test_killed_child_ends_its_sessions(own_driver: Driver, sound: bytes) -> None:
    """Their sockets end, without a word that all was said."""
    talker = open_session(own_driver)
    talker.say(sound)
    talker.wait(lambda: bool(talker.of(live.Final)))
    os.kill(own_driver.child.pid, signal.SIGKILL)
    talker.wait_for_end()
    assert not isinstance(talker.events[-1], (live.Ended, live.Failed))


def test_daemon_hears_of_the_end(driver: Driver, sound: bytes) -> None:
    """With how much was heard, and how many sentences were said."""
    talker = open_session(driver)
    talker.say(sound)
    told = finals(talker)
    driver.listen(lambda message: message == Listened(talker.session, len(sound) // 32, len(told)))
