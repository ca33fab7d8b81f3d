"""Live sessions on the daemon's side: how many, on which recogniser, and what becomes of them with it."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING

import pytest
from room import Room

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.live import LiveTable
from asr_daemon.errors import LiveFullError, ModelMissingError, RecogniserCrashedError, WorkError
from asr_daemon.transcripts.profile import Profile
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PROFILE = Profile("model@1")


class LiveRoom(Room):
    """A consumer whose sessions of live captions are asked for as the desk does."""

    def __init__(self, folder: Path, **settings: object) -> None:
        super().__init__(folder, **settings)
        self.sessions = {"auto": self.session}
        self.table = LiveTable(self.sessions)
        self.table.most = 16
        self.ours, self.theirs = socket.socketpair()

    def open(self) -> int:
        """Ask for a session, while the consumer works."""
        outcome: list[int | WorkError] = []

        def ask() -> None:
            try:
                outcome.append(self.table.open("inbox", PROFILE, (), self.theirs.fileno(), interim=True))
            except WorkError as error:
                outcome.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while asking.is_alive():
            self.session.step()
            asking.join(0.01)
        if isinstance(outcome[0], WorkError):
            raise outcome[0]
        return outcome[0]

    @property
    def recogniser(self):  # noqa: ANN201 (what a test plays)
        """The newest one."""
        return self.started[-1]


@pytest.fixture
def room(tmp_path: Path) -> Iterator[LiveRoom]:
    """Return a room."""
    room = LiveRoom(tmp_path)
    yield room
    room.ours.close()
    room.theirs.close()


def open_files() -> int:
    """Return how many descriptors this process has."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208 (a count)


def test_recogniser_that_sleeps_is_loaded_and_stays_while_somebody_speaks(room: LiveRoom) -> None:
    """Also beyond the time after which an idle one is unloaded; after the last word it sleeps again."""
    before = open_files()
    number = room.open()
    assert open_files() == before
    assert [listen.session for listen in room.recogniser.listens] == [number]
    for _ in range(20):
        room.session.step()
        room.time.pass_s(600)
    assert room.recogniser.is_alive
    room.recogniser.said.append(protocol.Listened(number, 5000, 3))
    room.session.step()
    assert (room.session.state.live, room.session.state.live_ms) == ({}, 5000)
    for _ in range(4):
        room.session.step()
        room.time.pass_s(600)
    assert not room.recogniser.is_alive


def test_paused_queue_keeps_nobody_from_speaking(room: LiveRoom) -> None:
    """The queue waits, live captions do not."""
    room.way.settings.pause(True)
    room.way.put("a.wav", b"A")
    room.open()
    assert len(room.recogniser.listens) == 1
    room.run(steps=5)
    assert room.states() == {"a.wav": "queued"}


def test_one_more_than_may_be_is_refused(room: LiveRoom) -> None:
    """With the number in the sentence; when one ends there is room again."""
    numbers = [room.open() for _ in range(16)]
    assert len(set(numbers)) == 16
    with pytest.raises(LiveFullError, match="16"):
        room.open()
    room.recogniser.said.append(protocol.Listened(numbers[3], 0, 0))
    room.session.step()
    room.open()


def test_those_that_wait_for_the_model_count(room: LiveRoom) -> None:
    """A hundred who ask at once while it loads: sixteen are let in."""
    outcomes: list[object] = []

    def ask() -> None:
        try:
            outcomes.append(room.table.open("inbox", PROFILE, (), room.theirs.fileno(), interim=True))
        except WorkError as error:
            outcomes.append(error)

    asking = [threading.Thread(target=ask) for _ in range(100)]
    for each in asking:
        each.start()
    eventually(lambda: len(outcomes) == 84)
    assert all(isinstance(outcome, LiveFullError) for outcome in outcomes)
    room.session.step()
    for each in asking:
        each.join(10)
    assert sum(isinstance(outcome, int) for outcome in outcomes) == 16


def test_why_no_model_can_be_loaded_is_the_answer(room: LiveRoom) -> None:
    """The queue is not blocked by that, nor is the next who asks."""
    model = room.profiles.model_or_error
    room.profiles.model_or_error = ModelMissingError("the folder is empty")
    with pytest.raises(ModelMissingError, match="the folder is empty"):
        room.open()
    room.profiles.model_or_error = model
    room.open()


def test_killed_recogniser_takes_its_sessions_along(room: LiveRoom) -> None:
    """They are open no more, their recordings are tried again, and whoever asks has another recogniser."""
    room.open()
    room.way.put("a.wav", b"A")
    room.script = lambda *_: [RecogniserCrashedError("was killed")]
    room.session.step()
    room.session.step()
    assert room.session.state.live == {}
    room.open()
    assert len(room.started) == 2


def test_hung_recogniser_is_ended_though_nothing_is_in_work(room: LiveRoom) -> None:
    """A sentence that waits for stall_s ends it; hours of silence do not, nor one that is said at last."""
    room.open()
    first = room.recogniser
    for _ in range(10):
        room.session.step()
        room.time.pass_s(3600)
    first.said += [protocol.Waiting(), protocol.Listening(100, 12_000)]
    room.session.step()
    room.session.step()
    room.time.pass_s(3600)
    room.session.step()
    assert first.is_alive
    first.said.append(protocol.Waiting())
    room.session.step()
    for _ in range(40):
        first.said.append(protocol.Waiting())
        room.time.pass_s(10)
        if first.is_alive:
            room.session.step()
    assert not first.is_alive
    assert room.session.state.live == {}


def test_suspect_waits_while_somebody_speaks(room: LiveRoom) -> None:
    """What may bring the recogniser down is not begun beside it; others are, and it comes afterwards."""
    number = room.open()
    for name in ("suspect", "innocent"):
        room.way.put(f"{name}.wav", name.encode())
    room.way.jobs.fail(room.way.claim().id, RecogniserCrashedError(), at_once=True)
    room.run(steps=20)
    assert room.states() == {"suspect.wav": "queued", "innocent.wav": "done"}
    room.time.pass_s(3600)
    room.run(steps=20)
    assert room.states()["suspect.wav"] == "queued"
    room.recogniser.said.append(protocol.Listened(number, 0, 0))
    room.session.step()
    room.run()
    assert room.states()["suspect.wav"] == "done"


def test_end_of_the_daemon_answers_whoever_waits(room: LiveRoom) -> None:
    """And whoever asks later."""
    room.session.stop()
    room.session.run()
    with pytest.raises(WorkError, match="stopping"):
        room.table.open("inbox", PROFILE, (), room.theirs.fileno(), interim=True)
    with contextlib.closing(socket.socket(fileno=os.dup(room.theirs.fileno()))) as still:
        assert still.fileno() >= 0
