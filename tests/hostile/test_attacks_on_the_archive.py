"""Links and sizes in archive and inbox: nothing goes where it should not, nothing fills the disk."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from way import OpenDaemon, Way

from asr_daemon.config import Config
from asr_daemon.delivery import moving
from asr_daemon.delivery.archiver import Archiver
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.delivery.moving import archive
from asr_daemon.doctor import Machine
from asr_daemon.doctor.folders import look_at_folders
from asr_daemon.doctor.rights import ServiceUser
from asr_daemon.errors import ConfigurationError, InboxGoneError, WorkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

WHEN = datetime(2026, 3, 15, 9, 30, tzinfo=timezone.utc)


class Place:
    """An inbox, its archive, and another department's folder."""

    def __init__(self, folder: Path) -> None:
        self.inbox, self.archive, self.hr = (folder / name for name in ("in", "archive", "hr"))
        for each in (self.inbox, self.archive, self.hr):
            each.mkdir()
        self.month = self.archive / "finance" / "2026" / "03"

    def move(self, name: str = "a.wav") -> tuple[Path, ...]:
        """Archive a recording."""
        recording = self.inbox / name
        if not recording.exists():
            recording.write_text("sound", encoding="utf-8")
        return tuple(archive(recording, [], self.archive, "finance", WHEN, root=self.inbox).values())


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """Return the folders."""
    return Place(tmp_path)


@pytest.mark.parametrize("depth", [0, 1, 2])
@pytest.mark.parametrize("leads", ["to another's folder", "nowhere", "to a file"])
def test_link_in_place_of_an_archives_folder_is_not_followed(place: Place, depth: int, leads: str) -> None:
    """Of the inbox, the year or the month: the recording stays where it is, and it is said why."""
    at = place.archive.joinpath(*("finance", "2026", "03")[: depth + 1])
    at.parent.mkdir(parents=True, exist_ok=True)
    if leads == "to a file":
        at.write_text("no folder", encoding="utf-8")
    else:
        at.symlink_to(place.hr if leads == "to another's folder" else place.hr / "nowhere")
    with pytest.raises(InboxGoneError, match="link"):
        place.move()
    assert (place.inbox / "a.wav").exists()
    assert list(place.hr.rglob("*")) == []


def test_archive_whose_own_path_is_a_link_is_the_administrators(place: Place, tmp_path: Path) -> None:
    """Its root may be one."""
    (tmp_path / "link").symlink_to(place.archive)
    (moved,) = (
        archive(place.inbox / "a.wav", [], tmp_path / "link", "finance", WHEN).values()
        if (place.inbox / "a.wav").write_bytes(b"x")
        else ()
    )
    assert moved.read_bytes() == b"x"


