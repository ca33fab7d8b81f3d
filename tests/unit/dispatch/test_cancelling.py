"""Work that nobody waits for any more stops, and nobody else's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from room import Room, well
from way import PROFILE, segment

from asr_daemon.dispatch import protocol
from asr_daemon.errors import RecogniserCrashedError
from asr_daemon.inboxes.departures import Departures

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def room(tmp_path: Path) -> Room:
    """Return a room whose recogniser says nothing until the test lets it."""
    room = Room(tmp_path)
    room.script = lambda order, content: []
    return room


def departures(room: Room) -> Departures:
    """Return who notices what is gone."""
    way = room.way
    return Departures(way.history, way.arrivals, way.shares, room.time.clock, lambda: way.config)


def named(room: Room, name: str = "a.wav", content: bytes = b"A") -> Path:
    """Queue a file as the command line does."""
    found = room.way.candidate(name, content)
    room.way.arrivals.put("", found.look, content.hex() * 32, PROFILE, priority=-1)
    return found.path


def recording_states(room: Room) -> list[str]:
    """Return how each file stands."""
    rows = room.way.history.db.execute("SELECT state FROM recordings ORDER BY id")
    return [row["state"] for row in rows]


# ------------------------------------------------------------------ before its turn


def test_file_of_the_command_line_that_is_deleted_in_a_paused_queue_is_gone(room: Room) -> None:
    """The tick notices it: no job is left that would be tried for ever, no age that grows."""
    room.way.settings.pause(True)
    path = named(room)
    departures(room).look_at_command_line()
    assert recording_states(room) == ["waiting"]
    path.unlink()
    departures(room).look_at_command_line()
    assert recording_states(room) == ["gone"]
    assert room.way.job(1)["state"] == "withdrawn"
    assert room.way.jobs.is_empty()


@pytest.mark.parametrize("what", ["deleted", "changed"])
def test_file_of_the_command_line_that_is_not_what_was_hashed_is_gone_when_its_turn_comes(
    room: Room, what: str
) -> None:
    """No scan will find it anew: it is tried once, and not for ever."""
    path = named(room)
    path.unlink()
    if what == "changed":
        path.write_bytes(b"another content")
    room.run(steps=40, pause_s=10.0)
    assert recording_states(room) == ["gone"]
    assert room.way.job(1)["state"] == "withdrawn"
    assert room.way.jobs.is_empty()
    assert room.orders == []


def test_file_of_an_inbox_that_is_deleted_is_gone_when_its_turn_comes(room: Room) -> None:
    """Before any scan has noticed."""
    room.way.put("a.wav", b"A")
    (room.way.inbox / "a.wav").unlink()
    room.run(steps=40, pause_s=10.0)
    assert recording_states(room) == ["gone"]
    assert room.way.jobs.is_empty()


def test_one_of_two_files_that_is_gone_leaves_the_other_to_be_opened(room: Room) -> None:
    """The first copy cannot be had: the second is recognised, and gets its transcript."""
    room.script = well
    room.way.put("a.wav", b"A")
    room.way.put("b.wav", b"A")
    (room.way.inbox / "a.wav").unlink()
    room.run()
    assert recording_states(room) == ["gone", "done"]
    assert not (room.way.inbox / "a.txt").exists()
    assert (room.way.inbox / "b.txt").exists()


# ------------------------------------------------------------------ in mid-recording


def begin_two(room: Room) -> None:
    """Have two recordings in work, one segment of the first recognised."""
    room.way.put("long.wav", b"L")
    room.way.put("short.wav", b"S")
    room.session.step()
    room.started[0].said.append(protocol.Recognised(1, (segment(0, "L0"),)))
    room.session.step()
    assert set(room.session.state.in_work) == {1, 2}


@pytest.mark.parametrize("how", ["deleted", "cancelled"])
def test_recording_in_work_that_nobody_waits_for_stops_with_the_next_step(room: Room, how: str) -> None:
    """The recogniser is told, it is not lost; what is beside it goes on, and nothing more is written."""
    begin_two(room)
    if how == "deleted":
        (room.way.inbox / "long.wav").unlink()
        departures(room).look("inbox", lambda _path: None)
    else:
        room.way.arrivals.cancel(1)
    room.session.step()
    (child,) = room.started
    assert child.cancelled == [1]
    assert child.is_alive
    assert set(room.session.state.in_work) == {2}
    assert (room.way.job(1)["state"], room.way.job(1)["claimed_by"]) == ("withdrawn", None)
    assert room.way.job(1)["attempts"] == 0
    child.said += [protocol.Recognised(1, (segment(1, "late"),)), protocol.Finished(1, 2000, 2)]
    child.said += well(room.orders[1], b"S")
    room.run()
    assert room.way.job(1)["state"] == "withdrawn"
    assert [row["text"] for row in room.way.history.all("job_segments", job=1)] == ["L0"]
    assert not (room.way.inbox / "long.txt").exists()
    assert (room.way.inbox / "short.txt").exists()
    assert room.session.state.restarts == 0


def test_cancelled_in_mid_recording_goes_on_from_what_was_recognised(room: Room) -> None:
    """`retry` takes it up where it was left, and the transcript is whole."""
    begin_two(room)
    room.way.arrivals.cancel(1)
    room.started[0].said += well(room.orders[1], b"S")
    room.run()
    room.script = well
    room.way.arrivals.retry(1)
    room.run()
    assert room.orders[-1].done == ((0, 0, 1000),)
    assert "L0 L1" in (room.way.inbox / "long.txt").read_text(encoding="utf-8")
    assert recording_states(room) == ["done", "done"]


def test_late_words_about_a_cancelled_order_are_not_taken_for_the_next_of_the_same_job(room: Room) -> None:
    """Cancelled and wanted again at once: what was still on its way of the first does not end the second."""
    begin_two(room)
    room.way.arrivals.cancel(1)
    room.session.step()
    room.way.arrivals.retry(1)
    child = room.started[0]
    room.script = lambda _order, _content: []
    room.session.step()
    assert [order.job for order in room.orders] == [1, 2, 1]
    child.said += [protocol.Recognised(1, (segment(1, "late"),)), protocol.Failed(1, "not_decodable", "late")]
    child.said += [*well(room.orders[1], b"S"), *well(room.orders[2], b"L")]
    room.run()
    assert recording_states(room) == ["done", "done"]
    assert "L0 L1" in (room.way.inbox / "long.txt").read_text(encoding="utf-8")
    assert room.way.job(1)["strikes"] == 0


def test_one_of_two_files_of_a_job_in_work_goes_and_it_goes_on(room: Room) -> None:
    """Somebody still waits."""
    room.way.put("a.wav", b"A")
    room.way.put("b.wav", b"A")
    room.session.step()
    (room.way.inbox / "a.wav").unlink()
    departures(room).look("inbox", lambda _path: None)
    room.session.step()
    assert room.started[0].cancelled == []
    room.started[0].said += well(room.orders[0], b"A")
    room.run()
    assert recording_states(room) == ["gone", "done"]


def test_crash_after_a_cancel_blames_those_that_are_in_work_alone(room: Room) -> None:
    """What was cancelled is not tried again, nor suspected."""
    begin_two(room)
    room.way.arrivals.cancel(1)
    room.session.step()
    room.started[0].said.append(RecogniserCrashedError())
    room.script = well
    room.run(steps=40, pause_s=20.0)
    assert (room.way.job(1)["state"], room.way.job(1)["is_suspect"]) == ("withdrawn", 0)
    assert recording_states(room) == ["cancelled", "done"]


def test_cancelled_job_that_had_the_recogniser_to_itself_makes_room(room: Room) -> None:
    """The next one is begun in the same step's wake, with the same recogniser."""
    room.way.put("long.wav", b"L")
    room.session.step()
    room.way.put("short.wav", b"S")
    room.script = well
    room.way.arrivals.cancel(1)
    room.run()
    assert [order.job for order in room.orders] == [1, 2]
    assert len(room.started) == 1
    assert (room.way.inbox / "short.txt").exists()
