"""Moving what is finished: nothing lost, nothing doubled, nothing overwritten, whatever breaks in between."""

from __future__ import annotations

import errno
import os
import subprocess
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from asr_daemon.delivery import moving as archive_module
from asr_daemon.delivery.moving import archive
from asr_daemon.errors import DiskFullError, InboxGoneError, RecordingGoneError, WriteFailedError
from asr_daemon.files import syscalls
from asr_daemon.files.temporary import is_stale_temporary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

WHEN = datetime(2026, 3, 15, 9, 30, tzinfo=timezone.utc)
OTHER_FS = Path("/dev/shm")  # noqa: S108 (a second file system, where there is one)


@dataclass
class Place:
    """An inbox and its archive."""

    inbox: Path
    root: Path

    @property
    def month(self) -> Path:
        """Where the archive keeps March."""
        return self.root / "finance" / "2026" / "03"

    def record(self, content: str, name: str = "a.wav", stem: str = "a") -> tuple[Path, list[Path]]:
        """Put a recording and its outputs into the inbox."""
        recording = self.inbox / name
        recording.write_text(content)
        outputs = [self.inbox / f"{stem}{suffix}" for suffix in (".txt", ".srt")]
        for output in outputs:
            output.write_text(f"{content} {output.suffix}")
        return recording, outputs

    def move(self, recording: Path, outputs: list[Path]) -> list[str]:
        """Archive them and return where they lie now, below the month."""
        moved = archive(recording, outputs, self.root, "finance", WHEN, root=self.inbox)
        return [str(path.relative_to(self.month)) for path in moved.values()]

    def kept(self) -> dict[str, str]:
        """Return the archive's files."""
        return {path.name: path.read_text() for path in self.root.rglob("*") if path.is_file()}


