"""A daemon's life: what a reload reaches, who waits for whom, and how it ends."""

from __future__ import annotations

import signal
import threading
import time
import unittest.mock
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from way import OpenDaemon, make_config

from asr_daemon.daemon import Parts
from asr_daemon.errors import HistoryFailedError, InternalError, OperatorError
from asr_daemon.files.departments import Listing, list_departments
from asr_daemon.inboxes import admission
from asr_daemon.life import Daemon
from asr_daemon.queue.jobs import Jobs
from asr_daemon.service.departments import Departments
from asr_daemon.service.schedule import Schedule
from asr_daemon.service.sd_notify import Notifier
from asr_daemon.telemetry import log

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from asr_daemon.config import Config

PATIENCE_S = 20.0
CONFIG = """
[daemon]
state_dir = "state"
log_level = "{log_level}"
max_attempts = {max_attempts}
[engine]
model = "{model}"
threads = {threads}
[backup]
schedule = "{backup_schedule}"
keep_last = {keep_last}
[retention]
tokens_days = {keep_last}
[metrics]
textfile = "{metrics}"
[[inbox]]
name = "{inbox}"
path = "{inbox}"
archive = "{archive}"
formats = ["{format}"]
"""
USUAL = {
    "log_level": "info",
    "max_attempts": 3,
    "model": "auto",
    "threads": 0,
    "backup_schedule": "30 3 * * *",
    "keep_last": 7,
    "metrics": "",
    "inbox": "inbox",
    "archive": "archive",
    "format": "txt",
}
CHANGED = {
    "log_level": "debug",
    "max_attempts": 1,
    "model": "nowhere",
    "threads": 3,
    "backup_schedule": "0 12 * * *",
    "keep_last": 2,
    "metrics": "asr.prom",
    "inbox": "other",
    "archive": "shelf",
    "format": "srt",
}