def test_folder_of_the_archive_that_is_swapped_meanwhile_is_not_followed(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The month's folder becomes a link once it was looked at: what was opened is what is worked in."""
    real = moving._free_names

    def swap(*told: object) -> list[str]:
        names = real(*told)  # type: ignore[arg-type]
        place.month.rename(place.archive / "away")
        place.month.symlink_to(place.hr)
        return names

    monkeypatch.setattr(moving, "_free_names", swap)
    place.move()
    assert list(place.hr.iterdir()) == []
    assert (place.archive / "away" / "a.wav").exists()


def test_link_in_the_way_of_a_name_in_the_archive_is_not_followed(place: Place) -> None:
    """Another name is taken; what it points to stays as it is."""
    place.month.mkdir(parents=True)
    (place.hr / "salary").write_text("secret", encoding="utf-8")
    (place.month / "a.wav").symlink_to(place.hr / "salary")
    (moved,) = place.move()
    assert moved.name == "a (2).wav"
    assert (place.hr / "salary").read_text(encoding="utf-8") == "secret"


def test_one_swapped_folder_of_an_inbox_holds_up_nothing_else_of_it(tmp_path: Path) -> None:
    """Those behind it go to the archive; what lies behind the link stays where it is."""
    (tmp_path / "archive").mkdir()
    way = Way(tmp_path, archive=tmp_path / "archive")
    deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
    archiver = Archiver(way.config, way.history, way.time.clock, way.shares, lambda _inbox, _path: None)
    (way.inbox / "sub").mkdir()
    for name in ("sub/a.wav", "b.wav"):
        recording = way.put(name, name.encode())
        way.finish(way.claim().id, "你好")
        assert deliverer.deliver(recording)
    (way.inbox / "sub").rename(tmp_path / "away")
    (way.inbox / "sub").symlink_to(tmp_path / "away")
    assert archiver.archive_all() == 1
    assert {path.name for path in (tmp_path / "archive").rglob("*.*")} == {"b.wav", "b.txt"}
    assert (tmp_path / "away" / "a.wav").exists()


# ------------------------------------------------------------------ sizes


def across(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the archive lie on another file system."""
    real = moving.rename_without_replacing

    def rename(source: str, target: str, *, source_fd: int, target_fd: int) -> None:
        if source_fd != target_fd:
            raise OSError(18, "Invalid cross-device link")
        real(source, target, source_fd=source_fd, target_fd=target_fd)

    monkeypatch.setattr(moving, "rename_without_replacing", rename)


def test_holes_of_a_recording_stay_holes(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """A gigabyte of nothing costs nothing in the archive either."""
    across(monkeypatch)
    recording = place.inbox / "a.wav"
    recording.write_bytes(b"RIFF")
    os.truncate(recording, 1 << 28)
    (moved,) = place.move()
    found = moved.stat()
    assert found.st_size == 1 << 28
    assert found.st_blocks * 512 < 1 << 24
    with moved.open("rb") as file:
        assert file.read(5) == b"RIFF\0"


def test_file_that_grows_while_it_is_copied_ends(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes as fast as it is read keeps it busy for no longer than the file was."""
    across(monkeypatch)
    recording = place.inbox / "a.wav"
    recording.write_bytes(b"x" * 100)
    real = os.read
    reads: list[int] = []

    def read(fd: int, size: int) -> bytes:
        reads.append(size)
        with recording.open("ab") as file:
            file.write(b"y" * 100)
        return real(fd, 100)

    monkeypatch.setattr(moving.os, "read", read)
    with pytest.raises(WorkError):
        place.move()
    assert len(reads) < 10
    assert recording.exists()
    assert [path for path in place.archive.rglob("*") if path.is_file()] == []


def test_huge_file_in_place_of_a_transcript_is_not_carried_along(tmp_path: Path) -> None:
    """Copied to another disk it would fill it: it stays, and its recording goes."""
    (tmp_path / "archive").mkdir()
    way = Way(tmp_path, archive=tmp_path / "archive")
    deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
    archiver = Archiver(way.config, way.history, way.time.clock, way.shares, lambda _inbox, _path: None)
    recording = way.put("a.wav", b"sound")
    way.finish(way.claim().id, "你好")
    assert deliverer.deliver(recording)
    os.truncate(way.inbox / "a.txt", 1 << 40)
    assert archiver.archive_all() == 1
    assert [path.name for path in (tmp_path / "archive").rglob("*") if path.is_file()] == ["a.wav"]
    assert (way.inbox / "a.txt").exists()


# ------------------------------------------------------------------ folders in one another


def lay(folder: Path) -> dict[str, Path]:
    """Make real folders and links to them; return what may be configured."""
    for name in ("share/finance", "share/hr", "state/backups", "elsewhere"):
        (folder / name).mkdir(parents=True)
    links = {"link to finance": "share/finance", "link to share": "share", "link to state": "state"}
    for link, target in links.items():
        (folder / link).symlink_to(folder / target)
    return {name: folder / name for name in ("share", "state", "elsewhere", *links)}


OVERLAPS: dict[str, Callable[[Path], dict[str, object]]] = {
    "two inboxes by a link": lambda at: {
        "inbox": [
            {"name": "one", "path": at / "share/finance"},
            {"name": "two", "path": at / "link to finance"},
        ]
    },
    "an inbox in another by a link": lambda at: {
        "inbox": [{"name": "one", "path": at / "link to share"}, {"name": "two", "path": at / "share/hr"}]
    },
    "an archive in an inbox": lambda at: {
        "inbox": [{"name": "two", "path": at / "share/finance", "archive": at / "link to share/finance"}]
    },
    "an archive whose folder for the inbox is the inbox": lambda at: {
        "inbox": [{"name": "finance", "path": at / "share/finance", "archive": at / "link to share"}]
    },
    "the state in an inbox": lambda at: {"inbox": [{"name": "two", "path": at / "link to state"}]},
    "an inbox in the backups": lambda at: {"inbox": [{"name": "two", "path": at / "link to state/backups"}]},
    "the fall-back in an inbox": lambda at: {
        "daemon": {"fallback_dir": at / "link to share/hr/fallback"},
        "inbox": [{"name": "two", "path": at / "share/hr"}],
    },
    "the second backups in an inbox": lambda at: {
        "backup": {"second_dir": at / "link to share/hr/backups"},
        "inbox": [{"name": "two", "path": at / "share/hr"}],
    },
    "the state in an archive": lambda at: {
        "inbox": [{"name": "two", "path": at / "share/hr", "archive": at / "link to state"}]
    },
}


def configured(at: Path, told: dict[str, object]) -> Config:
    """Return the configuration with the state where it belongs."""
    daemon = {"state_dir": at / "state", **told.get("daemon", {})}  # type: ignore[dict-item]
    return Config.model_validate({**told, "daemon": daemon})


@pytest.mark.parametrize("which", OVERLAPS)
def test_check_says_what_lies_in_one_another_by_links(tmp_path: Path, which: str) -> None:
    """As text they are apart."""
    lay(tmp_path)
    config = configured(tmp_path, OVERLAPS[which](tmp_path))
    findings = list(look_at_folders(config, ServiceUser(), Machine()))
    assert any(
        finding.level == "error" and (" lie in " in finding.text or " lies in " in finding.text)
        for finding in findings
    ), [finding.text for finding in findings]


@pytest.mark.parametrize("which", OVERLAPS)
def test_configuration_refuses_the_same_as_text(tmp_path: Path, which: str) -> None:
    """With the links resolved, whoever writes it down is told at once."""
    lay(tmp_path)

    def resolved(value: object) -> object:
        if isinstance(value, dict):
            return {key: resolved(each) for key, each in value.items()}
        if isinstance(value, list):
            return [resolved(each) for each in value]
        return os.path.realpath(value) if isinstance(value, os.PathLike) else value

    with pytest.raises((ConfigurationError, ValueError), match=r" lies? in "):
        configured(tmp_path, resolved(OVERLAPS[which](tmp_path)))  # type: ignore[arg-type]


def test_ordinary_folders_overlap_nowhere(tmp_path: Path) -> None:
    """Archives beside inboxes, an inbox below the state folder (a demo's), links that lead elsewhere."""
    lay(tmp_path)
    told = {
        "backup": {"second_dir": tmp_path / "elsewhere/backups"},
        "inbox": [
            {"name": "one", "path": tmp_path / "link to finance", "archive": tmp_path / "elsewhere/archive"},
            {"name": "two", "path": tmp_path / "share/hr", "archive": tmp_path / "elsewhere/archive"},
            {"name": "three", "path": tmp_path / "state/inbox"},
        ],
    }
    config = configured(tmp_path, told)
    assert config.overlaps(lambda path: type(path)(os.path.realpath(path))) == []


def test_daemon_takes_nothing_from_an_inbox_that_lies_in_another(tmp_path: Path) -> None:
    """The first has its recordings, once; the other says why it is not watched."""
    daemon = OpenDaemon(tmp_path)
    (tmp_path / "link").symlink_to(daemon.inbox)
    one = daemon.config.inbox[0].model_copy(update={"watch": "polling"})
    other = one.model_copy(update={"name": "other", "path": tmp_path / "link"})
    daemon.parts.reload(daemon.config.model_copy(update={"inbox": (one, other)}))
    (daemon.inbox / "a.wav").write_bytes(b"sound")
    intake = daemon.parts.intake
    for _ in range(2):
        intake.tick()
        for name in ("inbox", "other"):
            intake.wake(name, None)
        intake.wake("other", tmp_path / "link" / "a.wav")
        intake.step(0.0)
        daemon.time.pass_s(6.0)
        intake.step(0.0)
    rows = daemon.history.db.execute("SELECT inbox, name FROM recordings").fetchall()
    assert [tuple(row) for row in rows] == [("inbox", "a.wav")]
    assert "lie in one another" in intake.inboxes["other"].problem
    assert intake.inboxes["inbox"].problem == ""
    daemon.close()


def test_daemon_archives_nothing_into_an_inbox(tmp_path: Path) -> None:
    """By a link it would be found again, for ever."""
    way = Way(tmp_path, archive=tmp_path / "link")
    (tmp_path / "link").symlink_to(way.inbox)
    deliverer = Deliverer(way.config, way.history, way.arrivals, way.shares, way.time.clock)
    archiver = Archiver(way.config, way.history, way.time.clock, way.shares, lambda _inbox, _path: None)
    recording = way.put("a.wav", b"sound")
    way.finish(way.claim().id, "你好")
    assert deliverer.deliver(recording)
    assert archiver.archive_all() == 0
    assert {path.name for path in way.inbox.iterdir()} == {"a.wav", "a.txt"}
