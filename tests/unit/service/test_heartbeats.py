"""The watchdog is fed from the threads' progress."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import pytest
from way import HandClock, OpenDaemon

from asr_daemon.errors import AsrDaemonError
from asr_daemon.service.heartbeats import PATIENCE_S, Heartbeats
from asr_daemon.service.schedule import Schedule

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asr_daemon.life import Daemon


RECOGNISER_THREAD = "recogniser auto"


def test_a_thread_without_a_step_is_stuck_and_one_with_is_not() -> None:
    """Each thread counts by itself; one that goes on again is stuck no more."""
    time = HandClock()
    beats = Heartbeats(time.clock)
    beats.watch("intake")
    beats.watch(RECOGNISER_THREAD)
    time.pass_s(PATIENCE_S)
    beats.beat("intake")
    beats.beat("a thread that nobody watches")
    assert beats.stuck() == {}
    time.pass_s(1.0)
    assert beats.stuck() == {RECOGNISER_THREAD: PATIENCE_S + 1.0}
    beats.beat(RECOGNISER_THREAD)
    assert beats.stuck() == {}
    assert beats.ages_s() == {"intake": 1.0, RECOGNISER_THREAD: 0.0}


def test_work_that_all_wait_for_is_progress_of_all() -> None:
    """While one thread holds the others up and makes steps, none is stuck."""
    time = HandClock()
    beats = Heartbeats(time.clock)
    beats.watch("intake")
    time.pass_s(PATIENCE_S * 2)
    beats.beat_for_all()
    assert beats.stuck() == {}


class Manager(OpenDaemon):
    """A service manager's socket, and a daemon whose threads are beaten for by hand."""

    def __init__(self, folder: Path, environment: pytest.MonkeyPatch) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(folder / "notify"))
        self.socket.setblocking(False)
        environment.setenv("NOTIFY_SOCKET", str(folder / "notify"))
        super().__init__(folder)
        for name in ("intake", RECOGNISER_THREAD, "schedule"):
            self.daemon.parts.heartbeats.watch(name)

    def was_fed(self) -> bool:
        """Tick, and return whether the watchdog was fed."""
        self.daemon._watchdog.tick(self.daemon._dead_threads)
        told = []
        while True:
            try:
                told.append(self.socket.recv(4096))
            except BlockingIOError:
                return b"WATCHDOG=1" in told


@pytest.fixture
def manager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Manager]:
    """Return the manager with an opened daemon."""
    manager = Manager(tmp_path, monkeypatch)
    yield manager
    manager.close()
    manager.socket.close()


@pytest.mark.parametrize("stuck", ["intake", RECOGNISER_THREAD, "schedule"])
def test_the_watchdog_starves_when_one_thread_is_stuck(manager: Manager, stuck: str) -> None:
    """Fed while every thread makes steps, not fed any more when one does not, fed again when it does."""
    names = ("intake", RECOGNISER_THREAD, "schedule")
    for _ in range(10):
        manager.time.pass_s(30.0)
        for name in names:
            manager.daemon.parts.heartbeats.beat(name)
        assert manager.was_fed()
    manager.time.pass_s(PATIENCE_S + 1.0)
    for name in names:
        if name != stuck:
            manager.daemon.parts.heartbeats.beat(name)
    assert not manager.was_fed()
    manager.daemon.parts.heartbeats.beat(stuck)
    assert manager.was_fed()


def steps_of_intake(daemon: Daemon) -> None:
    """Hear of a file, wait for it to settle, hash it."""
    daemon.parts.intake.watch()
    daemon.parts.intake.step(0.0)


def wait_for_a_model(daemon: Daemon) -> None:
    """Ask what is asked twice a second while a model is loaded."""
    (session,) = daemon.parts.dispatcher.sessions.values()
    session._keeper._is_stopping()


def step_of_schedule(daemon: Daemon) -> None:
    """Run what is due."""
    daemon.schedule = Schedule(daemon.parts.clock, beat=lambda: daemon.parts.heartbeats.beat("schedule"))
    daemon.schedule.step()


@pytest.mark.parametrize(
    ("name", "work"),
    [("intake", steps_of_intake), (RECOGNISER_THREAD, wait_for_a_model), ("schedule", step_of_schedule)],
)
def test_every_thread_beats_while_it_works(
    manager: Manager, name: str, work: Callable[[Daemon], None]
) -> None:
    """A scan of many files, loading a model, a round of the schedule: each is a sign of life."""
    (manager.daemon.parts.config.inbox[0].path / "a.wav").write_bytes(b"x")
    manager.time.pass_s(PATIENCE_S * 2)
    assert name in manager.daemon.parts.heartbeats.stuck()
    work(manager.daemon)
    assert name not in manager.daemon.parts.heartbeats.stuck()


def test_the_watchdog_s_thread_waits_for_nobody(manager: Manager) -> None:
    """While the history is compacted nobody gets at it; the intake may hang on a share."""
    history, intake = manager.daemon.parts.history, manager.daemon.parts.intake
    manager.daemon._find_status_line()
    entered, leave = threading.Event(), threading.Event()

    def hold() -> None:
        with history._lock, intake._lock:
            entered.set()
            leave.wait(30)

    holder = threading.Thread(target=hold)
    holder.start()
    assert entered.wait(10)
    assert manager.was_fed()
    leave.set()
    holder.join()


def test_a_thread_that_died_ends_the_daemon(manager: Manager) -> None:
    """Nobody else would find recordings, or recognise them: systemd starts the daemon anew."""
    dead = threading.Thread(target=lambda: None, name="intake")
    dead.start()
    dead.join()
    manager.daemon._threads.append(dead)
    with pytest.raises(AsrDaemonError, match="intake thread ended"):
        manager.was_fed()