class Configured(OpenDaemon):
    """An opened daemon with a file of configuration; nothing of it runs."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "config.toml"
        self.write()
        super().__init__(folder)
        self.daemon._configuration.path = self.path
        self.daemon.schedule = Schedule(self.time.clock, begin=lambda _name, run: run())  # type: ignore[arg-type,return-value,func-returns-value]
        self.reload()

    def write(self, **changed: object) -> None:
        """Write the file."""
        self.path.write_text(CONFIG.format(**{**USUAL, **changed}), encoding="utf-8")

    def reload(self, **changed: object) -> list[dict[str, Any]]:
        """Change the file and take it up; return what the log got, which stays as it is."""
        self.write(**changed)
        with pytest.MonkeyPatch.context() as patch, structlog.testing.capture_logs() as records:
            patch.setattr(log, "configure", lambda _style, _level: None)
            self.daemon.reload()
        return records  # type: ignore[return-value]


@pytest.fixture
def configured(tmp_path: Path) -> Iterator[Configured]:
    """Return the daemon."""
    for name in ("other", "archive", "shelf"):
        (tmp_path / name).mkdir()
    configured = Configured(tmp_path)
    yield configured
    configured.close()


# ------------------------------------------------------------------ what a reload reaches


def test_every_part_takes_up_the_configuration(configured: Configured) -> None:
    """One key of each, and what it does there."""
    parts = configured.parts
    made = configured.reload(**CHANGED)
    assert "configuration_reloaded" in [record["event"] for record in made]
    config = parts.config
    assert config.daemon.max_attempts == 1
    reached = {
        "profiles": parts.profiles.identity == "missing:nowhere",
        "jobs": parts.jobs._max_attempts == 1,
        "intake": list(parts.intake.inboxes) == ["other"] and parts.intake.config is config,
        "dispatcher": configured.session._engine.threads == 3,
        "opener": parts.dispatcher._around.opener.config is config,
        "deliverer": parts.deliverer.config is config,
        "archiver": parts.archiver.config is config,
        "upkeep": parts.upkeep.config is config,
    }
    assert [part for part, is_reached in reached.items() if not is_reached] == []


def test_every_part_that_can_be_reloaded_is(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    """A part that is added later and forgotten in ``Parts.reload`` is found here."""
    reloaded: list[str] = []
    able = {
        name
        for name in Parts.__dataclass_fields__
        if hasattr(type(getattr(configured.parts, name)), "reload")
    }
    for name in able:
        kind = type(getattr(configured.parts, name))
        monkeypatch.setattr(kind, "reload", lambda _self, _config, name=name: reloaded.append(name))
    configured.parts.reload(make_config(configured.folder))
    assert set(reloaded) == able
    assert len(reloaded) == len(able) >= 7


def test_department_that_is_made_while_it_runs_is_watched(configured: Configured) -> None:
    """Its recordings are taken in; a changed file waits for its reload all the same."""
    (configured.folder / "offices" / "财务").mkdir(parents=True)
    text = configured.path.read_text(encoding="utf-8")
    added = text.replace("[daemon]", '[daemon]\ninboxes = "offices"')
    configured.path.write_text(added, encoding="utf-8")
    configured.daemon.reload()
    assert list(configured.parts.intake.inboxes) == ["inbox", "财务"]
    configured.daemon._schedule()
    configured.daemon.schedule._begin = lambda _name, run: run()  # type: ignore[assignment,return-value,func-returns-value]
    (configured.folder / "offices" / "人事").mkdir()
    configured.path.write_text(added.replace("max_attempts = 3", "max_attempts = 1"), encoding="utf-8")
    for _ in range(3):
        configured.time.pass_s(10.0)
        configured.daemon.schedule.step()
    assert list(configured.parts.intake.inboxes) == ["inbox", "财务", "人事"]
    assert configured.parts.config.daemon.max_attempts == 3
    recording = configured.folder / "offices" / "人事" / "面谈.wav"
    recording.write_bytes(b"sound")
    configured.parts.intake.wake("人事", None)
    for _ in range(3):
        configured.parts.intake.step(0.0)
        configured.time.pass_s(10.0)
    rows = configured.history.all("inbox_counts")
    assert [(row["inbox"], row["state"]) for row in rows] == [("人事", "waiting")]


def test_reload_that_comes_while_departments_are_looked_for_stays(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A folder of departments on a slow NAS: what was found with the former configuration is not taken up."""
    offices = configured.folder / "offices"
    (offices / "财务").mkdir(parents=True)
    text = configured.path.read_text(encoding="utf-8").replace("[daemon]", '[daemon]\ninboxes = "offices"')
    configured.path.write_text(text, encoding="utf-8")
    configured.daemon.reload()
    seen = configured.parts.config
    departments = Departments(configured.parts.configuration, configured.history, configured.daemon._take_up)
    departments.look()
    (offices / "人事").mkdir()
    departments.look()
    changed = text.replace("max_attempts = 3", "max_attempts = 1")

    def reload_first(folder: Path) -> Listing:
        if configured.parts.config is seen:
            configured.path.write_text(changed, encoding="utf-8")
            configured.daemon.reload()
        return list_departments(folder)

    monkeypatch.setattr("asr_daemon.service.departments.list_departments", reload_first)
    departments.look()
    departments.look()
    assert configured.parts.config.daemon.max_attempts == 1
    assert set(configured.parts.intake.inboxes) == {"inbox", "财务", "人事"}


def test_attempts_of_now_are_those_of_the_file_of_now(configured: Configured) -> None:
    """Seen from outside: with one attempt left the recording is given up at the first failure."""
    configured.reload(max_attempts=1)
    configured.put()
    assert configured.jobs.fail(configured.claim().id, InternalError()) == "quarantined"


