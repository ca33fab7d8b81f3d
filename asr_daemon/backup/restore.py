"""Bringing a backup back, and trying that it could be.

Enters: a backup (or a plain database). Leaves: what it holds; after a restore the history is the backup's,
and the replaced one lies beside it under a dated name. Fails with
:class:`~asr_daemon.backup.archive.BackupError` before anything was touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path

from asr_daemon.backup.archive import DATABASE_MAGIC, TIME_FORMAT, BackupError, BackupInfo, describe, unpack
from asr_daemon.backup.copy import SPARE_BYTES, own_like, scratch_folder, sync_folder
from asr_daemon.backup.database import check_database, compare_rows, open_existing, require_history
from asr_daemon.files.owner import open_named

# The database header: https://www.sqlite.org/fileformat2.html#the_database_header
_HEADER_BYTES = 100
_READ_VERSION_AT, _WAL = 19, b"\x02"
_LOG_SUFFIXES = ("-wal", "-shm", "-journal")


def verify_backup(path: Path, *, scratch: Path | None = None) -> BackupInfo:
    """Unpack the backup into a temporary folder, open it, check it, count its rows.

    ``scratch`` is where the temporary folder goes (None: the system's). Raises :class:`BackupError`.
    """
    with tempfile.TemporaryDirectory(prefix="asr-daemon-verify-", dir=scratch) as folder:
        return _unpack_checked(path, Path(folder) / "history.db")


def restore_backup(path: Path, history_path: Path, *, now: datetime | None = None) -> Path | None:
    """Put the backup in the history's place; return where the replaced history lies (None: there was none).

    The backup is checked first. The caller holds the state folder's lock. Raises :class:`BackupError`.
    """
    now = now or datetime.now(timezone.utc)
    try:
        history_path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
        with scratch_folder(history_path) as scratch:
            unpacked = scratch / "history.db"
            _unpack_checked(path, unpacked)
            if history_path.exists():
                shutil.copymode(history_path, unpacked)
            own_like(unpacked, history_path if history_path.exists() else history_path.parent)
            kept = _keep_replaced(history_path, now) if history_path.exists() else None
            _remove_logs(history_path)
            unpacked.replace(history_path)
            sync_folder(history_path.parent)
    except OSError as error:
        raise BackupError(
            f"{error.filename or history_path}: the backup could not be restored: {error.strerror}"
        ) from error
    return kept


def _unpack_checked(path: Path, target: Path) -> BackupInfo:
    try:
        with open_named(path) as file:
            info = describe(path, file)
            unpack(path, file, target, most_bytes=_room_for(info, target.parent))
    except OSError as error:
        raise BackupError(f"{path}: the backup cannot be read: {error.strerror}") from error
    rows = check_database(target, called=path)
    require_history(target, called=path)
    if info.rows:
        compare_rows(info.rows, rows, called=path)
    return replace(info, rows=rows, database_bytes=target.stat().st_size)


def _room_for(info: BackupInfo, folder: Path) -> int:
    """Return how many bytes the backup may unpack to: what its head says, else what the disk can spare."""
    free = shutil.disk_usage(folder).free
    if free < info.database_bytes:
        raise BackupError(
            f"{folder}: {free // 2**20} MiB free, unpacking needs {info.database_bytes // 2**20} MiB"
        )
    return info.database_bytes or max(0, free - SPARE_BYTES)


def _keep_replaced(history_path: Path, now: datetime) -> Path:
    """Keep the history under a dated name, together with a log that could not be folded into it."""
    _fold_log(history_path)
    stamp = now.astimezone(timezone.utc).strftime(TIME_FORMAT)
    kept, number = history_path.with_name(f"history-replaced-{stamp}.db"), 1
    while kept.exists():
        number += 1
        kept = history_path.with_name(f"history-replaced-{stamp}-{number}.db")
    for source, target in ((_log(history_path), _log(kept)), (history_path, kept)):
        if source.exists():
            _link_or_copy(source, target)
    sync_folder(history_path.parent)
    return kept


def _fold_log(history_path: Path) -> None:
    """Fold the write-ahead log into the database, where there is still one to fold it into."""
    with history_path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if not head.startswith(DATABASE_MAGIC) or head[_READ_VERSION_AT : _READ_VERSION_AT + 1] != _WAL:
        return  # SQLite would throw the log of such a file away
    with (
        contextlib.suppress(sqlite3.DatabaseError),  # broken: both files are kept as they are
        contextlib.closing(open_existing(history_path)) as database,
    ):
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _log(history_path: Path) -> Path:
    return history_path.with_name(history_path.name + "-wal")


def _link_or_copy(source: Path, target: Path) -> None:
    """Give the file a second name: the history never lacks its own, whenever the power fails."""
    try:
        os.link(source, target)
    except OSError:  # a file system without hard links
        shutil.copy2(source, target)
        own_like(target, source)
        with target.open("rb") as file:
            os.fsync(file.fileno())


def _remove_logs(history_path: Path) -> None:
    """Remove the old history's logs: SQLite would play them into the restored one."""
    for suffix in _LOG_SUFFIXES:
        history_path.with_name(history_path.name + suffix).unlink(missing_ok=True)
    sync_folder(history_path.parent)
