"""Which job is taken next: long recordings leave places to short ones; what cannot begin is left alone."""

from __future__ import annotations

import hashlib
import itertools
import os
from typing import TYPE_CHECKING

import pytest
from room import Room, Scripted, well
from way import PROFILE

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.claims import PLACES
from asr_daemon.dispatch.in_work import Phase
from asr_daemon.dispatch.pause import AGAIN_S
from asr_daemon.errors import HistoryFullError, RecogniserCrashedError
from asr_daemon.inboxes.candidate import Candidate

if TYPE_CHECKING:
    from pathlib import Path

SMALL, MIDDLE, LARGE = 1 << 20, 32 << 20, 1 << 30


class Places(Room):
    """A recogniser that takes and finishes nothing."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.script = lambda _order, _content: []

    def put(self, name: str, size_bytes: int, inbox: str = "inbox", priority: int = 0) -> None:
        """Queue a file of that size; nothing of it is on the disk."""
        path = self.way.inbox / name
        path.touch()
        os.truncate(path, size_bytes)
        found = path.lstat()
        candidate = Candidate(path, found.st_size, found.st_mtime_ns, found.st_ino, found.st_dev)
        sha256 = hashlib.sha256(name.encode()).hexdigest()
        self.way.arrivals.put(inbox, candidate.look, sha256, PROFILE, priority=priority)

    def taken(self) -> list[str]:
        """Let it take what it may; return the names."""
        self.session.step()
        return [work.name for work in self.session.state.in_work.values()]


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Return a room with an inbox."""
    return Room(tmp_path)


@pytest.fixture
def places(tmp_path: Path) -> Places:
    """Return the room."""
    return Places(tmp_path)


def test_long_recordings_leave_places_to_short_ones(places: Places) -> None:
    """Ten of a gigabyte take four places; those of half an hour the next four; the last are for calls."""
    for kind, size_bytes in (("large", LARGE), ("middle", MIDDLE), ("small", SMALL)):
        for number in range(10):
            places.put(f"{kind}-{number}", size_bytes)
        taken = places.taken()
    assert [sum(name.startswith(kind) for name in taken) for kind in ("large", "middle", "small")] == [
        4,
        4,
        4,
    ]


def test_short_ones_leave_the_turn_to_a_long_one(places: Places) -> None:
    """Where calls have taken every place, the next that is free is the lecture's whose turn it is."""
    for number in range(12):
        places.put(f"small-{number}", SMALL)
    assert len(places.taken()) == 12
    places.put("large", LARGE)
    places.time.pass_s(1e6)  # its turn, whatever comes
    for number in range(12, 20):
        places.put(f"small-{number}", SMALL)
    assert "large" not in places.taken()
    places.started[0].said += [protocol.Finished(1, 1000, 0)]
    places.session.step()
    assert "large" in places.taken()


def test_call_of_another_inbox_does_not_wait_for_a_place(places: Places) -> None:
    """Neither does its lecture, nor who waits at a screen; but four more places are all that there are."""
    for number in range(20):
        places.put(f"large-{number}", LARGE)
        places.put(f"small-{number}", SMALL)
    assert len(places.taken()) == 12
    places.put("their lecture", LARGE, "lectures")
    places.put("their call", SMALL, "calls")
    places.put("their second call", SMALL, "calls")
    assert places.taken()[12:] == ["their call", "their lecture"]
    for number in range(3):
        places.put(f"upload-{number}", SMALL, priority=-1)
    assert places.taken()[14:] == ["upload-0", "upload-1"]


def test_the_size_that_a_place_allows_is_its_own_bound(places: Places) -> None:
    """A file of exactly that many bytes fits; one byte more waits for another place."""
    (any_size, most_bytes), *_ = PLACES
    for number in range(any_size):
        places.put(f"large-{number}", LARGE)
    places.taken()
    places.put("above", most_bytes + 1)
    places.put("at it", most_bytes)
    assert places.taken()[any_size:] == ["at it"]


def test_short_one_that_comes_later_is_begun_beside_long_ones(places: Places) -> None:
    """It does not wait for the end of any."""
    for number in range(6):
        places.put(f"large-{number}", LARGE)
    assert len(places.taken()) == 4
    places.put("call", SMALL)
    assert places.taken()[-1] == "call"


