"""Files that their names do not tell are looked into: recordings are taken, the others counted."""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

import pytest
import structlog
from voices import ffmpeg, voice, write_wave
from way import OpenDaemon

from asr_daemon.control.status import collect
from asr_daemon.inboxes import admission, fingerprint
from asr_daemon.inboxes.lane import Order
from asr_daemon.views.console import console
from asr_daemon.views.status import status_view
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TYPESCRIPT = b"import { x } from 'y';\nexport const z = x;\n" * 200


class Looking(OpenDaemon):
    """A daemon whose intake is turned by hand; ``opened`` names what was opened."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        super().__init__(folder)
        self.opened: list[str] = []
        real = fingerprint.open_recording

        def open_recording(path: Path, root: Path) -> int:
            self.opened.append(path.name)
            assert not self.parts.intake._lock.locked()
            return real(path, root)

        monkeypatch.setattr(admission, "open_recording", open_recording)
        section = self.config.inbox[0].model_copy(update={"watch": "polling"})
        self.config = self.config.model_copy(update={"inbox": (section,)})
        self.parts.reload(self.config)
        self.look()

    def look(self) -> list[str]:
        """Scan, let everything settle, take it in; return what was logged."""
        with structlog.testing.capture_logs() as logs:
            for _ in range(2):
                self.parts.intake.wake("inbox", None)
                self.parts.intake.step(0.0)
                self.time.pass_s(60.0)
        return [entry["event"] for entry in logs]

    def queued(self) -> list[str]:
        """Return the files that wait."""
        rows = self.history.db.execute("SELECT name FROM recordings WHERE state = 'waiting' ORDER BY name")
        return [row["name"] for row in rows]

    @property
    def ignored(self) -> int:
        """As `status` counts it."""
        return len(self.parts.intake.inboxes["inbox"].ignored)


@pytest.fixture
def looking(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Looking]:
    """Return the daemon, with nothing in its inbox."""
    looking = Looking(tmp_path, monkeypatch)
    yield looking
    looking.close()


@pytest.fixture
def sound(tmp_path: Path) -> dict[str, bytes]:
    """Return a recording in several formats."""
    source = write_wave(tmp_path / "s.wav", voice(seconds=2))
    made = {}
    for suffix in ("m4a", "mp3", "ts", "wav", "aac"):
        ffmpeg("-i", source, tmp_path / f"made.{suffix}")
        made[suffix] = (tmp_path / f"made.{suffix}").read_bytes()
    return made


def test_recordings_are_taken_whatever_they_are_called(looking: Looking, sound: dict[str, bytes]) -> None:
    """No extension, one of nobody's, one that means several things: the content tells."""
    names = {"REC0001": "wav", "会议.录音": "m4a", "a.dat": "mp3", "b.bin": "aac", "c.ts": "ts", "wav": "wav"}
    for name, kind in names.items():
        (looking.inbox / name).write_bytes(sound[kind])
    (looking.inbox / "cut.ts").write_bytes(sound["ts"][100:])  # begins within a packet
    looking.look()
    assert looking.queued() == sorted([*names, "cut.ts"])
    assert looking.ignored == 0


def test_what_is_no_recording_is_counted_and_named(looking: Looking, sound: dict[str, bytes]) -> None:
    """In `status`, as text and as JSON, and in the log; nothing is written beside it."""
    (looking.inbox / "app.ts").write_bytes(TYPESCRIPT)
    (looking.inbox / "photo.heic").write_bytes(b"\0\0\0\x24ftypheic" + b"\0" * 500)
    (looking.inbox / "README").write_bytes("The free 录音 of MAC addresses\n".encode() * 9)
    (looking.inbox / "empty").touch()
    (looking.inbox / "notes.txt").write_bytes(b"x")
    (looking.inbox / "sure.mp3").write_bytes(sound["mp3"])
    logs = looking.look()
    assert looking.queued() == ["sure.mp3"]
    assert looking.ignored == 4
    assert logs.count("file_ignored") == 4
    assert len(list(looking.inbox.iterdir())) == 6
    server = looking.serve()
    try:
        told = collect(looking.config)
    finally:
        server.close()
    assert told["inboxes"][0]["ignored"] == 4
    terminal = console()
    with terminal.capture() as shown:
        terminal.print(status_view(told))
    assert "ignored" in shown.get()


