"""Opening ``history.db``: pragmas, migrations, one lock around one connection.

The daemon's threads share one connection; every use holds its lock, and transactions are short. Commits
are durable (``synchronous=FULL``): what the history says was written is on the disk.
"""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from asr_daemon.errors import HistoryDamagedError, HistoryFailedError, HistoryFullError, OperatorError
from asr_daemon.history.database import Database
from asr_daemon.history.migrations import migrations
from asr_daemon.history.queries import QUERIES
from asr_daemon.history.shape import steps_of_newer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY_TIMEOUT_S = 30.0
CACHE_KIB = 4096
CHECKPOINT_PAGES = 256  # of 4 KiB: the write-ahead log stays about 1 MiB, also where the disk is nearly full
PROGRESS_INSTRUCTIONS = 1_000_000  # of SQLite's machine: some hundredths of a second
BACKUP_BEFORE_UPGRADE = "backup_before_upgrade"  # a setting: the way back to the release before
_PASSING = ("disk I/O error", "unable to open", "database is locked", "attempt to write a readonly")
_DAMAGE = ("malformed", "file is not a database", "corrupt", "vtable constructor failed")


class HistoryError(OperatorError):
    """The history cannot be opened."""


class History:
    """One connection to the history, safe to share between threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._lock = threading.RLock()
        self.damage = ""  # what was come upon that only a backup mends
        self.on_commit: Callable[[], None] = lambda: None  # called with the lock held: it must not wait
        self.db = Database(connection, execute_plugins=False)
        connection.row_factory = sqlite3.Row

    @contextlib.contextmanager
    def transaction(self) -> Iterator[History]:
        """Commit at the end, or roll back; nested uses join the outer one.

        Raises :class:`~asr_daemon.errors.HistoryFullError` where SQLite found no room,
        :class:`~asr_daemon.errors.HistoryFailedError` where the disk, or another program, refused, and
        :class:`~asr_daemon.errors.HistoryDamagedError` for what only a backup mends.
        """
        with self._lock:
            connection = self.db.conn
            if connection.in_transaction:
                yield self
                return
            try:
                connection.execute("BEGIN IMMEDIATE")
                yield self
                connection.execute("COMMIT")
                self.on_commit()
            except sqlite3.DatabaseError as error:
                self._roll_back()
                self._shrink()
                raise self._typed(error) from error
            except HistoryFullError:  # of a statement inside
                self._roll_back()
                self._shrink()
                raise
            except BaseException:
                self._roll_back()
                raise

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Let no other thread on meanwhile: several queries see one state, and nothing is committed."""
        with self._lock:
            yield

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # what is behind it was raised already
            if self.db.conn.in_transaction:
                self.db.conn.execute("ROLLBACK")

    def _shrink(self) -> None:
        """Fold the write-ahead log back in: on a small full disk it is what took the room."""
        with contextlib.suppress(sqlite3.Error):
            self.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def run(self, query: str, /, **values: Any) -> sqlite3.Cursor:
        """Execute the named statement of ``sql/``; inside a transaction where it writes.

        Raises :class:`~asr_daemon.errors.HistoryFullError` or :class:`~asr_daemon.errors.HistoryFailedError`.
        """
        with self._lock:
            try:
                return self.db.conn.execute(QUERIES[query], values)
            except sqlite3.DatabaseError as error:
                raise self._typed(error) from error

    def all(self, query: str, /, **values: Any) -> list[sqlite3.Row]:
        """Return every row of the named query."""
        with self._lock:
            try:
                return self.run(query, **values).fetchall()
            except sqlite3.DatabaseError as error:
                raise self._typed(error) from error

    def each(self, query: str, /, **values: Any) -> Iterator[sqlite3.Row]:
        """Yield the rows of the named query one by one, for what is too much to hold; nobody else gets on."""
        with self._lock:
            try:
                yield from self.run(query, **values)
            except sqlite3.DatabaseError as error:
                raise self._typed(error) from error

    def one(self, query: str, /, **values: Any) -> sqlite3.Row | None:
        """Return the first row of the named query, or None."""
        with self._lock:
            try:
                row: sqlite3.Row | None = self.run(query, **values).fetchone()
            except sqlite3.DatabaseError as error:
                raise self._typed(error) from error
            return row

    def checkpoint(self) -> bool:
        """Fold the write-ahead log back in and empty it; False where somebody reads: try again."""
        with self._lock:
            try:
                row = self.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
            except sqlite3.DatabaseError as error:
                raise self._typed(error) from error
            return row is not None and not row[0]

    def changes_of(self, query: str, /, **values: Any) -> int:
        """Execute a named statement, in a transaction; return how many rows of any table it changed."""
        with self.transaction():
            before = self.db.conn.total_changes
            self.run(query, **values)
            return self.db.conn.total_changes - before

    def compact(self, on_progress: Callable[[], bool]) -> None:
        """Give unused space back to the disk; everybody else waits. ``on_progress`` says whether to give up.

        Raises :class:`sqlite3.OperationalError` where it was given up, otherwise as :meth:`run`.
        """
        with self._lock:
            connection = self.db.conn
            connection.set_progress_handler(on_progress, PROGRESS_INSTRUCTIONS)
            try:
                connection.execute("VACUUM")
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            except sqlite3.DatabaseError as error:
                raise self._typed(error) from error
            finally:
                connection.set_progress_handler(None, 0)

    def _typed(self, error: sqlite3.DatabaseError) -> Exception:
        typed = _typed(error)
        if isinstance(typed, HistoryDamagedError):
            self.damage = typed.sentence
        return typed

    def close(self) -> None:
        """Close the connection; the last one to close folds the write-ahead log back in."""
        with self._lock:
            self.db.conn.close()


