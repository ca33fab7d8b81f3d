"""Backups: what is kept can be brought back, and what cannot be is never taken for one."""

from __future__ import annotations

import contextlib
import gzip
import os
import sqlite3
import subprocess
import tempfile
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_daemon import backup
from asr_daemon.backup.copy import SCRATCH, scratch_folder
from asr_daemon.backup.rotation import select_to_keep
from asr_daemon.history import open_history

NOW = datetime(2025, 3, 15, 3, 30, tzinfo=timezone.utc)


def make_history(path: Path, texts: list[str]) -> sqlite3.Connection:
    """Return an open history with a further table, whose name needs quoting."""
    open_history(path).close()
    database = sqlite3.connect(path, isolation_level=None)
    database.execute('CREATE TABLE "seg""ments" (id INTEGER PRIMARY KEY, text TEXT)')
    database.executemany('INSERT INTO "seg""ments" (text) VALUES (?)', [(text,) for text in texts])
    return database


def texts_of(path: Path) -> list[str]:
    """Return what the history at that path holds."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        return [row[0] for row in database.execute('SELECT text FROM "seg""ments" ORDER BY id')]


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Return the path of a closed history with two segments."""
    path = tmp_path / "state" / "history.db"
    path.parent.mkdir()
    make_history(path, ["预算会议", "退款"]).close()
    return path


# ------------------------------------------------------------------ taking


def test_a_backup_holds_what_was_written_and_says_so(history: Path, tmp_path: Path) -> None:
    """Taking, listing, verifying and restoring agree about time, rows and text."""
    taken = backup.take_backup(history, tmp_path / "backups", now=NOW)
    assert taken.path.name == "history-20250315T033000Z.db.gz"
    assert taken.rows['seg"ments'] == 2
    assert taken.size_bytes == taken.path.stat().st_size
    assert backup.list_backups(tmp_path / "backups") == [taken]
    assert backup.verify_backup(taken.path) == taken
    history.unlink()
    assert backup.restore_backup(taken.path, history) is None
    assert texts_of(history) == ["预算会议", "退款"]


def test_words_that_lie_only_in_the_write_ahead_log_are_in_the_backup(tmp_path: Path) -> None:
    """What was committed but not yet folded into the database file counts."""
    path = tmp_path / "history.db"
    with contextlib.closing(make_history(path, ["一"])) as writer:
        writer.execute("PRAGMA wal_autocheckpoint = 0")
        writer.execute('INSERT INTO "seg""ments" (text) VALUES (?)', ("二",))
        taken = backup.take_backup(path, tmp_path / "backups", now=NOW)
    backup.restore_backup(taken.path, tmp_path / "other.db")
    assert texts_of(tmp_path / "other.db") == ["一", "二"]


def test_plain_gunzip_gives_the_database(history: Path, tmp_path: Path) -> None:
    """An administrator without this program gets the history back with the system's tools."""
    taken = backup.take_backup(history, tmp_path / "backups", now=NOW)
    unpacked = subprocess.run(["gzip", "-dc", str(taken.path)], capture_output=True, check=True).stdout
    (tmp_path / "plain.db").write_bytes(unpacked)
    assert texts_of(tmp_path / "plain.db") == ["预算会议", "退款"]


def test_writers_go_on_between_any_two_steps_and_the_copy_still_ends(tmp_path: Path) -> None:
    """Another connection commits before every step; the backup is the picture of its beginning."""
    path = tmp_path / "history.db"
    with contextlib.closing(make_history(path, ["一"])) as writer:
        writer.execute("CREATE TABLE ballast (data BLOB)")
        writer.execute("INSERT INTO ballast VALUES (zeroblob(?))", (40 * 1024 * 1024,))
        writer.execute("PRAGMA busy_timeout = 0")
        steps = 0

        def write_meanwhile() -> bool:
            nonlocal steps
            steps += 1
            assert steps < 200, "the copy begins anew with every write"
            writer.execute('INSERT INTO "seg""ments" (text) VALUES (?)', (str(steps),))
            return False

        taken = backup.take_backup(path, tmp_path / "backups", now=NOW, stop=write_meanwhile)
        assert steps > 3
    assert taken.rows['seg"ments'] == 1
    assert backup.verify_backup(taken.path).rows['seg"ments'] == 1
    assert len(texts_of(path)) == 1 + steps


