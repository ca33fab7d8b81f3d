"""What makes a copy of the database count: SQLite finds it whole, and every row is there.

Enters: a database file, or an open connection. Leaves: the number of rows of each table. Fails with
:class:`~asr_daemon.backup.archive.BackupError`, which says what is wrong.
"""

from __future__ import annotations

import contextlib
import sqlite3
from typing import TYPE_CHECKING

from asr_daemon.backup.archive import BackupError
from asr_daemon.history.shape import what_is_foreign

if TYPE_CHECKING:
    from pathlib import Path

BUSY_TIMEOUT_S = 30.0
_UNREADABLE = (sqlite3.Error, UnicodeError, OverflowError)  # what a foreign file may raise
_PROBLEMS_SHOWN = 3

# Virtual tables are left out: what they hold lies in ordinary tables beside them, which are counted.
_TABLES = """
SELECT name FROM sqlite_master
WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND sql NOT LIKE 'CREATE VIRTUAL %'
ORDER BY name
"""


def open_existing(path: Path) -> sqlite3.Connection:
    """Open the database without ever creating one, in no transaction.

    Raises :class:`sqlite3.OperationalError` where it cannot be opened.
    """
    connection = sqlite3.connect(
        f"{path.absolute().as_uri()}?mode=rw", uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None
    )
    connection.execute("PRAGMA trusted_schema = OFF")  # what it may call is not the file's to say
    return connection


def count_rows(connection: sqlite3.Connection) -> dict[str, int]:
    """Return the number of rows of every table."""
    tables = [name for (name,) in connection.execute(_TABLES)]
    return {table: _count(connection, table) for table in tables}


def check_database(path: Path, *, called: Path | None = None) -> dict[str, int]:
    """Return the rows of every table of a database that is whole.

    ``called`` is the name that the error uses. Raises :class:`~asr_daemon.backup.archive.BackupError` where
    SQLite's ``integrity_check`` finds anything, or the file is no database.
    """
    name = called or path
    try:
        with contextlib.closing(open_existing(path)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            rows = count_rows(connection)
    except _UNREADABLE as error:
        raise BackupError(f"{name}: not a whole database ({error})") from error
    if found != ["ok"]:
        raise BackupError(f"{name}: the database is damaged: {'; '.join(found[:_PROBLEMS_SHOWN])}")
    if not rows:
        raise BackupError(f"{name}: the database holds no tables: this is no history")
    return rows


def require_history(path: Path, *, called: Path) -> None:
    """Raise :class:`~asr_daemon.backup.archive.BackupError` for what this release cannot open, or must not.

    Another program's database, a newer release's history, one with triggers or views.
    """
    try:
        with contextlib.closing(open_existing(path)) as connection:
            foreign = what_is_foreign(connection)
    except _UNREADABLE as error:
        raise BackupError(f"{called}: not a whole database ({error})") from error
    if foreign:
        raise BackupError(f"{called}: {foreign}")


def compare_rows(expected: dict[str, int], found: dict[str, int], *, called: Path) -> None:
    """Raise :class:`~asr_daemon.backup.archive.BackupError` where a table differs."""
    for table in sorted(expected.keys() | found.keys()):
        if expected.get(table) != found.get(table):
            raise BackupError(
                f"{called}: table {table} has {found.get(table, 'no')} rows where there should be"
                f" {expected.get(table, 'none')}"
            )


def _count(connection: sqlite3.Connection, table: str) -> int:
    name = '"' + table.replace('"', '""') + '"'
    count: int = connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]  # noqa: S608 (quoted)
    return count
