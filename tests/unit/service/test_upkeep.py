"""Backups that fail, are overdue, are tried; and a history of an older release."""

from __future__ import annotations

import gzip
import socket
import sqlite3
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from click.testing import CliRunner
from sqlite_utils import Database
from way import PROFILE, Way

from asr_daemon.backup import BackupError, list_backups
from asr_daemon.backup.drill import FOLDER
from asr_daemon.backup.health import GRACE
from asr_daemon.cli import cli
from asr_daemon.errors import OperatorError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.connection import HistoryError
from asr_daemon.history.migrations import migrations
from asr_daemon.life import Daemon
from asr_daemon.service.upkeep import Upkeep

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

DAY_S = 86_400.0


class Service(Way):
    """A way with a caretaker whose log is read."""

    def __init__(self, folder: Path, **backup: Any) -> None:
        super().__init__(folder)
        section = self.config.backup.model_copy(update=backup)
        self.config = self.config.model_copy(update={"backup": section})
        self.is_stopping = False
        self.upkeep = Upkeep(
            self.config, self.history, self.settings, self.time.clock, lambda: self.is_stopping
        )

    def said(self, work: object) -> list[dict[str, Any]]:
        """Do that, and return what the log got."""
        with structlog.testing.capture_logs() as records:
            work()  # type: ignore[operator]
        return records  # type: ignore[return-value]


class Over:
    """What was begun, and is over."""

    def is_alive(self) -> bool:
        """Return that it is over."""
        return False

    def join(self, timeout: float | None = None) -> None:
        """Wait for nothing."""


def run_at_once(_name: str, run: Any) -> Over:
    """Run in place of a thread."""
    run()
    return Over()


def events(records: list[dict[str, Any]]) -> list[str]:
    """Return the names of the records."""
    return [record["event"] for record in records]


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    """Return a service with a recording in its history and a second folder for backups."""
    service = Service(tmp_path, second_dir=tmp_path / "nas")
    service.put("a.wav")
    yield service
    service.history.close()


# ------------------------------------------------------------------ taken, failed, overdue


def test_both_folders_are_rotated(service: Service, tmp_path: Path) -> None:
    """Neither folder grows without bound: both keep what the configuration says."""
    kept = service.config.backup.model_copy(update={"keep_last": 2, "keep_daily": 0, "keep_weekly": 0})
    service.upkeep.config = service.config.model_copy(update={"backup": kept})
    for _ in range(4):
        service.upkeep.back_up()
        service.time.pass_s(60.0)
    assert len(list_backups(service.config.backup_dir)) == len(list_backups(tmp_path / "nas")) == 2


def test_second_folder_that_fails_is_said_and_costs_nothing(service: Service, tmp_path: Path) -> None:
    """The backup counts; log and health say what the second folder lacks, until it has it again."""
    (tmp_path / "nas").write_text("a file, not a folder")
    records = service.said(service.upkeep.back_up)
    assert events(records) == ["backup_second_failed", "backup_made"]
    assert any("second folder" in problem for problem in service.upkeep.health().problems)
    (tmp_path / "nas").unlink()
    service.upkeep.back_up()
    assert service.upkeep.health().problems == []


def test_daemon_that_ends_interrupts_a_backup(service: Service) -> None:
    """Stopping within ten seconds does not wait for a large history."""
    service.is_stopping = True
    with pytest.raises(BackupError, match="interrupted"):
        service.upkeep.back_up()
    assert list_backups(service.config.backup_dir) == []


def test_failed_backup_is_remembered_until_one_succeeds(service: Service) -> None:
    """`status` and `check` show the failure, the next success ends it."""
    service.config.backup_dir.write_text("in the way")
    with pytest.raises(BackupError):
        service.upkeep.back_up()
    assert any("last backup failed" in problem for problem in service.upkeep.health().problems)
    service.config.backup_dir.unlink()
    service.upkeep.back_up()
    assert service.upkeep.health().problems == []


