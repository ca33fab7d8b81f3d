"""Backups while a hundred writes a second go on, and kills at every moment.

The short form runs always; the long one (`-m long`) repeats the attack hundreds of times.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

import pytest

from asr_daemon import backup
from asr_daemon.backup.copy import SCRATCH
from asr_daemon.history import open_history

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NOW = datetime(2025, 3, 15, 3, 30, tzinfo=timezone.utc)

# Two rows that belong together per transaction: a torn backup would hold one without the other.
WRITER = """
import sqlite3, sys, time
database = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=30)
database.execute("PRAGMA synchronous = FULL")
(number,) = database.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()
due = time.monotonic()
while True:
    number += 1
    database.execute("BEGIN IMMEDIATE")
    job, segment = (number, str(number)), (number, "预算" * 200)
    database.execute(
        "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at) VALUES (?, ?, 'p', 'done', '')", job)
    database.execute(
        "INSERT INTO segments (job_id, number, start_ms, end_ms, raw_text) VALUES (?, 0, 0, 1, ?)", segment)
    database.execute("COMMIT")
    print(number, flush=True)
    due += 0.01
    time.sleep(max(0, due - time.monotonic()))
"""

BACKUPS = """
import sys
from datetime import datetime, timezone
from pathlib import Path
from asr_daemon import backup
print("begun", flush=True)
while True:
    backup.take_backup(Path(sys.argv[1]), Path(sys.argv[2]), now=datetime.now(timezone.utc))
    print("taken", flush=True)
"""


ADD_JOB = "INSERT INTO jobs (id, sha256, profile_digest, state, queued_at) VALUES (?, ?, 'p', 'done', '')"


def make_history(path: Path, *jobs: int) -> None:
    """Make a history in the daemon's mode that holds these jobs."""
    open_history(path).close()
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("INSERT INTO profiles (digest, profile, created_at) VALUES ('p', '{}', '')")
        database.executemany(ADD_JOB, [(number, str(number)) for number in jobs])


@pytest.fixture
def history(tmp_path: Path) -> Path:
    """Return the path of a history of some size, in the daemon's mode."""
    path = tmp_path / "history.db"
    make_history(path)
    with contextlib.closing(sqlite3.connect(path, isolation_level=None)) as database:
        database.execute("CREATE TABLE ballast (data BLOB)")
        database.executemany("INSERT INTO ballast VALUES (?)", [(os.urandom(64 * 1024),) for _ in range(320)])
    return path