def test_inbox_whose_share_is_gone_is_asked_again_only_later(tmp_path: Path) -> None:
    """Its jobs stay queued, no attempt is spent, and none is opened meanwhile."""
    room = Room(tmp_path)
    room.way.put("a.wav", b"A")
    aside = tmp_path / "aside"
    room.way.inbox.rename(aside)
    room.session.step()
    assert room.opener.away() == ["inbox"]
    aside.rename(room.way.inbox)
    room.session.step()
    assert room.orders == []
    assert room.way.job(1)["attempts"] == 0
    room.run(steps=80, pause_s=1.0)
    assert room.states() == {"a.wav": "done"}


def test_places_are_kept_as_soon_as_they_are_found(places: Places) -> None:
    """How much there is to do is known, and shown, before any of it is recognised."""
    places.put("a.wav", SMALL)
    places.taken()
    places.started[0].said.append(protocol.Segmented(1, ((0, 0, 1000), (1, 1500, 2500))))
    places.session.step()
    rows = places.way.history.db.execute("SELECT number, start_ms, end_ms, raw_text FROM segments")
    assert [tuple(row) for row in rows] == [(0, 0, 1000, None), (1, 1500, 2500, None)]


def test_only_what_is_given_up_is_described(tmp_path: Path) -> None:
    """A recording that is tried again costs no reading of it; a quarantined one keeps what it looks like."""
    described: list[int] = []
    room = Room(tmp_path)
    room.around = room.around.__class__(
        **{name: getattr(room.around, name) for name in room.around.__slots__ if name != "describe"},
        describe=lambda fd: described.append(fd) or "RIFF 44 kHz",  # type: ignore[func-returns-value]
    )
    room.session = room.begin_session("cpu")
    room.script = lambda _order, _content: [RecogniserCrashedError()]
    room.way.put("a.wav", b"A")
    room.session.step()
    room.session.step()
    assert room.way.job(1)["state"] == "queued"
    assert described == []
    room.run(steps=60, pause_s=60.0)
    assert room.way.job(1)["state"] == "quarantined"
    assert len(described) == 1
    *_, last = room.way.history.all("attempts_of_job", job=1)
    assert "RIFF 44 kHz" in last["evidence"]


def test_history_that_could_not_be_written_is_left_alone_for_a_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A full disk is not asked ten times a second."""
    room = Room(tmp_path)
    room.way.put("a.wav", b"A")
    moments: list[float] = []

    def full(*_: object, **__: object) -> None:
        moments.append(room.time.clock.monotonic_s())
        raise HistoryFullError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(room.way.jobs, "claim", full)
        for _ in range(50):
            room.session.step()
            room.time.pass_s(0.1)
    assert len(moments) >= 2
    assert min(later - earlier for earlier, later in itertools.pairwise(moments)) >= AGAIN_S
    room.run(steps=20, pause_s=1.0)
    assert room.states() == {"a.wav": "done"}


def test_two_in_work_when_a_recogniser_is_lost_are_tried_again_at_once(room: Room) -> None:
    """Neither waits as a guilty one does: which it was is found by trying each alone."""
    room.script = lambda _order, _content: []
    room.way.put("a.wav", b"A")
    room.way.put("b.wav", b"B")
    room.session.step()
    room.started[0].said.append(RecogniserCrashedError())
    room.session.step()
    room.session.step()
    rows = room.way.history.db.execute("SELECT is_suspect, not_before FROM jobs").fetchall()
    assert [row["is_suspect"] for row in rows] == [1, 1]
    assert all(row["not_before"] is None or row["not_before"] <= room.time.clock.stamp() for row in rows)
    assert [work.name for work in room.session.state.in_work.values()] == ["a.wav"]


def test_one_alone_that_lost_its_recogniser_waits(room: Room) -> None:
    """It is the one that did it, and others go first."""
    room.script = lambda _order, _content: []
    room.way.put("a.wav", b"A")
    room.session.step()
    room.started[0].said.append(RecogniserCrashedError())
    room.session.step()
    room.session.step()
    assert not room.session.state.in_work
    (row,) = room.way.history.db.execute("SELECT not_before FROM jobs").fetchall()
    assert row["not_before"] > room.time.clock.stamp()


def test_loading_is_shown_while_it_lasts(room: Room) -> None:
    """The first recording after a pause waits for the model: `status` says for what."""
    seen: list[Phase] = []
    start = room.start

    def seen_start(setup: protocol.Setup) -> Scripted:
        seen.append(room.session.state.phase)
        return start(setup)

    room.start = seen_start  # type: ignore[method-assign]
    room.script = well
    room.way.put("a.wav", b"A")
    room.session.step()
    assert seen == [Phase.LOADING]
    room.run()
    room.session.step()
    assert room.session.state.phase is Phase.IDLE
