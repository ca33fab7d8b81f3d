"""Opening ``history.db``: pragmas, migrations, one lock around one connection.

The daemon's threads share one connection; every use holds its lock, and transactions are short. Commits
are durable (``synchronous=FULL``): what the history says was written is on the disk.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from typing import TYPE_CHECKING, Any

from sqlite_utils import Database

from asr_daemon.errors import HistoryFailedError, HistoryFullError, OperatorError
from asr_daemon.history.migrations import migrations
from asr_daemon.history.queries import QUERIES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

BUSY_TIMEOUT_S = 30.0
CACHE_KIB = 4096
CHECKPOINT_PAGES = 256  # of 4 KiB: the write-ahead log stays about 1 MiB, also where the disk is nearly full
PROGRESS_INSTRUCTIONS = 1_000_000  # of SQLite's machine: some hundredths of a second
_PASSING = ("disk I/O error", "unable to open", "database is locked", "attempt to write a readonly")


class HistoryError(OperatorError):
    """The history cannot be opened."""


class History:
    """One connection to the history, safe to share between threads."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._lock = threading.RLock()
        self.on_commit: Callable[[], None] = lambda: None  # called with the lock held: it must not wait
        self.db = Database(connection, execute_plugins=False)
        connection.row_factory = sqlite3.Row

    @contextlib.contextmanager
    def transaction(self) -> Iterator[History]:
        """Commit at the end, or roll back; nested uses join the outer one.

        Raises :class:`~asr_daemon.errors.HistoryFullError` where SQLite found no room, and
        :class:`~asr_daemon.errors.HistoryFailedError` where the disk, or another program, refused.
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
            except sqlite3.OperationalError as error:
                self._roll_back()
                self._shrink()
                raise _typed(error) from error
            except HistoryFullError:  # of a statement inside
                self._roll_back()
                self._shrink()
                raise
            except BaseException:
                self._roll_back()
                raise

    def _roll_back(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # what is behind it was raised already
            if self.db.conn.in_transaction:
                self.db.conn.execute("ROLLBACK")

    def _shrink(self) -> None:
        """Fold the write-ahead log back in: on a small full disk it is what took the room."""
        with contextlib.suppress(sqlite3.Error):
            self.db.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def run(self, query: str, /, **values: Any) -> sqlite3.Cursor:
        """Execute the named statement of ``queries.sql``; inside a transaction where it writes.

        Raises :class:`~asr_daemon.errors.HistoryFullError` or :class:`~asr_daemon.errors.HistoryFailedError`.
        """
        with self._lock:
            try:
                return self.db.conn.execute(QUERIES[query], values)
            except sqlite3.OperationalError as error:
                raise _typed(error) from error

    def all(self, query: str, /, **values: Any) -> list[sqlite3.Row]:
        """Return every row of the named query."""
        with self._lock:
            try:
                return self.run(query, **values).fetchall()
            except sqlite3.OperationalError as error:
                raise _typed(error) from error

    def each(self, query: str, /, **values: Any) -> Iterator[sqlite3.Row]:
        """Yield the rows of the named query one by one, for what is too much to hold; nobody else gets on."""
        with self._lock:
            yield from self.run(query, **values)

    def one(self, query: str, /, **values: Any) -> sqlite3.Row | None:
        """Return the first row of the named query, or None."""
        with self._lock:
            try:
                row: sqlite3.Row | None = self.run(query, **values).fetchone()
            except sqlite3.OperationalError as error:
                raise _typed(error) from error
            return row

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
            except sqlite3.OperationalError as error:
                raise _typed(error) from error
            finally:
                connection.set_progress_handler(None, 0)

    def close(self) -> None:
        """Close the connection; the last one to close folds the write-ahead log back in."""
        with self._lock:
            self.db.conn.close()


def open_history(
    path: Path,
    *,
    before_migrating: Callable[[list[str]], None] = lambda _steps: None,
    on_progress: Callable[[], None] = lambda: None,
) -> History:
    """Open for writing, create what is missing, and bring an older shape up to date.

    ``before_migrating`` is called with the names of the steps before a history of an older shape is touched;
    ``on_progress`` while it is.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o750)
    try:
        connection = sqlite3.connect(
            path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        connection.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        history = History(connection)
        steps = [step.name for step in migrations.pending(history.db)]
        if steps and migrations.applied(history.db):
            before_migrating(steps)
        connection.set_progress_handler(on_progress, PROGRESS_INSTRUCTIONS)
        migrations.apply(history.db)
        connection.set_progress_handler(None, 0)
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
        history = History(connection)
        if migrations.pending(history.db):
            raise HistoryError(
                f"the history {path} is of an older release: start the daemon once, it will update it"
            )
    except sqlite3.DatabaseError as error:
        raise HistoryError(f"the history {path} cannot be read ({error})") from error
    return history


def _typed(error: sqlite3.OperationalError) -> Exception:
    """Return what the refusal means: those of the disk pass, those of our own SQL do not."""
    words = str(error)
    if "disk is full" in words:
        return HistoryFullError("no room left for the history")
    if words.startswith(_PASSING):
        return HistoryFailedError(f"the history cannot be used: {words}")
    return error