def test_overdue_backup_is_said_once_a_day(service: Service) -> None:
    """A backup that did not come is a warning in the journal, one a day, and no more once it came."""
    service.upkeep.back_up()
    service.upkeep.look_after_backups()
    service.time.pass_s(DAY_S + GRACE.total_seconds() + 1)
    assert service.upkeep.health().overdue_since is not None
    warnings = []
    for _ in range(48):
        warnings += events(service.said(service.upkeep.look_after_backups))
        service.time.pass_s(3600.0)
    assert warnings.count("backup_problem") == 2
    service.upkeep.back_up()
    assert service.upkeep.health().overdue_since is None
    assert events(service.said(service.upkeep.look_after_backups)) == []


def test_backups_are_expected_from_the_first_start_on(service: Service) -> None:
    """A service that never made one says so after its first time has passed, and not before."""
    service.upkeep.look_after_backups()
    assert service.upkeep.health().problems == []
    service.time.pass_s(DAY_S + GRACE.total_seconds())
    assert service.upkeep.health().overdue_since is not None


def test_folder_that_cannot_be_listed_stops_nobody(service: Service) -> None:
    """The backups' folder may be a file, or closed: that is a problem to show, not an end."""
    service.config.backup_dir.write_text("in the way")
    health = service.upkeep.health()
    assert health.last is None
    assert any("cannot be listed" in problem for problem in health.problems)


# ------------------------------------------------------------------ the drill


def test_drill_restores_the_newest_once_a_month(service: Service) -> None:
    """By itself, and nothing is left of it but its result."""
    service.upkeep.back_up()
    drills = []
    for _ in range(62):
        drills += events(service.said(service.upkeep.look_after_backups))
        service.time.pass_s(DAY_S)
        service.upkeep.back_up()
    assert drills.count("restore_drill_passed") == 3
    drill = service.upkeep.health().drill
    assert drill is not None
    assert drill.recordings == 1
    assert not (service.config.state_dir / FOLDER).exists()


def test_drill_finds_a_backup_that_went_bad(service: Service) -> None:
    """A damaged backup is said the day the drill comes, and each day until one passes."""
    service.upkeep.back_up()
    newest = list_backups(service.config.backup_dir)[0].path
    newest.write_bytes(newest.read_bytes()[:-200])
    assert "restore_drill_failed" in events(service.said(service.upkeep.look_after_backups))
    assert any("restore drill" in problem for problem in service.upkeep.health().problems)
    assert "restore_drill_failed" not in events(service.said(service.upkeep.look_after_backups))
    service.time.pass_s(DAY_S)
    service.upkeep.back_up()
    assert "restore_drill_passed" in events(service.said(service.upkeep.look_after_backups))
    assert service.upkeep.health().problems == []


def test_drill_notices_rows_that_are_missing(service: Service) -> None:
    """A backup that opens but lacks rows that its head promises is no backup."""
    service.upkeep.back_up()
    newest = list_backups(service.config.backup_dir)[0].path
    whole = newest.read_bytes()
    head_end = whole.index(b"\0", whole.index(b"\0", 10) + 1) + 1
    database = service.folder / "other.db"
    database.write_bytes(gzip.decompress(whole))
    with sqlite3.connect(database) as other:
        other.execute("DELETE FROM recordings")
    other.close()
    packed = gzip.compress(database.read_bytes(), mtime=0)
    newest.write_bytes(whole[:head_end] + packed[10:])
    assert "restore_drill_failed" in events(service.said(service.upkeep.look_after_backups))


# ------------------------------------------------------------------ an older release's history


@pytest.fixture
def older(service: Service) -> Service:
    """Return a service whose history has the shape of the release before, with a recording in it."""
    path = service.config.history_path
    service.history.close()
    path.unlink()
    database = Database(path)
    last = migrations.pending(database)[-1].name
    migrations.apply(database, stop_before=last)
    database.execute(
        "INSERT INTO profiles (digest, profile, created_at) VALUES (?, ?, '2026-01-01T00:00:00.000Z')",
        [PROFILE.digest, PROFILE.to_json()],
    )
    database.execute(
        "INSERT INTO jobs (sha256, profile_digest, state, queued_at) VALUES ('a', ?, 'queued', '2026')",
        [PROFILE.digest],
    )
    database.conn.commit()
    database.close()
    return service


