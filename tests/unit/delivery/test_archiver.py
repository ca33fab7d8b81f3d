"""What goes to the archive and when, and what a kill left there."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import TYPE_CHECKING

from way import Way

from asr_daemon.delivery.archiver import SWEEP_S, Archiver
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.files.temporary import new_temporary_name

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
    deliverer = Deliverer(way.config, way.history, way.time.clock)
    archiver = Archiver(
        way.config, way.history, way.time.clock, deliverer.require_inbox, lambda _inbox, _path: None
    )
    finish(way, deliverer, "a.wav")
    assert archiver.archive_all() == 1
    (place,) = (tmp_path / "archive").rglob("a.wav")
    left = place.with_name(new_temporary_name())
    left.write_bytes(b"half")
    way.time.pass_s(SWEEP_S)
    finish(way, deliverer, "b.wav")
    assert archiver.archive_all() == 1
    assert {path.name for path in place.parent.iterdir()} == {"a.wav", "a.txt", "b.wav", "b.txt"}
