"""Taking a backup while the daemon goes on writing.

Enters: the history's path, the folder of the backups, the time. Leaves: one checked, compressed file (and a
second one in another folder). Fails with :class:`~asr_daemon.backup.archive.BackupError` and leaves nothing
behind; what a kill leaves behind goes with the next backup.

The copy is made inside one read transaction. SQLite starts a stepwise copy anew whenever another connection
has written, so that under steady writing it would never end; the transaction holds the picture still, and
with the write-ahead log (the history's mode) it keeps no writer waiting.
"""

from __future__ import annotations

import contextlib
import fcntl
import filecmp
import os
import shutil
import sqlite3
from dataclasses import dataclass, replace
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from asr_daemon.backup.archive import BackupError, BackupInfo, backup_name, make_private, never, pack
from asr_daemon.backup.database import check_database, compare_rows, count_rows, open_existing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

SCRATCH = ".backup"  # a folder beside the history
STEP_PAGES = 2048  # 8 MiB: how often a stop is noticed
SPARE_BYTES = 64 * 1024 * 1024  # room that a backup leaves for the daemon's own work


@dataclass(frozen=True)
class _Snapshot:
    """A checked copy of the history."""

    history_path: Path
    copy: Path
    rows: dict[str, int]


def take_backup(
    history_path: Path,
    folder: Path,
    *,
    now: datetime,
    second_folder: Path | None = None,
    stop: Callable[[], bool] = never,
) -> BackupInfo:
    """Copy, check, compress and keep the history as of now.

    ``stop`` is asked between steps whether to give up, as when the daemon ends. A second folder that cannot
    be written fails nothing: the result says why. Raises :class:`BackupError`.
    """
    if not history_path.exists():
        raise BackupError(f"{history_path}: there is no history to back up")
    try:
        with scratch_folder(history_path) as scratch:
            copy = scratch / "history.db"
            _require_room(scratch, history_path)
            rows = _copy(history_path, copy, stop)
            compare_rows(rows, check_database(copy, called=history_path), called=history_path)
            path, taken_at = _keep(_Snapshot(history_path, copy, rows), folder, now, stop)
            info = BackupInfo(path, taken_at, path.stat().st_size, copy.stat().st_size, rows)
    except OSError as error:
        raise BackupError(f"{error.filename or folder}: no backup was taken: {error.strerror}") from error
    return _with_second(info, second_folder, history_path) if second_folder else info


@contextlib.contextmanager
def scratch_folder(history_path: Path) -> Iterator[Path]:
    """Give an empty folder beside the history, to one backup or restore at a time.

    Raises :class:`BackupError` while another holds it.
    """
    scratch = history_path.parent / SCRATCH
    scratch.mkdir(mode=0o700, exist_ok=True)
    try:
        holder = os.open(scratch, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except NotADirectoryError:
        raise BackupError(f"{scratch} is no folder of asr-daemon's own: remove it") from None
    try:
        _own_like(holder, history_path.parent)
        try:
            fcntl.flock(holder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError("another backup, or a restore, is at work: wait until it is done") from None
        _empty(holder)  # a killed one leaves its files
        yield scratch
    finally:
        with contextlib.suppress(OSError):
            _empty(holder)
        os.close(holder)


def own_like(path: Path, model: Path) -> None:
    """Give the file to the model's owner: root's work must stay usable by the service's user.

    Where the command line became that user first, nothing is left to do. No link is followed.
    """
    if os.geteuid() == 0:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            _own_like(fd, model)
        finally:
            os.close(fd)


def _own_like(fd: int, model: Path) -> None:
    if os.geteuid() == 0:
        stat = model.stat()
        with contextlib.suppress(PermissionError):  # a share that knows no owners
            os.fchown(fd, stat.st_uid, stat.st_gid)


def sync_folder(folder: Path) -> None:
    """Force the folder's entries to the disk; network file systems that cannot are left alone."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with contextlib.suppress(OSError):
            os.fsync(handle)
    finally:
        os.close(handle)


def _copy(history_path: Path, copy: Path, stop: Callable[[], bool]) -> dict[str, int]:
    """Copy the database as it stands at one moment; return the rows of that moment."""

    def step(_status: int, _remaining: int, _total: int) -> None:
        if stop():
            raise BackupError("the backup was interrupted because the daemon stops")

    try:
        with (
            contextlib.closing(open_existing(history_path)) as source,
            contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as target,
        ):
            target.execute("PRAGMA synchronous = OFF")  # a crash throws the copy away
            source.execute("BEGIN")
            rows = count_rows(source)  # the first read: the picture stands still from here
            source.backup(target, pages=STEP_PAGES, progress=step)
            source.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        raise BackupError(f"{history_path}: the history could not be copied ({error})") from error
    return rows


def _keep(
    snapshot: _Snapshot, folder: Path, now: datetime, stop: Callable[[], bool]
) -> tuple[Path, datetime]:
    """Compress the copy into the folder, under the name of the first free second from now on."""
    _make_folder(folder, snapshot.history_path)
    taken_at = now.astimezone(timezone.utc).replace(microsecond=0)
    while (path := folder / backup_name(taken_at)).exists():
        taken_at += timedelta(seconds=1)
    part = folder / f".{path.name}.part"
    try:
        pack(snapshot.copy, part, taken_at=taken_at, rows=snapshot.rows, stop=stop)
        _put(part, path, snapshot.history_path)
    finally:
        part.unlink(missing_ok=True)
    return path, taken_at


def _with_second(info: BackupInfo, folder: Path, history_path: Path) -> BackupInfo:
    part = folder / f".{info.path.name}.part"
    path = folder / info.path.name
    try:
        _make_folder(folder, history_path)
        with info.path.open("rb") as source, part.open("xb") as out:
            make_private(out.fileno())
            shutil.copyfileobj(source, out)
            out.flush()
            os.fsync(out.fileno())
        if not filecmp.cmp(info.path, part, shallow=False):
            return replace(info, second_problem=f"{part}: reads back differently than it was written")
        _put(part, path, history_path)
    except OSError as error:
        return replace(info, second_problem=f"{error.filename or folder}: {error.strerror}")
    finally:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
    return replace(info, second_path=path)


def _make_folder(folder: Path, history_path: Path) -> None:
    """Create the folder if need be, and clear what killed backups left in it."""
    if not folder.is_dir():
        folder.mkdir(mode=0o700, parents=True)
        own_like(folder, history_path)
    for part in folder.glob(".history-*.db.gz.part"):
        part.unlink(missing_ok=True)


def _put(part: Path, path: Path, history_path: Path) -> None:
    own_like(part, history_path)
    part.replace(path)
    sync_folder(path.parent)


def _require_room(scratch: Path, history_path: Path) -> None:
    needed = history_path.stat().st_size + SPARE_BYTES
    free = shutil.disk_usage(scratch).free
    if free < needed:
        raise BackupError(
            f"{history_path.parent}: {free // 2**20} MiB free,"
            f" a backup needs {needed // 2**20} MiB for a while"
        )


def _empty(folder: int) -> None:
    """Remove the files of a folder, by its descriptor: whatever its name leads to by now."""
    for name in os.listdir(folder):
        os.unlink(name, dir_fd=folder)