def test_each_is_looked_into_once_until_it_changes(looking: Looking, sound: dict[str, bytes]) -> None:
    """A rescan opens nothing; what is put in its place, or its rights, ask for another look."""
    path = looking.inbox / "a.dat"
    path.write_bytes(b"\1" * 5000)
    looking.look()
    looking.look()
    assert looking.opened == ["a.dat"]
    stamp = path.stat().st_mtime_ns
    path.write_bytes(sound["wav"][:5000])  # as large, and said to be as old
    os.utime(path, ns=(stamp, stamp))
    looking.look()
    assert looking.queued() == ["a.dat"]
    assert looking.ignored == 0
    path.write_bytes(b"\1" * 5000)
    looking.look()
    assert looking.queued() == [], "nobody waits for what lies there no more"
    path.unlink()
    looking.look()
    assert looking.ignored == 0


def test_what_is_closed_to_the_service_gets_no_failure_file(
    looking: Looking, sound: dict[str, bytes]
) -> None:
    """Nobody said that it was a recording; once it may be read, it is looked into."""
    if os.geteuid() == 0:
        pytest.skip("root reads everything")
    path = looking.inbox / "a.dat"
    path.write_bytes(sound["wav"])
    path.chmod(0)
    looking.look()
    assert [found.name for found in looking.inbox.iterdir()] == ["a.dat"]
    assert looking.ignored == 1
    path.chmod(0o644)
    looking.look()
    assert looking.queued() == ["a.dat"]


def test_links_pipes_and_half_written_files_are_not_opened(looking: Looking, tmp_path: Path) -> None:
    """Nor what this program writes itself, nor what a NAS keeps for itself."""
    secret = tmp_path / "secret"
    secret.write_bytes(b"x")
    (looking.inbox / "link").symlink_to(secret)
    os.mkfifo(looking.inbox / "pipe")
    for name in ("a.part", "b.crdownload", "c.json", "d.docx", "Thumbs.db", "desktop.ini", "~$x", ".hidden"):
        (looking.inbox / name).write_bytes(b"x")
    looking.look()
    assert looking.opened == []
    assert looking.ignored == 0


def test_link_put_in_its_place_after_it_settled_is_not_followed(
    looking: Looking, tmp_path: Path, sound: dict[str, bytes]
) -> None:
    """The share's writer may swap it at any moment."""
    secret = tmp_path / "secret"
    secret.write_bytes(sound["wav"])
    path = looking.inbox / "a.dat"
    path.write_bytes(b"x")
    looking.parts.intake.wake("inbox", None)
    looking.parts.intake.step(0.0)
    (candidate,) = [waiting.candidate for waiting in looking.parts.intake._settler._waiting.values()]
    path.unlink()
    path.symlink_to(secret)
    looking.parts.intake.reader.put("inbox", Order(candidate))
    looking.parts.intake.step(0.0)
    assert looking.opened == ["a.dat"]
    assert looking.queued() == []


def test_recordings_go_before_what_may_be_none(
    looking: Looking, sound: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thousand files on a slow share hold no recording up: they are looked into by and by."""
    looking.parts.intake.reader.run_beside()
    real = admission.read_head
    looks, goes_on = threading.Event(), threading.Semaphore(0)

    def slowly(descriptor: int) -> bytes:
        looks.set()
        assert goes_on.acquire(timeout=30)
        return real(descriptor)

    def settle(name: str | None) -> None:
        intake.wake("inbox", None if name is None else looking.inbox / name)
        intake.step(0.0)
        looking.time.pass_s(60.0)
        intake.step(0.0)

    monkeypatch.setattr(admission, "read_head", slowly)
    intake = looking.parts.intake
    for number in range(30):
        (looking.inbox / f"{number}.xyz").write_bytes(b"x")
    settle(None)
    assert looks.wait(30)
    (looking.inbox / "z.wav").write_bytes(sound["wav"])
    settle("z.wav")
    goes_on.release(2)
    eventually(lambda: intake.step(0.01) or looking.queued() == ["z.wav"], what="the recording")
    assert len(looking.opened) <= 4
    goes_on.release(30)
    eventually(lambda: intake.step(0.01) or looking.ignored == 30, what="the others")


def test_reading_a_head_costs_a_head(looking: Looking) -> None:
    """A sparse file of 4 TB is no recording as soon as any other."""
    with (looking.inbox / "disk.img").open("wb") as file:
        file.truncate(4 << 40)
    began_s = time.monotonic()
    looking.look()
    assert looking.ignored == 1
    assert time.monotonic() - began_s < 2
