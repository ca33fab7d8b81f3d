"""Files that were sent to be transcribed: kept until their text is there, and as long as configured."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from way import OpenDaemon

from asr_daemon.config_sections import GatewaySection
from asr_daemon.control.kept_uploads import FOLDER, KeptUploads
from asr_daemon.errors import DiskFullError, EmptyFileError, NotDecodableError
from asr_daemon.history.recordings import COMMAND_LINE
from asr_daemon.inboxes.candidate import candidate_of

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HOUR_S = 3600.0


class Keeping(OpenDaemon):
    """A daemon, and what it keeps of uploads."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.kept = KeptUploads(self.daemon.parts)
        self.uploads = self.config.state_dir / FOLDER

    def take(self, content: bytes, name: str = "会议.wav", owner: str = "程序") -> Path:
        """Take a file as it comes from the gateway."""
        source = self.config.state_dir / "source"
        source.write_bytes(content)
        descriptor = os.open(source, os.O_RDONLY)
        try:
            return self.kept.take(descriptor, name, owner, self.daemon.parts.profiles.profile(COMMAND_LINE))
        finally:
            os.close(descriptor)

    def queue(self, path: Path) -> int:
        """Queue it; return its job."""
        profile = self.daemon.parts.profiles.profile(COMMAND_LINE)
        look = candidate_of(path, path.stat()).look
        return self.daemon.parts.arrivals.put(COMMAND_LINE, look, "a" * 64, profile).job


@pytest.fixture
def keeping(tmp_path: Path) -> Iterator[Keeping]:
    """Return an open daemon."""
    keeping = Keeping(tmp_path)
    yield keeping
    keeping.close()


def test_same_content_of_the_same_owner_lies_at_the_same_place(keeping: Keeping) -> None:
    """A second try finds the first; another owner's, and another content, are apart."""
    first = keeping.take(b"sound")
    assert first.read_bytes() == b"sound"
    assert first.parent.stat().st_mode & 0o77 == 0
    assert keeping.take(b"sound") == first
    assert keeping.take(b"other") != first
    assert keeping.take(b"sound", owner="others") != first
    assert first.name == "会议.wav"


@pytest.mark.parametrize(
    "name", ["../../etc/passwd", "a/b.wav", "..", ".", "x" * 400 + ".wav", "\x00\n.wav", "wav"]
)
def test_name_leads_nowhere_else(keeping: Keeping, name: str) -> None:
    """Whatever a program calls its file, it lies in its own folder."""
    path = keeping.take(b"sound", name=name)
    assert path.parent.parent == keeping.uploads
    assert path.read_bytes() == b"sound"


def test_it_is_kept_while_somebody_waits_and_goes_when_nobody_does(keeping: Keeping) -> None:
    """Without a [gateway] there is nothing to wait for once its work is over."""
    path = keeping.take(b"sound")
    job = keeping.queue(path)
    keeping.kept.sweep()
    assert path.exists()
    parts = keeping.daemon.parts
    (filed,) = parts.deliverer._recordings.waiting_for(job)
    parts.arrivals.cancel(filed.id)
    keeping.kept.look(path)
    assert not path.exists()
    assert not path.parent.exists()


def test_it_is_kept_for_as_long_as_configured(keeping: Keeping) -> None:
    """`keep_uploads_h`, from when nobody needed it any more."""
    parts = keeping.daemon.parts
    section = GatewaySection(keep_uploads_h=2.0)
    parts.configuration.now = parts.config.model_copy(update={"gateway": section})
    path = keeping.take(b"sound")
    now_s = parts.clock.now().timestamp()
    os.utime(path, (now_s, now_s))
    job = keeping.queue(path)
    (recording,) = parts.deliverer._recordings.waiting_for(job)
    parts.arrivals.cancel(recording.id)
    keeping.time.pass_s(1.9 * HOUR_S)
    keeping.kept.sweep()
    assert path.exists()
    keeping.time.pass_s(0.2 * HOUR_S)
    keeping.kept.sweep()
    assert not path.exists()


def test_file_that_was_never_queued_goes_after_an_hour(keeping: Keeping) -> None:
    """The daemon was killed in between: nobody asks for it."""
    path = keeping.take(b"sound")
    keeping.kept.sweep()
    assert path.exists()
    before = path.stat().st_mtime - 2 * HOUR_S
    os.utime(path, (before, before))
    keeping.kept.sweep()
    assert not path.exists()
    keeping.kept.sweep()
    assert [*keeping.uploads.iterdir()] == []


def test_what_cannot_be_kept_is_refused(keeping: Keeping, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing in it, no file at all, or no room for it beside the history."""
    with pytest.raises(EmptyFileError):
        keeping.take(b"")
    reading, writing = os.pipe()
    profile = keeping.daemon.parts.profiles.profile(COMMAND_LINE)
    with pytest.raises(NotDecodableError):
        keeping.kept.take(reading, "a.wav", "a", profile)
    os.close(reading)
    os.close(writing)
    monkeypatch.setattr("asr_daemon.control.kept_uploads.SPARE_BYTES", 1 << 62)
    with pytest.raises(DiskFullError):
        keeping.take(b"sound")