@pytest.fixture(params=["same file system", "another file system"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Place]:
    """Return an inbox with its archive beside it, and with one on another file system."""
    inbox = tmp_path / "in"
    inbox.mkdir()
    if request.param == "same file system":
        (tmp_path / "archive").mkdir()
        yield Place(inbox, tmp_path / "archive")
        return
    if not OTHER_FS.is_dir() or OTHER_FS.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("no second file system")
    root = Path(subprocess.check_output(["mktemp", "-d", "-p", OTHER_FS], text=True).strip())
    yield Place(inbox, root)
    subprocess.run(["rm", "-rf", root], check=True)


def test_all_of_a_recording_moves_to_its_month(place: Place) -> None:
    """Recording and outputs go, with the recording's time and rights; the inbox is empty."""
    recording, outputs = place.record("sound")
    os.utime(recording, ns=(1, 1_700_000_000_123_456_789))
    recording.chmod(0o640)
    assert place.move(recording, outputs) == ["a.txt", "a.srt", "a.wav"]
    assert place.kept() == {"a.wav": "sound", "a.txt": "sound .txt", "a.srt": "sound .srt"}
    assert list(place.inbox.iterdir()) == []
    found = (place.month / "a.wav").stat()
    assert (found.st_mtime_ns, found.st_mode & 0o777) == (1_700_000_000_123_456_789, 0o640)


def test_the_second_of_a_name_is_kept_beside_the_first(place: Place) -> None:
    """Another recording of the same name in the same month gets a number, with its outputs."""
    for content in ("one", "two", "three"):
        place.move(*place.record(content))
    assert place.kept() == {
        "a.wav": "one",
        "a.txt": "one .txt",
        "a.srt": "one .srt",
        "a (2).wav": "two",
        "a (2).txt": "two .txt",
        "a (2).srt": "two .srt",
        "a (3).wav": "three",
        "a (3).txt": "three .txt",
        "a (3).srt": "three .srt",
    }


def test_strange_names_are_archived(place: Place) -> None:
    """Newlines, 255 bytes and invalid UTF-8 move as they are; a number finds room by a hash."""
    for raw in (b"a\nb.wav", b"\xff.wav", b"x" * 251 + b".wav", "录".encode() * 83 + b"ab.wav"):
        for content in ("one", "two"):
            recording = place.inbox / os.fsdecode(raw)
            recording.write_text(content)
            (name,) = place.move(recording, [])
            assert (place.month / name).read_text() == content
            assert len(os.fsencode(name)) <= 255


def test_an_output_that_is_gone_is_passed_over(place: Place) -> None:
    """A transcript that someone took away does not hold up the rest."""
    recording, outputs = place.record("sound")
    outputs[0].unlink()
    assert place.move(recording, outputs) == ["a.srt", "a.wav"]


def test_inbox_names_cannot_lead_out(place: Place) -> None:
    """An inbox called ``..`` has a folder of its own in the archive."""
    recording, _ = place.record("sound")
    moved = archive(recording, [], place.root, "..", WHEN)[recording]
    assert moved == place.root / "_.." / "2026" / "03" / "a.wav"


def test_a_missing_archive_is_never_created(place: Place) -> None:
    """Where the archive's share is not mounted, its mount point is not filled."""
    recording, outputs = place.record("sound")
    with pytest.raises(InboxGoneError, match="archive folder"):
        archive(recording, outputs, place.root / "absent", "finance", WHEN)
    assert recording.exists()
    assert not (place.root / "absent").exists()


def test_a_recording_that_is_gone_is_said_so(place: Place) -> None:
    """Neither here nor there: that is no success."""
    with pytest.raises(RecordingGoneError):
        place.move(place.inbox / "a.wav", [])


def test_a_link_is_not_archived(place: Place, tmp_path: Path) -> None:
    """A link that took the recording's place does not bring what it points to into the archive."""
    (tmp_path / "secret").write_text("secret")
    recording = place.inbox / "a.wav"
    recording.symlink_to(tmp_path / "secret")
    with pytest.raises(RecordingGoneError):
        place.move(recording, [])
    assert place.kept() == {}
    assert (tmp_path / "secret").read_text() == "secret"


CALLS = ("rename", "fsync", "unlink", "link", "open", "write", "close", "mkdir")


def kill_at(number: int, move: Callable[[], object]) -> bool:
    """Run the move in a child that dies before its n-th call into the file system; return whether it died."""
    pid = os.fork()
    if pid == 0:
        left = [number]

        def counted(call: Callable[..., object]) -> Callable[..., object]:
            def stand_in(*arguments: object, **named: object) -> object:
                left[0] -= 1
                if left[0] == 0:
                    os._exit(9)
                return call(*arguments, **named)

            return stand_in

        for name in CALLS:
            setattr(os, name, counted(getattr(os, name)))
        archive_module.rename_without_replacing = counted(syscalls.rename_without_replacing)  # type: ignore[assignment]
        try:
            move()
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 9


def test_a_kill_at_any_call_neither_loses_nor_doubles(place: Place) -> None:
    """Killed before each call in turn and done again: one of each file in the end, whole, in the archive."""
    number = deaths = 0
    while True:
        number += 1
        recording, outputs = place.record(f"sound {number}")
        if not kill_at(number, lambda recording=recording, outputs=outputs: place.move(recording, outputs)):
            break
        deaths += 1
        whole = {f"sound {number}", f"sound {number} .txt", f"sound {number} .srt"}
        here = {path.read_text() for path in place.inbox.iterdir()}
        there = {text for name, text in place.kept().items() if not is_stale_temporary(name)}
        assert here | there >= whole, "something is lost after the kill"
        if recording.exists():
            place.move(recording, outputs)
        kept = {name: text for name, text in place.kept().items() if not is_stale_temporary(name)}
        assert sorted(kept.values()) == sorted(whole)
        assert list(place.inbox.iterdir()) == []
        subprocess.run(["rm", "-rf", place.root / "finance"], check=True)
    assert deaths > 10


def test_a_recording_that_changes_meanwhile_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A longer version copied over it while it is copied away is not removed."""
    place = Place(tmp_path / "in", tmp_path / "archive")
    place.inbox.mkdir()
    place.root.mkdir()
    recording, _ = place.record("sound")
    hash_at = archive_module._hash_at

    def across(*_: object, **__: object) -> None:
        raise OSError(errno.EXDEV, "another file system")

    def change_meanwhile(name: str, folder_fd: int) -> str:
        recording.write_text("a longer version")
        return hash_at(name, folder_fd)

    real = archive_module.rename_without_replacing
    monkeypatch.setattr(
        archive_module,
        "rename_without_replacing",
        lambda source, target, **fds: (
            across() if fds["source_fd"] != fds["target_fd"] else real(source, target, **fds)
        ),
    )
    monkeypatch.setattr(archive_module, "_hash_at", change_meanwhile)
    with pytest.raises(RecordingGoneError, match="changed"):
        place.move(recording, [])
    assert recording.read_text() == "a longer version"
    assert place.kept() == {}
    monkeypatch.setattr(archive_module, "_hash_at", lambda *_: "another")
    with pytest.raises(WriteFailedError, match="differs"):
        place.move(recording, [])
    assert recording.exists()


def test_a_full_archive_keeps_the_recording(tmp_path: Path) -> None:
    """Without room in the archive everything stays in the inbox, and nothing half is left there."""
    place = Place(tmp_path / "in", tmp_path / "tiny")
    place.inbox.mkdir()
    place.root.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", place.root]
    if subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("nothing can be mounted here")
    try:
        recording, _ = place.record("x" * 200_000)
        with pytest.raises(DiskFullError):
            place.move(recording, [])
        assert recording.stat().st_size == 200_000
        assert place.kept() == {}
    finally:
        subprocess.run(["umount", place.root], check=True)
