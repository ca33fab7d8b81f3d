"""What goes to the archive and when, and what a kill left there."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from structlog.testing import capture_logs
from way import Way

from asr_daemon.delivery.archiver import SWEEP_S, Archiver
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.files.temporary import new_temporary_name
from asr_daemon.history.reading import Which, newest

if TYPE_CHECKING:
    from pathlib import Path


def finish(way: Way, deliverer: Deliverer, name: str) -> None:
    """Bring a recording to the point where it is due for the archive."""
    recording = way.put(name, name.encode())
    way.finish(way.claim().id, "你好")
    assert deliverer.deliver(recording)


def test_half_copy_that_a_kill_left_in_the_archive_is_removed(tmp_path: Path) -> None:
    """No inbox's scan comes there; it may be as large as the recording."""
    (tmp_path / "archive").mkdir()
    way = Way(tmp_path, archive=tmp_path / "archive")
    way.time.wall = datetime.now(timezone.utc)  # the files' times are the kernel's
    deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
    archiver = Archiver(way.config, way.history, way.time.clock, way.shares, lambda _inbox, _path: None)
    finish(way, deliverer, "a.wav")
    assert archiver.archive_all() == 1
    (place,) = (tmp_path / "archive").rglob("a.wav")
    left = place.with_name(new_temporary_name())
    left.write_bytes(b"half")
    way.time.pass_s(SWEEP_S)
    finish(way, deliverer, "b.wav")
    assert archiver.archive_all() == 1
    assert {path.name for path in place.parent.iterdir()} == {"a.wav", "a.txt", "b.wav", "b.txt"}


def test_the_history_says_where_in_the_archive_it_lies(tmp_path: Path) -> None:
    """Its path is the one that it has now, also for the next recording of that name; a retry names it."""
    (tmp_path / "archive").mkdir()
    way = Way(tmp_path, archive=tmp_path / "archive")
    way.time.wall = datetime.now(timezone.utc)
    deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
    archiver = Archiver(way.config, way.history, way.time.clock, way.shares, lambda _inbox, _path: None)
    with capture_logs() as records:
        for content in (b"first", b"second"):
            recording = way.put("a.wav", content)
            way.finish(way.claim().id, "你好")
            assert deliverer.deliver(recording)
            assert archiver.archive_all() == 1
    entries = newest(way.history, Which(), limit=10)
    assert [entry.path.read_bytes() for entry in entries] == [b"second", b"first"]
    assert {entry.state for entry in entries} == {"done"}
    told = [record for record in records if record["event"] == "recording_archived"]
    assert [record["folder"] for record in told] == [str(entries[0].path.parent)] * 2
    assert {record["file"] for record in told} == {"a.wav"}


def test_a_twin_that_is_transcribed_again_leaves_the_archive_alone(tmp_path: Path) -> None:
    """What lies in the archive waits for nothing any more."""
    (tmp_path / "archive").mkdir()
    way = Way(tmp_path, archive=tmp_path / "archive")
    deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
    archiver = Archiver(way.config, way.history, way.time.clock, way.shares, lambda _inbox, _path: None)
    recording = way.put("a.wav", b"same")
    way.finish(way.claim().id, "你好")
    deliverer.deliver(recording)
    archiver.archive_all()
    twin = way.put("b.wav", b"same")
    deliverer.deliver(twin)
    way.arrivals.retry(twin)
    assert way.recording(recording)["state"] == "done"
    assert way.recording(twin)["state"] == "waiting"