def test_older_history_is_backed_up_then_brought_up_to_date(older: Service) -> None:
    """The backup holds the old shape, the history the new one, and no row is lost."""
    with pytest.raises(HistoryError, match="older release"):
        open_history_read_only(older.config.history_path)
    daemon = Daemon(older.config, clock=older.time.clock)
    records = older.said(daemon.open)
    assert events(records) == ["backup_made_before_upgrade"]
    assert daemon.parts.history.db.conn.execute("SELECT sha256 FROM jobs").fetchone()[0] == "a"
    daemon.close()
    (made,) = list_backups(older.config.backup_dir)
    unpacked = older.folder / "unpacked.db"
    unpacked.write_bytes(gzip.decompress(made.path.read_bytes()))
    before = Database(unpacked)
    assert len(migrations.pending(before)) == 1
    before.close()
    again = Daemon(older.config, clock=older.time.clock)
    assert older.said(again.open) == []
    again.close()


def test_bringing_an_older_history_up_to_date_may_take_its_time(
    older: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Systemd is asked for more time while there is progress, before the unit's own has passed."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
        manager.bind(str(older.folder / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(older.folder / "notify"))
        daemon = Daemon(older.config, clock=older.time.clock)
        daemon.open()
        daemon.close()
        manager.settimeout(5)
        assert manager.recv(4096) == b"EXTEND_TIMEOUT_USEC=600000000"


def test_older_history_stays_as_it_is_where_no_backup_can_be_made(older: Service) -> None:
    """Better not to start than to change the only copy."""
    older.config.backup_dir.write_text("in the way")
    with pytest.raises(OperatorError, match="only after a backup"):
        Daemon(older.config, clock=older.time.clock).open()
    untouched = Database(older.config.history_path)
    assert len(migrations.pending(untouched)) == 1
    untouched.close()
    older.config.backup_dir.unlink()
    daemon = Daemon(older.config, clock=older.time.clock)
    daemon.open()
    daemon.close()


def test_restoring_where_nothing_was_says_so(tmp_path: Path) -> None:
    """`backup restore` without a history to replace speaks of none."""
    config = tmp_path / "config.toml"
    config.write_text('[daemon]\nstate_dir = "state"\n', encoding="utf-8")
    made = CliRunner().invoke(cli, ["backup", "now", "-c", str(config)], catch_exceptions=False)
    backup = made.output.rsplit(" (", 1)[0]
    for file in (tmp_path / "state").glob("history.db*"):
        file.unlink()
    said = CliRunner().invoke(cli, ["backup", "restore", backup, "-c", str(config)], catch_exceptions=False)
    assert said.exit_code == 0
    assert "no history to replace" in said.output
    again = CliRunner().invoke(cli, ["backup", "restore", backup, "-c", str(config)], catch_exceptions=False)
    assert "history-replaced-" in again.output


def test_daemon_looks_after_backups_history_and_figures_by_itself(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is written above happens without anybody asking, soon after a start."""
    path = service.folder / "asr.prom"
    metrics = service.config.metrics.model_copy(update={"textfile": path})
    service.upkeep.back_up()
    service.history.close()
    daemon = Daemon(service.config.model_copy(update={"metrics": metrics}), clock=service.time.clock)
    daemon.open()
    daemon._schedule()
    monkeypatch.setattr(daemon.schedule, "_begin", run_at_once)
    daemon.schedule.step()
    assert "asr_daemon_queue_jobs" in path.read_text(encoding="utf-8")
    service.time.pass_s(300.0)
    daemon.schedule.step()
    drill = daemon.parts.upkeep.health().drill
    assert drill is not None
    assert not drill.problem
    assert daemon.parts.settings.get("retention_ran")
    daemon.close()