def test_a_stopping_daemon_ends_its_backup_and_leaves_nothing(history: Path, tmp_path: Path) -> None:
    """Asked to stop, the backup gives up with an error, without a half file."""
    calls = iter([False, False, True])
    with pytest.raises(backup.BackupError, match="interrupted"):
        backup.take_backup(history, tmp_path / "backups", now=NOW, stop=lambda: next(calls))
    assert list((tmp_path / "backups").iterdir()) == []
    assert list((history.parent / SCRATCH).iterdir()) == []


def test_a_damaged_history_makes_no_backup(history: Path, tmp_path: Path) -> None:
    """A copy that SQLite finds damaged does not count, and the old backups stay."""
    good = backup.take_backup(history, tmp_path / "backups", now=NOW)
    with contextlib.closing(sqlite3.connect(history)) as database:
        page_bytes = database.execute("PRAGMA page_size").fetchone()[0]
        (root,) = database.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = ?", ('seg"ments',)
        ).fetchone()
    with history.open("r+b") as file:
        file.seek((root - 1) * page_bytes + page_bytes - 24)
        file.write(b"\xff" * 24)
    with pytest.raises(backup.BackupError, match=r"damaged|malformed"):
        backup.take_backup(history, tmp_path / "backups", now=NOW + timedelta(days=1))
    assert backup.list_backups(tmp_path / "backups") == [good]


def test_two_backups_of_one_second_are_two(history: Path, tmp_path: Path) -> None:
    """A second `backup now` within the second overwrites nothing."""
    first = backup.take_backup(history, tmp_path / "backups", now=NOW)
    second = backup.take_backup(history, tmp_path / "backups", now=NOW)
    assert backup.list_backups(tmp_path / "backups") == [second, first]
    assert second.taken_at - first.taken_at == timedelta(seconds=1)


def test_one_backup_at_a_time(history: Path, tmp_path: Path) -> None:
    """A second backup beside a running one is refused, not mixed into it."""
    with scratch_folder(history), pytest.raises(backup.BackupError, match="another backup"):
        backup.take_backup(history, tmp_path / "backups", now=NOW)
    backup.take_backup(history, tmp_path / "backups", now=NOW)


def test_the_second_folder_gets_the_same_file(history: Path, tmp_path: Path) -> None:
    """The copy elsewhere is byte for byte the backup, and can be restored."""
    taken = backup.take_backup(history, tmp_path / "a", now=NOW, second_folder=tmp_path / "nas" / "b")
    assert taken.second_path == tmp_path / "nas" / "b" / taken.path.name
    assert taken.second_path.read_bytes() == taken.path.read_bytes()
    assert taken.second_problem == ""


def test_a_second_folder_that_cannot_be_written_does_not_cost_the_backup(
    history: Path, tmp_path: Path
) -> None:
    """With the NAS away the backup counts, and the result says what is wrong."""
    (tmp_path / "nas").write_text("a file where a folder should be")
    taken = backup.take_backup(history, tmp_path / "a", now=NOW, second_folder=tmp_path / "nas")
    assert backup.verify_backup(taken.path).rows == taken.rows
    assert taken.second_path is None
    assert str(tmp_path / "nas") in taken.second_problem


def test_backups_are_for_the_owner_only(history: Path, tmp_path: Path) -> None:
    """What was said in meetings is not for every user of the machine."""
    taken = backup.take_backup(history, tmp_path / "backups", now=NOW)
    assert taken.path.stat().st_mode & 0o077 == 0
    assert taken.path.parent.stat().st_mode & 0o077 == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for another user")
def test_what_root_does_stays_usable_by_the_service() -> None:
    """`sudo asr-daemon backup now|restore` leaves files of the service's user, not root's."""
    with tempfile.TemporaryDirectory(prefix="asr-daemon-root-") as folder:
        Path(folder).chmod(0o711)  # the service's user comes to its folder, as on a real machine
        _check_what_root_does(Path(folder))


def _check_what_root_does(folder: Path) -> None:
    history = folder / "state" / "history.db"
    history.parent.mkdir()
    make_history(history, ["预算会议"]).close()
    for path in (history.parent, history):
        os.chown(path, 12345, 12345)
    taken = backup.take_backup(history, folder / "backups", now=NOW)
    kept = backup.restore_backup(taken.path, history)
    assert kept is not None
    for path in (taken.path, taken.path.parent, history, kept, history.parent / SCRATCH):
        assert path.stat().st_uid == 12345, path


