"""What anybody may have put into the backup folder, or handed an administrator as a backup."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import sqlite3
import struct
import zlib
from datetime import datetime, timezone
from typing import TYPE_CHECKING

import pytest
from way import OpenDaemon

from asr_daemon.backup import BackupError, list_backups, restore_backup, take_backup, verify_backup
from asr_daemon.backup.health import backup_health
from asr_daemon.config import Config
from asr_daemon.config_sections import DaemonSection
from asr_daemon.control.status import collect
from asr_daemon.history import open_history, open_history_read_only
from asr_daemon.history.connection import HistoryError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOW = datetime(2026, 3, 15, 3, 30, tzinfo=timezone.utc)
NAME = "history-20260301T033000Z.db.gz"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """Return a state folder with a history and one good backup."""
    folder = tmp_path / "state"
    open_history(folder / "history.db").close()
    take_backup(folder / "history.db", folder / "backups", now=NOW)
    return folder


def headed(comment: bytes) -> bytes:
    """Return a gzip file with that comment in its head."""
    return b"\x1f\x8b\x08" + struct.pack("<BIBB", 24, 0, 0, 3) + b"history.db\0" + comment + b"\0"


HEADS: list[bytes] = [
    b'{"database_bytes": "many"}',
    b'{"database_bytes": -1}',
    b'{"database_bytes": 1e400}',
    b'{"database_bytes": 99999999999999999999999}',
    b'{"database_bytes": null, "rows": 7}',
    b'{"rows": ["a"]}',
    b'{"rows": {"jobs": "x"}}',
    b"[" * 60_000,
    b"\xff\xfe",
    b"{}",
    b"null",
]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_no_head_of_a_file_hides_the_other_backups(state: Path, head: bytes) -> None:
    """Listing, status and health go on; restoring it is one sentence."""
    (state / "backups" / NAME).write_bytes(headed(head))
    check_that_everything_goes_on(state)
    with pytest.raises(BackupError, match=NAME):
        verify_backup(state / "backups" / NAME)


ODD: list[Callable[[Path], object]] = [
    os.mkfifo,
    os.mkdir,
    lambda path: path.symlink_to("/nowhere"),
    lambda path: path.symlink_to(path),
    lambda path: path.symlink_to("/dev/zero"),
    lambda path: path.touch(),
    lambda path: path.with_name("history-99991231T235959Z.db.gz").touch(),
    lambda path: path.with_name("history-00010101T000000Z.db.gz").touch(),
    lambda path: os.truncate(os.open(path, os.O_RDWR | os.O_CREAT), 1 << 40),
]


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", ODD, ids=range(len(ODD)))
def test_nothing_in_the_folder_hides_the_backups(state: Path, make: Callable[[Path], object]) -> None:
    """A FIFO, a folder, a link, a device, an empty file, impossible dates: no wait, no error."""
    make(state / "backups" / NAME)
    check_that_everything_goes_on(state)


@pytest.mark.timeout(60)
@pytest.mark.parametrize("make", ODD[:4], ids=range(4))
def test_what_is_no_file_is_not_restored(state: Path, make: Callable[[Path], object]) -> None:
    """Named on the command line it is one sentence, too."""
    make(state / "backups" / NAME)
    with pytest.raises(BackupError, match=NAME):
        restore_backup(state / "backups" / NAME, state / "history.db")


def check_that_everything_goes_on(state: Path) -> None:
    """Fail where the good backup is not found."""
    assert NOW in [info.taken_at for info in list_backups(state / "backups")]
    config = Config(daemon=DaemonSection(state_dir=state))
    told = collect(config, NOW)["backup"]
    assert told["last"]["path"].endswith("history-20260315T033000Z.db.gz")


@pytest.mark.parametrize("name", ["history-22620101T000000Z.db.gz", "history-20260401T000000Z.db.gz"])
def test_a_backup_of_the_future_silences_nothing(state: Path, name: str) -> None:
    """The last backup is the last one that can have been made."""
    good = next((state / "backups").iterdir())
    (state / "backups" / name).write_bytes(good.read_bytes())
    config = Config(daemon=DaemonSection(state_dir=state))
    later = datetime(2026, 3, 20, tzinfo=timezone.utc)
    health = backup_health(config, lambda _key: "", later)
    assert health.last is not None
    assert health.last.taken_at == NOW
    assert health.overdue_since is not None


@pytest.mark.parametrize("rubbish", [b"", b"\x1f\x8b\x08", b"rubbish"])
def test_an_empty_file_counts_for_no_backup(state: Path, rubbish: bytes) -> None:
    """A file that only has a backup's name does not say that there was one."""
    (state / "backups" / "history-20260319T033000Z.db.gz").write_bytes(rubbish)
    config = Config(daemon=DaemonSection(state_dir=state))
    health = backup_health(config, lambda _key: "", datetime(2026, 3, 20, tzinfo=timezone.utc))
    assert health.last is not None
    assert health.last.taken_at == NOW


# ------------------------------------------------------------------ restoring what somebody made


def foreign(path: Path, *statements: str) -> Path:
    """Return a packed history in which these statements were executed."""
    open_history(path).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        for statement in statements:
            database.execute(statement)
        database.execute("PRAGMA journal_mode = DELETE")
    packed = path.with_name(NAME)
    packed.write_bytes(gzip.compress(path.read_bytes()))
    return packed


