"""A bad day for history.db: damaged pages, another program's file, no room. One sentence, and no noise."""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from attack import AttackedDaemon, drop, recording
from prometheus_client import CollectorRegistry
from way import OpenDaemon

from asr_daemon.control.status import collect, live_status
from asr_daemon.control.status_line import status_line
from asr_daemon.doctor.finding import Machine
from asr_daemon.doctor.folders import look_at_folders
from asr_daemon.doctor.rights import ServiceUser
from asr_daemon.errors import HistoryDamagedError
from asr_daemon.history import open_history, open_history_read_only
from asr_daemon.history.reading import Which, newest, places
from asr_daemon.service.state_health import folder_problem
from asr_daemon.telemetry.metrics import Figures
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_LINES = 30  # of the log, in the seconds that a test looks on
LOOK_S = 6.0


def damage(path: Path, table: str) -> None:
    """Overwrite the first page of a table, or of an index, as a failing disk does."""
    with contextlib.closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((page,),) = database.execute("SELECT rootpage FROM sqlite_master WHERE name = ?", [table])
        ((page_bytes,),) = database.execute("PRAGMA page_size")
    with path.open("r+b") as file:
        file.seek((page - 1) * page_bytes)
        file.write(b"\xff" * page_bytes)


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[AttackedDaemon]:
    """Return a daemon with a recording that is done."""
    with AttackedDaemon(tmp_path) as made:
        made.start()
        drop(made.inbox / "first.wav", recording(1))
        made.wait_until_done(1)
        made.stop()
        yield made


@pytest.mark.parametrize(
    "table",
    [
        "attempts",
        "segments",
        *(
            pytest.param(other, marks=pytest.mark.long)
            for other in ("recordings_by_path", "settings", "jobs")
        ),
    ],
)
def test_a_damaged_page_blocks_the_queue_with_one_sentence(daemon: AttackedDaemon, table: str) -> None:
    """The log says what is wrong and what brings it back, once; then it is quiet. Or it does not start."""
    damage(daemon.history_path, table)
    began = len(daemon.log_text())
    daemon.launch()
    with contextlib.suppress(AssertionError):
        eventually(lambda: daemon.events("daemon_started")[1:] or not daemon.is_running(), what="a start")
    for number in range(20):
        drop(daemon.inbox / f"{number}.wav", recording(number + 10))
    time.sleep(LOOK_S)
    told = daemon.log_text()[began:]
    assert "backup restore" in told
    complaints = [line for line in told.splitlines() if '"recording_queued"' not in line]
    assert len(complaints) < MOST_LINES, complaints
    if not daemon.is_running():
        assert "Traceback" not in told
        assert len(told.strip().splitlines()) <= 3
        return
    ended = daemon.command("status")
    assert "Traceback" not in ended.stderr
    assert "backup restore" in " ".join((ended.stdout + ended.stderr).split())


@pytest.mark.parametrize("table", ["recordings", "settings", "segments_fts_data"])
def test_commands_on_a_damaged_history_end_in_one_sentence(tmp_path: Path, table: str) -> None:
    """Whatever a query comes upon is told as damage, with its remedy."""
    path = tmp_path / "history.db"
    open_history(path).close()
    damage(path, table)
    history = open_history_read_only(path)

    def ask_all() -> None:
        newest(history, Which(None), limit=1)
        places(history, ['"预"'], None, limit=1)
        history.all("settings")

    with pytest.raises(HistoryDamagedError, match="backup restore"):
        ask_all()
    assert "backup restore" in history.damage


def test_an_unforeseen_error_in_a_session_is_said_once_and_waits_longer(daemon: AttackedDaemon) -> None:
    """A row that no release wrote (a profile that is no JSON) fills no log."""
    drop(daemon.inbox / "second.wav", recording(2, segments=1))
    with contextlib.closing(sqlite3.connect(daemon.history_path)) as database, database:
        database.execute("UPDATE profiles SET profile = 'no JSON'")
        database.execute("UPDATE jobs SET state = 'queued', not_before = NULL, attempts = 0")
        database.execute("UPDATE recordings SET state = 'waiting'")
    began = len(daemon.log_text())
    daemon.launch()
    time.sleep(LOOK_S + 4)
    told = daemon.log_text()[began:]
    assert len(told.splitlines()) < MOST_LINES, told[:5000]


def test_a_full_state_disk_is_told_everywhere_while_idle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`status`, `check`, the line of systemctl and the figures say it, though nothing is to be done."""
    state = tmp_path / "state"
    parts = OpenDaemon(tmp_path).daemon.parts
    config = parts.config
    figure = "asr_daemon_state_problem"
    assert folder_problem(state) == ""
    full = os.statvfs_result((4096, 4096, 1000, 5, 0, 100, 50, 50, 0, 255))
    monkeypatch.setattr(os, "statvfs", lambda _path: full)
    sentence = "the disk of the state folder"
    assert sentence in live_status(parts)["state_problem"]
    assert sentence in status_line(parts)
    assert sentence in collect(config)["state_problem"]
    registry = CollectorRegistry()
    registry.register(Figures(parts))
    assert (registry.get_sample_value(figure), registry.get_sample_value("asr_daemon_blocked")) == (1.0, 1.0)
    found = [
        finding for finding in look_at_folders(config, ServiceUser(), Machine()) if finding.level == "error"
    ]
    assert any(sentence in finding.text for finding in found)
