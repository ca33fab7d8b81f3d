"""The machine: clock, SQLite, journal."""

from __future__ import annotations

import contextlib
import sqlite3
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.doctor.finding import Finding
from asr_daemon.doctor.writers import other_writers
from asr_daemon.service.time_zone import LOCAL_TIME, SYSTEM, zone_problem

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config
    from asr_daemon.doctor.finding import Machine

Version = tuple[int, ...]
FIRST_YEAR, LAST_YEAR = 2026, 2100  # this release is of 2026
OLDEST_SQLITE = (3, 37, 0)  # STRICT tables


@dataclass(frozen=True, slots=True)
class Bug:
    """A bug of SQLite that concerns this program."""

    first: Version
    fixed: tuple[Version, ...]  # in each branch, oldest first; the last one holds for all that follow
    text: str
    fix: str

    def is_in(self, version: Version) -> bool:
        """Whether that release has it."""
        if version < self.first or version >= self.fixed[-1]:
            return False
        return not any(fixed[:2] == version[:2] and version >= fixed for fixed in self.fixed)


# Two that write at the same instant may damage the history. The daemon writes through one connection, so it
# concerns those alone who have another program write there.
WAL_RESET = Bug(  # https://www.sqlite.org/wal.html#walresetbug
    (3, 7, 0),
    ((3, 44, 6), (3, 50, 7), (3, 51, 3)),
    "has the WAL-reset bug: together with the daemon they may damage it",
    "close it, and look into a copy: `asr-daemon backup now` says where it lies",
)
KNOWN_BUGS = (
    Bug(  # https://www.sqlite.org/releaselog/3_38_1.html to 3_38_4.html
        (3, 38, 0),
        ((3, 38, 4),),
        "may answer queries wrongly, or never (Bloom filters, new in 3.38.0)",
        "use a Python with SQLite 3.38.5 or newer",
    ),
    Bug(  # https://www.sqlite.org/releaselog/3_47_1.html
        (3, 47, 0),
        ((3, 47, 1),),
        "may answer queries with IN wrongly",
        "use a Python with SQLite 3.47.1 or newer",
    ),
    Bug(  # https://www.sqlite.org/releaselog/3_51_1.html, 3_51_2.html
        (3, 51, 0),
        ((3, 51, 2),),
        "may answer queries with EXISTS wrongly, and may lock itself up",
        "use a Python with SQLite 3.51.3 or newer",
    ),
    Bug(  # https://www.sqlite.org/changes.html#version_3_52_0; its features went into 3.53.0
        (3, 52, 0),
        ((3, 53, 0),),
        "was withdrawn by its makers",
        "use a Python with SQLite 3.51.3 or 3.53.0",
    ),
)


def look_at_host(config: Config, machine: Machine) -> Iterator[Finding]:
    """Say what is wrong with clock, SQLite and journal."""
    yield from _clock(machine)
    yield from look_at_sqlite(machine.sqlite_version)
    if WAL_RESET.is_in(machine.sqlite_version):
        for writer in other_writers(config.history_path, machine.place("/proc")):
            text = f"{writer} has history.db open for writing, and SQLite {WAL_RESET.text}"
            yield Finding("warning", "environment", text, WAL_RESET.fix)
    yield from _journal(config, machine)


def _clock(machine: Machine) -> Iterator[Finding]:
    now = machine.now()
    if not FIRST_YEAR <= now.year < LAST_YEAR:
        yield Finding("error", "clock", f"the clock says {now:%Y-%m-%d}", "set it: timedatectl set-ntp true")
        return
    said = machine.run("timedatectl", "show", "--property=NTPSynchronized", "--value")
    if said is not None and said.strip() == "no":
        yield Finding(
            "warning",
            "clock",
            "the clock is not synchronised: times in history and file names may be wrong",
            "timedatectl set-ntp true, or install chrony",
        )
    else:
        yield Finding("ok", "clock", f"{now.astimezone():%Y-%m-%d %H:%M %Z}")
    if problem := zone_problem(system=machine.place(SYSTEM), local_time=machine.place(LOCAL_TIME)):
        text, _, fix = problem.partition("; ")
        yield Finding("warning", "clock", text, fix)


def look_at_sqlite(version: Version) -> Iterator[Finding]:
    """Say what that release of SQLite lacks or gets wrong."""
    name = "SQLite " + ".".join(map(str, version))
    if version < OLDEST_SQLITE:
        yield Finding("error", "environment", f"{name} is too old", "use a Python with SQLite 3.37 or newer")
        return
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        try:
            database.execute("CREATE VIRTUAL TABLE probe USING fts5(body)")
        except sqlite3.OperationalError:
            yield Finding("error", "environment", f"{name} was built without FTS5", "use another Python")
    bugs = [bug for bug in KNOWN_BUGS if bug.is_in(version)]
    for bug in bugs:
        yield Finding("warning", "environment", f"{name} {bug.text}", bug.fix)
    if not bugs:
        yield Finding("ok", "environment", name)


def _journal(config: Config, machine: Machine) -> Iterator[Finding]:
    if config.daemon.log not in ("auto", "journal"):
        return
    if machine.journal_reachable():
        yield Finding("ok", "daemon.log", "journald listens")
    elif config.daemon.log == "journal":
        yield Finding(
            "warning",
            "daemon.log",
            "journald does not listen: records go to stderr, without fields to search by",
            'start systemd-journald, or use "auto"',
        )