@contextlib.contextmanager
def running(program: str, *arguments: Path) -> Iterator[subprocess.Popen[str]]:
    """Run a Python program until the end of the block, then kill it."""
    child = subprocess.Popen(
        [sys.executable, "-c", program, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )
    try:
        yield child
    finally:
        child.kill()
        child.wait()
        assert child.stdout is not None
        child.stdout.close()


def read_line(child: subprocess.Popen[str]) -> str:
    """Return the next line of a child that must not have ended."""
    assert child.stdout is not None
    line = child.stdout.readline()
    assert line, "the child ended"
    return line.strip()


def assert_untorn(path: Path, scratch: Path) -> int:
    """Assert that the backup is whole and holds both rows of every job; return how many."""
    rows = backup.verify_backup(path).rows
    assert rows["jobs"] == rows["segments"]
    (scratch / "restored.db").unlink(missing_ok=True)
    backup.restore_backup(path, scratch / "restored.db")
    with contextlib.closing(sqlite3.connect(scratch / "restored.db")) as database:
        (newest,) = database.execute("SELECT coalesce(max(id), 0) FROM jobs").fetchone()
        assert newest == rows["jobs"], "a job is missing in the middle"
    return rows["jobs"]


def attack(history: Path, folder: Path, rounds: int, seed: int) -> None:
    """Kill backups, and sometimes the writer, at random moments; every file listed must be whole."""
    dice = random.Random(seed)
    scratch = folder.parent / "restored"
    scratch.mkdir()
    seen: set[str] = set()
    acknowledged = 0
    for _ in range(rounds):
        with running(WRITER, history) as writer:
            acknowledged = int(read_line(writer))
            with running(BACKUPS, history, folder) as backups:
                read_line(backups)
                time.sleep(dice.uniform(0, 1.2))  # the attack: any moment
                if dice.random() < 0.5:
                    writer.send_signal(signal.SIGKILL)
                    time.sleep(dice.uniform(0, 0.3))
        for info in backup.list_backups(folder):
            if info.path.name not in seen:
                seen.add(info.path.name)
                assert_untorn(info.path, scratch)
    final = backup.take_backup(history, folder, now=datetime.now(timezone.utc) + timedelta(days=1))
    assert assert_untorn(final.path, scratch) >= acknowledged
    assert list((history.parent / SCRATCH).iterdir()) == []
    assert {entry.suffix for entry in folder.iterdir()} == {".gz"}


def test_backups_taken_and_killed_under_load_are_whole(history: Path, tmp_path: Path) -> None:
    """With 100 transactions a second and kills, every listed backup is whole and the next one succeeds."""
    attack(history, tmp_path / "backups", rounds=4, seed=1)


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_backups_taken_and_killed_under_load_are_whole_every_time(history: Path, tmp_path: Path) -> None:
    """The same, three hundred times."""
    attack(history, tmp_path / "backups", rounds=300, seed=2)


def test_the_writer_is_not_held_up_and_nothing_acknowledged_is_lost(history: Path, tmp_path: Path) -> None:
    """Whatever was committed before a backup began is in it, while the writer goes on."""
    with running(WRITER, history) as writer:
        for _ in range(3):
            before = int(read_line(writer))
            taken = backup.take_backup(history, tmp_path / "backups", now=NOW)
            after = int(read_line(writer))
            assert before <= taken.rows["jobs"] == taken.rows["segments"]
            assert after > before


# ------------------------------------------------------------------ a kill at each single step


def die_at(step: int) -> Callable[[str, tuple[object, ...]], None]:
    """Return an audit hook that ends the process, like a kill, at the n-th touch of the file system."""
    left = step

    def hook(event: str, _: tuple[object, ...]) -> None:
        nonlocal left
        if event.startswith(("os.", "open", "sqlite3.connect", "shutil.")):
            left -= 1
            if left < 0:
                os._exit(9)

    return hook


def survives_every_kill(work: Callable[[], object], check: Callable[[], None]) -> int:
    """Do the work in a child that dies at its first, second, ... step; check after each; return the steps."""
    for step in range(500):
        pid = os.fork()
        if pid == 0:
            with contextlib.suppress(BaseException):
                sys.addaudithook(die_at(step))
                work()
                os._exit(0)
            os._exit(1)
        _, status = os.waitpid(pid, 0)
        check()
        if os.waitstatus_to_exitcode(status) == 0:
            return step
        assert os.waitstatus_to_exitcode(status) == 9
    pytest.fail("the work never ended")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """Return the path of a history of one job, its log not folded in, as a killed daemon leaves it."""
    path = tmp_path / "state" / "history.db"
    path.parent.mkdir()
    if os.fork() == 0:
        make_history(path)
        database = sqlite3.connect(path, isolation_level=None)
        database.execute(ADD_JOB, (1, "1"))
        os._exit(0)
    os.wait()
    return path


def jobs_in(path: Path) -> list[int]:
    """Return the jobs of a history that must be whole."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        return [number for (number,) in database.execute("SELECT id FROM jobs ORDER BY id")]


def test_a_backup_killed_at_any_step_leaves_whole_backups_only(small: Path, tmp_path: Path) -> None:
    """After a kill at each step of taking one, every listed backup verifies, and the next is taken."""
    folder, second = tmp_path / "backups", tmp_path / "second"

    def check() -> None:
        for info in backup.list_backups(folder) + backup.list_backups(second):
            assert backup.verify_backup(info.path).rows["jobs"] == 1

    steps = survives_every_kill(
        lambda: backup.take_backup(small, folder, now=NOW, second_folder=second), check
    )
    assert steps > 10
    assert not [entry for place in (folder, second) for entry in place.iterdir() if entry.suffix != ".gz"]
    assert list((small.parent / SCRATCH).iterdir()) == []


def test_a_restore_killed_at_any_step_leaves_a_whole_history(small: Path, tmp_path: Path) -> None:
    """After a kill at each step of restoring, the history is the old or the restored; none is lost."""
    taken = backup.take_backup(small, tmp_path / "backups", now=NOW)
    with contextlib.closing(sqlite3.connect(small)) as database, database:
        database.execute(ADD_JOB, (2, "2"))
    kept_after: list[list[int]] = []

    def check() -> None:
        now = jobs_in(small)
        kept = sorted(small.parent.glob("history-replaced-*.db"))
        assert now in ([1], [1, 2])
        assert now == [1, 2] or any(jobs_in(path) == [1, 2] for path in kept)
        kept_after.append(now)
        for path in kept:  # begin the next round as the first
            path.unlink()
        for log in small.parent.glob("history*-*"):
            log.unlink()
        small.unlink()
        make_history(small, 1, 2)

    steps = survives_every_kill(lambda: backup.restore_backup(taken.path, small), check)
    assert steps > 10
    assert kept_after[-1] == [1]
