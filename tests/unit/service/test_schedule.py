"""Ticks and backups under clocks that jump."""

from __future__ import annotations

from datetime import datetime, timedelta

import pytest
from way import HandClock

from asr_daemon.errors import DiskFullError
from asr_daemon.service.schedule import Schedule, in_a_thread

DAY_S = 86_400.0
EVERY_DAY = "30 3 * * *"


class Watch:
    """A schedule with one tick of five seconds and a daily backup."""

    def __init__(self, last: datetime | None = None) -> None:
        self.time = HandClock()
        self.ticks: list[float] = []
        self.backups: list[datetime] = []
        self.schedule = Schedule(self.time.clock, begin=self.at_once)
        self.schedule.every(5.0, "tick", lambda: self.ticks.append(self.time.seconds))
        self.schedule.by_cron(EVERY_DAY, self.back_up, last)

    def at_once(self, _name: str, run: object) -> object:
        """Run where the thread would begin."""
        run()  # type: ignore[operator]
        return lambda: False

    def back_up(self) -> None:
        """Take note."""
        self.backups.append(self.time.wall)

    def run_s(self, seconds: float, step_s: float = 600.0) -> None:
        """Let time pass in steps."""
        for _ in range(round(seconds / step_s)):
            self.time.pass_s(step_s)
            self.schedule.step()


def test_backup_comes_once_a_day() -> None:
    """Three days, three backups, each at its time."""
    watch = Watch()
    watch.run_s(3 * DAY_S)
    assert len(watch.backups) == 3
    gaps = {later - earlier for earlier, later in zip(watch.backups, watch.backups[1:], strict=False)}
    assert gaps == {timedelta(days=1)}


@pytest.mark.parametrize("jump_s", [-DAY_S, -3600.0, 3600.0, DAY_S])
def test_no_backup_is_missed_and_no_tick_stops_when_the_clock_jumps(jump_s: float) -> None:
    """After a jump of an hour or a day the next backup is at most a day of real time away; ticks go on."""
    watch = Watch()
    watch.run_s(1.2 * DAY_S)
    before = len(watch.backups)
    watch.time.set_by_s(jump_s)
    ticks = len(watch.ticks)
    watch.schedule.step()
    watch.run_s(60.0, step_s=5.0)
    assert 11 <= len(watch.ticks) - ticks <= 13
    watch.run_s(DAY_S)
    assert 1 <= len(watch.backups) - before <= 2
    if jump_s == DAY_S:
        assert len(watch.backups) - before == 2, "the one that was jumped over is made up for"


def test_missed_backups_are_made_up_for_once() -> None:
    """A machine that was off for a week backs up at once, and once."""
    watch = Watch(last=HandClock().wall - timedelta(days=7))
    watch.schedule.step()
    watch.schedule.step()
    assert len(watch.backups) == 1


def test_first_start_waits_for_the_first_time() -> None:
    """Without an earlier backup nothing is missed yet."""
    watch = Watch()
    watch.schedule.step()
    assert watch.backups == []


def test_empty_schedule_is_never() -> None:
    """Without a cron expression nothing is backed up, also after one that was."""
    watch = Watch()
    watch.schedule.by_cron("", watch.back_up, None)
    watch.run_s(2 * DAY_S)
    assert watch.backups == []


def test_failing_tick_comes_again() -> None:
    """An error is logged, foreseen or not, and everything else goes on."""
    watch = Watch()
    failed = []

    def fail() -> None:
        failed.append(1)
        raise DiskFullError if len(failed) == 1 else OSError

    watch.schedule.every(5.0, "failing", fail)
    watch.run_s(60.0, step_s=5.0)
    assert len(failed) == len(watch.ticks) == 12


def test_slow_tick_is_not_begun_twice() -> None:
    """While one goes on, its next time is passed over."""
    time = HandClock()
    begun: list[str] = []

    def begin(name: str, _run: object) -> object:
        begun.append(name)
        return lambda: True

    schedule = Schedule(time.clock, begin=begin)
    schedule.every(5.0, "slow", lambda: None)
    for _ in range(10):
        time.pass_s(5.0)
        schedule.step()
    assert begun == ["slow"]


def test_each_runs_in_a_thread_of_its_own() -> None:
    """What begins a tick says whether it still goes on."""
    import threading  # noqa: PLC0415

    gate, done = threading.Event(), threading.Event()

    def run() -> None:
        gate.wait(10)
        done.set()

    goes_on = in_a_thread("test", run)
    assert goes_on()
    gate.set()
    assert done.wait(10)
