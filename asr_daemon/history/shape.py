"""Whether a database is a history of this program, of this release or an older one, and nothing more.

Enters: an open database that anybody may have made. Leaves: what is wrong with it, in one sentence, or "".
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from asr_daemon.history.database import Database
from asr_daemon.history.migrations import migrations

if TYPE_CHECKING:
    import sqlite3

_OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_VIRTUAL = re.compile(r"\s*CREATE\s+VIRTUAL\s", re.IGNORECASE)
_FULL_TEXT = re.compile(r"CREATE VIRTUAL TABLE segments_fts USING fts5\b")
_GENERATED = (2, 3)  # in the column "hidden" of table_xinfo: computed whenever they are read


def steps_of_newer(db: Database) -> list[str]:
    """Return the steps of migration that only a newer release knows."""
    known = {step.name for step in migrations._migrations}  # noqa: SLF001 (it has no other way to say it)
    return [step.name for step in migrations.applied(db) if step.name not in known]


def what_is_foreign(connection: sqlite3.Connection) -> str:
    """Return what keeps a database from being a history that may be opened, "" where nothing does.

    Raises :class:`sqlite3.Error` where it cannot be read.
    """
    db = Database(connection, execute_plugins=False)
    applied = [step.name for step in migrations.applied(db)]
    if not applied:
        return "this is no history of asr-daemon"
    if newer := steps_of_newer(db):
        return f"it is of a newer release of asr-daemon (it has step {newer[0]}): install that release first"
    for kind, name, sql in connection.execute(_OBJECTS):
        is_odd = _VIRTUAL.match(sql or "") and not _FULL_TEXT.match(sql)
        if kind in ("trigger", "view") or is_odd:
            what = "virtual table" if is_odd else kind
            return f"it holds a {what} ({name!r}), which no history has: it was tampered with"
    return _what_is_missing(connection, applied)


def _what_is_missing(connection: sqlite3.Connection, applied: list[str]) -> str:
    model = Database(memory=True)
    pending = [
        step.name
        for step in migrations._migrations  # noqa: SLF001 (as above)
        if step.name not in applied
    ]
    migrations.apply(model, stop_before=pending[:1])
    for (table,) in model.execute("SELECT name FROM sqlite_master WHERE type = 'table'"):
        found = {row[1]: row[6] for row in connection.execute(f"PRAGMA table_xinfo({_quoted(table)})")}
        wanted = {row[1] for row in model.execute(f"PRAGMA table_xinfo({_quoted(table)})")}
        if not wanted <= found.keys():
            return f"it lacks the table {table!r}, or columns of it, that its steps of migration made"
        if odd := [name for name, hidden in found.items() if hidden in _GENERATED]:
            return f"its table {table!r} computes {odd[0]!r}, which no history does: it was tampered with"
    return ""


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