def test_level_of_the_log_changes_at_once(configured: Configured, capsys: pytest.CaptureFixture[str]) -> None:
    """`log_level = "debug"` shows what was hidden, and "error" hides it again."""

    def is_shown() -> bool:
        structlog.get_logger().debug("detail")
        structlog.get_logger().info("event")
        told = capsys.readouterr().err
        assert ("detail" in told) <= ("event" in told)
        return "detail" in told

    log.configure("console", "info")
    configured.write(log_level="debug")
    configured.daemon.reload()
    assert is_shown()
    configured.write(log_level="info")
    configured.daemon.reload()
    assert not is_shown()


def test_backup_comes_by_the_schedule_of_now(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> None:
    """At noon where it was at half past three; never where there is none."""
    made: list[datetime] = []
    upkeep = configured.parts.upkeep
    monkeypatch.setattr(type(upkeep), "back_up", lambda _self: made.append(configured.time.wall))
    zone = configured.time.wall.astimezone().tzinfo

    def run_a_day() -> list[int]:
        made.clear()
        for _ in range(24 * 4):
            configured.time.pass_s(900)
            configured.daemon.schedule.step()
        return [moment.astimezone(zone).hour for moment in made]

    configured.reload()
    run_a_day()
    assert run_a_day() == [3]
    configured.reload(backup_schedule="0 12 * * *")
    run_a_day()
    assert run_a_day() == [12]
    configured.reload(backup_schedule="")
    assert run_a_day() == []


def test_refused_configuration_changes_nothing(configured: Configured) -> None:
    """Every problem is in the log, and each part has what it had."""
    before = configured.parts.config
    records = configured.reload(log_level="loud")
    assert [record["event"] for record in records if record["log_level"] == "error"] == [
        "configuration_refused"
    ]
    assert configured.parts.config is before
    configured.path.write_text('[daemon]\nstate_dir = "elsewhere"\n', encoding="utf-8")
    with structlog.testing.capture_logs() as told:
        configured.daemon.reload()
    assert "cannot change" in told[0]["problem"]
    assert configured.parts.config is before


# ------------------------------------------------------------------ who waits for whom


@pytest.fixture
def hashing(configured: Configured, monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Let the intake hash a recording that does not end; the event lets it end."""
    begun, leave = threading.Event(), threading.Event()
    real = admission.fingerprint

    def read(descriptor: int, must_stop: Any) -> Any:
        if Path(f"/proc/self/fd/{descriptor}").readlink().name == "huge.wav":
            begun.set()
            leave.wait(PATIENCE_S)
        return real(descriptor, must_stop)

    monkeypatch.setattr(admission, "fingerprint", read)
    (configured.inbox / "huge.wav").write_bytes(b"huge")
    intake = configured.parts.intake

    def take_in() -> None:
        while not begun.is_set():
            intake.step(0.05)
            configured.time.pass_s(10.0)

    thread = threading.Thread(target=take_in)
    thread.start()
    assert begun.wait(PATIENCE_S)
    yield leave
    leave.set()
    thread.join(PATIENCE_S)


def within(seconds: float, work: Any) -> bool:
    """Do that in a thread; return whether it was done in time."""
    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    thread.join(seconds)
    return not thread.is_alive()


def test_nobody_waits_while_a_large_recording_is_hashed(
    configured: Configured, hashing: threading.Event
) -> None:
    """Gigabytes over NFS: reload, the tick, the watchdog and `transcribe` go on meanwhile."""
    named = configured.folder / "named.wav"
    named.write_bytes(b"named")
    parts = configured.parts
    profile = parts.profiles.profile("")
    assert within(PATIENCE_S / 2, lambda: parts.intake.submit(named, profile, priority=-1))
    assert configured.jobs.count_queued() == 1
    assert within(PATIENCE_S / 2, parts.intake.tick)
    assert within(PATIENCE_S / 2, lambda: configured.daemon._watchdog.tick(lambda: ()))
    assert within(PATIENCE_S / 2, lambda: configured.daemon.commands.answer({"command": "status"}))
    assert within(PATIENCE_S / 2, lambda: configured.reload(inbox="other"))
    assert list(parts.intake.inboxes) == ["other"]
    assert not hashing.is_set()


def test_reload_runs_beside_the_thread_that_feeds_the_watchdog(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGHUP: whatever the reload waits for, the loop of signals and watchdog goes on."""
    daemon = configured.daemon
    reloading, leave, ticks = threading.Event(), threading.Event(), []
    monkeypatch.setattr(daemon, "reload", lambda: reloading.set() or leave.wait(PATIENCE_S))
    monkeypatch.setattr(daemon, "start", lambda: None)
    monkeypatch.setattr(daemon, "stop", lambda: None)
    monkeypatch.setattr("signal.signal", lambda _number, _handler: None)
    daemon._notifier = Notifier(None, watchdog_interval_s=0.01)

    def tick(_dead_threads: object) -> None:
        ticks.append(reloading.is_set())
        daemon._wants_stop = ticks.count(True) > 3

    monkeypatch.setattr(daemon._watchdog, "tick", tick)
    daemon._on_signal(signal.SIGHUP, None)
    assert within(PATIENCE_S / 2, daemon.run)
    assert ticks.count(True) > 3
    leave.set()


# ------------------------------------------------------------------ the end


def make_running(folder: Path) -> Config:
    """Return the configuration of a daemon that may run in this process."""
    (folder / "inbox").mkdir()
    return make_config(folder)


def test_end_waits_for_what_the_schedule_still_runs(tmp_path: Path) -> None:
    """A tick in mid-query when the history is closed would be a traceback in the journal."""
    daemon = Daemon(make_running(tmp_path))
    daemon.start()
    begun, over = threading.Event(), []

    def slow_tick() -> None:
        begun.set()
        for _ in range(10):
            time.sleep(0.1)
            over.append(daemon.parts.jobs.count_queued())

    daemon.schedule.every(3600.0, "slow", slow_tick)
    assert begun.wait(PATIENCE_S)
    with structlog.testing.capture_logs() as records:
        daemon.stop()
    assert len(over) == 10
    assert [record for record in records if record["log_level"] in ("error", "warning")] == []


def test_end_waits_for_a_reload_under_way_and_begins_no_other(
    configured: Configured, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a reload starts after the end would outlive the daemon."""
    daemon = configured.daemon
    begun, leave, order = threading.Event(), threading.Event(), []

    def slow_reload(_config: Config) -> None:
        order.append("reload")
        begun.set()
        assert leave.wait(PATIENCE_S)
        order.append("reloaded")

    monkeypatch.setattr(type(daemon.parts), "reload", lambda _parts, config: slow_reload(config))
    monkeypatch.setattr(daemon.parts.dispatcher, "stop", lambda: order.append("stop"))
    for closed in ("close", "_control"):
        monkeypatch.setattr(daemon, closed, unittest.mock.MagicMock(), raising=False)
    reloading = threading.Thread(target=daemon.reload)
    reloading.start()
    assert begun.wait(PATIENCE_S)
    ending = threading.Thread(target=daemon.stop)
    ending.start()
    assert within(PATIENCE_S, daemon._ending.wait)
    leave.set()
    ending.join(PATIENCE_S)
    reloading.join(PATIENCE_S)
    assert order == ["reload", "reloaded", "stop"]
    daemon.reload()
    assert order == ["reload", "reloaded", "stop"]


def test_state_folder_that_cannot_be_written_is_said_at_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One sentence; the folder is given back."""

    def refuse(_self: Jobs, held: object = ()) -> list[int]:
        raise HistoryFailedError("disk I/O error")

    monkeypatch.setattr(Jobs, "recover", refuse)
    daemon = Daemon(make_running(tmp_path))
    with pytest.raises(OperatorError, match="cannot be used: disk I/O error"):
        daemon.start()
    again = Daemon(make_config(tmp_path))
    again.open()
    again.close()