def test_no_history_is_one_clear_sentence(tmp_path: Path) -> None:
    """Before the first recording there is nothing to back up, and no empty database appears."""
    with pytest.raises(backup.BackupError, match="there is no history"):
        backup.take_backup(tmp_path / "history.db", tmp_path / "backups", now=NOW)
    assert list(tmp_path.iterdir()) == []


# ------------------------------------------------------------------ verifying


@pytest.mark.parametrize("damage", ["cut", "flipped", "emptied", "other"])
def test_a_damaged_backup_is_found_and_restores_nothing(history: Path, tmp_path: Path, damage: str) -> None:
    """Cut short, one bit flipped, empty or something else: refused, and the history stays."""
    path = backup.take_backup(history, tmp_path / "backups", now=NOW).path
    data = bytearray(path.read_bytes())
    if damage == "cut":
        data = data[:-9]
    elif damage == "flipped":
        data[len(data) * 3 // 4] ^= 0x10
    elif damage == "emptied":
        data = bytearray()
    else:
        data = bytearray(gzip.compress(b"no database at all"))
    path.write_bytes(data)
    before = history.read_bytes()
    with pytest.raises(backup.BackupError, match=str(path)):
        backup.verify_backup(path)
    with pytest.raises(backup.BackupError, match=str(path)):
        backup.restore_backup(path, history)
    assert history.read_bytes() == before
    assert sorted(entry.name for entry in history.parent.iterdir()) == [SCRATCH, "history.db"]


def test_rows_that_are_missing_are_found(history: Path, tmp_path: Path) -> None:
    """A backup that unpacks well but lost a row against its own head is refused."""
    path = backup.take_backup(history, tmp_path / "backups", now=NOW).path
    head_and_body = path.read_bytes().replace(b'"seg\\"ments": 2', b'"seg\\"ments": 3')
    path.write_bytes(head_and_body)
    with pytest.raises(backup.BackupError, match='table seg"ments has 2 rows where there should be 3'):
        backup.verify_backup(path)


def test_listing_reads_no_more_than_heads_and_survives_foreign_files(history: Path, tmp_path: Path) -> None:
    """Newest first; damaged files are listed, other files are not, a missing folder is empty."""
    folder = tmp_path / "backups"
    old = backup.take_backup(history, folder, now=NOW)
    new = backup.take_backup(history, folder, now=NOW + timedelta(days=1))
    (folder / "history-20250101T000000Z.db.gz").write_bytes(b"rubbish")
    (folder / "history-20259999T000000Z.db.gz").write_bytes(b"no such day")
    (folder / "notes.txt").write_text("x")
    listed = backup.list_backups(folder)
    assert [info.path.name for info in listed] == [
        new.path.name,
        old.path.name,
        "history-20250101T000000Z.db.gz",
    ]
    assert listed[2].rows == {}
    assert backup.list_backups(tmp_path / "none") == []


# ------------------------------------------------------------------ restoring


def test_a_restore_keeps_the_replaced_history(history: Path, tmp_path: Path) -> None:
    """The state before the restore lies beside it, whole, under a dated name."""
    taken = backup.take_backup(history, tmp_path / "backups", now=NOW)
    with contextlib.closing(sqlite3.connect(history)) as database, database:
        database.execute('INSERT INTO "seg""ments" (text) VALUES (?)', ("later",))
    history.chmod(0o640)
    kept = backup.restore_backup(taken.path, history, now=NOW)
    assert kept == history.with_name("history-replaced-20250315T033000Z.db")
    assert texts_of(kept) == ["预算会议", "退款", "later"]
    assert texts_of(history) == ["预算会议", "退款"]
    assert history.stat().st_mode & 0o777 == 0o640
    again = backup.restore_backup(taken.path, history, now=NOW)
    assert again not in (None, kept)


def leave_log(path: Path, text: str) -> bytes:
    """Add a segment as a daemon that is killed leaves it: in the log alone. Return the log."""
    child = os.fork()
    if child == 0:
        database = sqlite3.connect(path, isolation_level=None)
        database.execute('INSERT INTO "seg""ments" (text) VALUES (?)', (text,))
        os._exit(0)
    os.waitpid(child, 0)
    log = path.with_name(path.name + "-wal").read_bytes()
    assert log
    return log


def test_the_log_of_a_killed_daemon_stays_with_the_replaced_history(history: Path, tmp_path: Path) -> None:
    """Commits that lie in a left-over log are in the replaced history, folded into its one file."""
    taken = backup.take_backup(history, tmp_path / "backups", now=NOW)
    leave_log(history, "later")
    kept = backup.restore_backup(taken.path, history)
    assert kept is not None
    assert not kept.with_name(kept.name + "-wal").exists()
    assert texts_of(history) == ["预算会议", "退款"]
    assert texts_of(kept) == ["预算会议", "退款", "later"]


def test_a_broken_history_is_replaced_and_kept_with_its_log(history: Path, tmp_path: Path) -> None:
    """Restore is for broken histories: what lay there is kept, and its log plays nothing into the new one."""
    taken = backup.take_backup(history, tmp_path / "backups", now=NOW)
    log = leave_log(history, "later")
    history.write_bytes(b"rubbish")
    kept = backup.restore_backup(taken.path, history)
    assert kept is not None
    assert kept.read_bytes() == b"rubbish"
    assert kept.with_name(kept.name + "-wal").read_bytes() == log
    assert texts_of(history) == ["预算会议", "退款"]


# ------------------------------------------------------------------ rotation


def keep(times: list[datetime], last: int, daily: int, weekly: int, now: datetime = NOW) -> list[str]:
    """Return the days that stay, newest first."""
    stay = select_to_keep(times, keep_last=last, keep_daily=daily, keep_weekly=weekly, now=now)
    return [f"{time:%m-%d %H}" for time in sorted(stay, reverse=True)]


def test_the_last_the_daily_and_the_weekly_backups_stay() -> None:
    """Two backups a day for three weeks: two last, the newest of three days, the newest of three weeks."""
    times = [NOW - timedelta(hours=12 * n) for n in range(42)]  # Saturday 15 March, back to 22 February
    assert keep(times, 2, 3, 3) == [
        "03-15 03",
        "03-14 15",
        "03-13 15",
        "03-09 15",
        "03-02 15",
    ]


def test_days_are_the_administrators_days() -> None:
    """In UTC+8, 23:00 and 01:00 UTC+8 are two days although UTC calls them one."""
    china = timezone(timedelta(hours=8))
    times = [datetime(2025, 3, 14, 23, tzinfo=china), datetime(2025, 3, 15, 1, tzinfo=china)]
    now = datetime(2025, 3, 15, 12, tzinfo=china)
    assert len(keep(times, 1, 2, 0, now)) == 2
    assert len(keep(times, 1, 2, 0, now.astimezone(timezone.utc))) == 1


def test_a_service_that_slept_keeps_its_old_backups() -> None:
    """After half a year without a backup the old days and weeks still count."""
    old = [NOW - timedelta(days=180 + n) for n in range(3)]
    assert len(keep([NOW, *old], 1, 4, 0)) == 4


def test_a_clock_that_was_wrong_pushes_no_good_backup_out() -> None:
    """Backups from the future stay and take no place of the others."""
    future = [NOW + timedelta(days=4000 + n) for n in range(5)]
    stay = select_to_keep([NOW, *future], keep_last=1, keep_daily=0, keep_weekly=0, now=NOW)
    assert stay == {NOW, *future}


@given(
    st.lists(st.datetimes(datetime(2020, 1, 1), datetime(2026, 1, 1)), min_size=1),  # noqa: DTZ001 (below)
    st.integers(0, 4),
    st.integers(0, 4),
    st.integers(0, 4),
)
def test_the_newest_always_stays_and_no_more_than_asked(
    naive: list[datetime], last: int, daily: int, weekly: int
) -> None:
    """Whatever the numbers: the newest stays, and never more than their sum."""
    times = [time.replace(tzinfo=timezone.utc) for time in naive]
    now = datetime(2026, 1, 1, tzinfo=timezone.utc)
    stay = select_to_keep(times, keep_last=last, keep_daily=daily, keep_weekly=weekly, now=now)
    assert max(times) in stay
    assert set(sorted(set(times), reverse=True)[:last]) <= stay <= set(times)
    assert len(stay) <= max(last, 1) + daily + weekly


def test_rotation_removes_files_and_only_backups(history: Path, tmp_path: Path) -> None:
    """What need not stay goes; files that are no backups are not touched."""
    folder = tmp_path / "backups"
    taken = [backup.take_backup(history, folder, now=NOW - timedelta(days=n)).path for n in range(4)]
    (folder / "history.db").write_text("mine")
    removed = backup.rotate(folder, keep_last=1, keep_daily=2, keep_weekly=0, now=NOW)
    assert removed == taken[2:]
    assert sorted(folder.iterdir()) == sorted([folder / "history.db", *taken[:2]])