NEWER = "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('asr_daemon', '9999_x', '')"
TAMPERED: dict[str, tuple[str, ...]] = {
    "newer release": (NEWER,),
    "trigger": ("CREATE TRIGGER t AFTER INSERT ON jobs BEGIN DELETE FROM segments; END",),
    "view": ("DROP TABLE attempts", "CREATE VIEW attempts AS SELECT * FROM jobs"),
    "virtual table": ("CREATE VIRTUAL TABLE more USING fts5(body)",),
    "lacks the table": ("DROP TABLE attempts",),
    "lacks the table 'jobs', or columns": ("ALTER TABLE jobs DROP COLUMN timings_ms",),
    "computes": (
        "ALTER TABLE settings RENAME TO old",
        "CREATE TABLE settings (key TEXT PRIMARY KEY, value TEXT AS (key))",
    ),
    "no history of asr-daemon": ("DELETE FROM _sqlite_migrations",),
}


@pytest.mark.parametrize("why", TAMPERED)
def test_only_a_history_of_our_own_is_restored(state: Path, tmp_path: Path, why: str) -> None:
    """Bookmarks, a newer release's history, triggers, views: refused, and the history stays."""
    packed = foreign(tmp_path / "foreign.db", *TAMPERED[why])
    before = (state / "history.db").read_bytes()
    for refuse in (lambda: verify_backup(packed), lambda: restore_backup(packed, state / "history.db")):
        with pytest.raises(BackupError, match=why):
            refuse()
    assert (state / "history.db").read_bytes() == before


def test_a_browsers_bookmarks_are_no_history(state: Path, tmp_path: Path) -> None:
    """Any other database is refused."""
    path = tmp_path / "places.sqlite"
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE moz_places (id INTEGER PRIMARY KEY, url TEXT)")
    with pytest.raises(BackupError, match="no history of asr-daemon"):
        restore_backup(path, state / "history.db")


def test_a_database_of_garbage_is_one_sentence(state: Path, tmp_path: Path) -> None:
    """Pages overwritten one by one: whatever SQLite says of them, it is told as a damaged backup."""
    packed = foreign(tmp_path / "foreign.db")
    data = bytearray(gzip.decompress(packed.read_bytes()))
    for at in range(100, len(data), 1777):
        spoilt = bytearray(data)
        spoilt[at : at + 64] = b"\xff" * 64
        packed.write_bytes(gzip.compress(bytes(spoilt), 1))
        with contextlib.suppress(BackupError):  # what SQLite does not notice is ours to keep
            verify_backup(packed)


@pytest.mark.parametrize("begins", [b"", b"SQLite format 3\0"])
def test_a_bomb_stops_before_it_fills_the_disk(state: Path, begins: bytes) -> None:
    """A small file that unpacks to terabytes is refused once it passes what its head says."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    body = packer.compress(begins) + b"".join(packer.compress(bytes(1 << 20)) for _ in range(300))
    packed = state / "backups" / NAME
    packed.write_bytes(headed(json.dumps({"database_bytes": 1 << 20}).encode()) + body + packer.flush())
    with pytest.raises(BackupError, match=r"no database in it|more than 1 MiB"):
        restore_backup(packed, state / "history.db")
    assert list((state / ".backup").iterdir()) == []


# ------------------------------------------------------------------ a newer release's history


def test_a_newer_releases_history_is_not_opened(state: Path) -> None:
    """A downgrade is refused by daemon and commands alike, and the backup before the upgrade is named."""
    with contextlib.closing(sqlite3.connect(state / "history.db")) as database, database:
        database.execute(NEWER)
        database.execute("INSERT INTO settings VALUES ('backup_before_upgrade', '/backups/before.db.gz')")
    for refuse in (open_history, open_history_read_only):
        with pytest.raises(HistoryError, match=r"newer release.*9999_x.*/backups/before\.db\.gz"):
            refuse(state / "history.db")


# ------------------------------------------------------------------ what a restored history names


@pytest.mark.parametrize("kind", ["failure", "txt"])
@pytest.mark.parametrize("way", ["departed", "withdrawn"])
def test_a_row_of_a_made_up_history_deletes_nothing_outside_the_inboxes(
    tmp_path: Path, kind: str, way: str
) -> None:
    """A restored `outputs` row that names a file elsewhere, with the right digest, is forgotten, no more."""
    room = OpenDaemon(tmp_path)
    recording = room.put("a.wav")
    victim = tmp_path / "precious.txt"
    victim.write_bytes(b"precious")
    digest = hashlib.sha256(b"precious").hexdigest()
    for path in (victim, tmp_path / "inbox" / ".." / "precious.txt"):
        with room.history.transaction() as history:
            history.db.conn.execute(
                "INSERT INTO outputs (path, same_name, recording_id, format, written_at, written_sha256)"
                " VALUES (?, ?, ?, ?, '2026', ?)",
                [os.fsencode(path), os.fsencode(path), recording, kind, digest],
            )
    if way == "departed":
        (room.inbox / "a.wav").unlink(missing_ok=True)
        room.parts.intake.departures.look_at_failures("inbox", lambda _path: None)
    else:
        room.parts.deliverer._outputs.withdraw(recording, {kind}, room.inbox)
    assert victim.read_bytes() == b"precious"
    room.close()