def open_history(
    path: Path,
    *,
    before_migrating: Callable[[list[str]], str] = lambda _steps: "",
    on_progress: Callable[[], None] = lambda: None,
) -> History:
    """Open for writing, create what is missing, and bring an older shape up to date.

    ``before_migrating`` is called with the names of the steps before a history of an older shape is touched,
    and returns the backup that it made of it, which the history remembers; ``on_progress`` meanwhile. Nobody
    but its owner may read the files. Raises :class:`HistoryError`, also for a newer release's history.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    _keep_private(path)
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA trusted_schema = OFF")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(
            "PRAGMA secure_delete = ON"
        )  # what is deleted is not found in the file's free pages
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        history = History(connection)
        _refuse_newer(history, path)
        steps = [step.name for step in migrations.pending(history.db)]
        backup = before_migrating(steps) if steps and migrations.applied(history.db) else ""
        connection.set_progress_handler(on_progress, PROGRESS_INSTRUCTIONS)
        migrations.apply(history.db)
        connection.set_progress_handler(None, 0)
        if backup:
            history.run("set_setting", key=BACKUP_BEFORE_UPGRADE, value=backup)
    except sqlite3.DatabaseError as error:
        raise HistoryError(
            f"the history {path} cannot be opened ({error}); `asr-daemon backup restore` brings a backup back"
        ) from error
    return history


def open_history_read_only(path: Path) -> History:
    """Open for looking only.

    Raises :class:`HistoryError` where there is none yet.
    """
    if not path.exists():
        raise HistoryError(f"there is no history yet at {path}: nothing was transcribed there")
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro",
            uri=True,
            timeout=BUSY_TIMEOUT_S,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA trusted_schema = OFF")
        history = History(connection)
        _refuse_newer(history, path)
        if migrations.pending(history.db):
            raise HistoryError(
                f"the history {path} is of an older release: start the daemon once, it will update it"
            )
    except sqlite3.DatabaseError as error:
        raise HistoryError(
            f"the history {path} cannot be read ({error}); `asr-daemon backup restore` brings a backup back"
        ) from error
    return history


def _keep_private(path: Path) -> None:
    """Let only the owner read the database; SQLite gives its logs the same rights."""
    flags = os.O_RDONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        fd = os.open(path, flags, 0o600)
    except OSError as error:
        if error.errno != errno.ELOOP:
            return  # SQLite says why
        raise HistoryError(f"the history {path} is a link: put the database itself in its place") from error
    try:
        if os.fstat(fd).st_mode & 0o077:
            with contextlib.suppress(PermissionError):  # another's, or a file system without rights
                os.fchmod(fd, 0o600)
    finally:
        os.close(fd)


def _refuse_newer(history: History, path: Path) -> None:
    """Raise :class:`HistoryError` for the history of a newer release: this one would damage it."""
    newer = steps_of_newer(history.db)
    if not newer:
        return
    row = history.one("get_setting", key=BACKUP_BEFORE_UPGRADE)
    backup = (
        f"the backup made before the upgrade ({row['value']})" if row else "a backup of before the upgrade"
    )
    history.close()
    raise HistoryError(
        f"the history {path} is of a newer release of asr-daemon (it has step {newer[0]}): install that "
        f"release again, or go back to {backup}: `asr-daemon backup restore FILE`"
    )


def _typed(error: sqlite3.DatabaseError) -> Exception:
    """Return what the refusal means: those of the disk pass, damage does not; those of our SQL stay."""
    words = str(error)
    if "disk is full" in words:
        return HistoryFullError("no room left for the history")
    if any(word in words for word in _DAMAGE):
        return HistoryDamagedError(
            f"the history is damaged ({words}): stop the daemon, then `asr-daemon backup list` and "
            "`asr-daemon backup restore FILE`"
        )
    if words.startswith(_PASSING):
        return HistoryFailedError(f"the history cannot be used: {words}")
    return error
