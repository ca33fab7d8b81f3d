"""What is done by the clock: ticks every few seconds, the backup by its cron expression.

Ticks go by the monotonic clock: setting the wall clock neither stops nor multiplies them. The backup goes by
the wall clock, which people mean by "half past three", and bears its jumps: one that was missed (the clock
set forward, the machine asleep or off) is made up for once, and a clock set back has its next time reckoned
anew. Each runs in a thread of its own, and never twice at a time: a slow share delays nobody else.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Protocol

import structlog

from asr_daemon.clock import cron_trigger, fire_after, to_stamp
from asr_daemon.errors import AsrDaemonError

if TYPE_CHECKING:
    from collections.abc import Callable

    from apscheduler.triggers.cron import CronTrigger

    from asr_daemon.clock import Clock

log = structlog.get_logger()

STEP_S = 1.0
SAY_AGAIN_S = 3600.0
JUMP = timedelta(seconds=30)  # the wall clock went otherwise than the monotonic one by that much


@dataclass(slots=True)
class _Tick:
    name: str
    period_s: float
    run: Callable[[], object]
    due_s: float


def in_a_thread(name: str, run: Callable[[], None]) -> threading.Thread:
    """Begin to run that in a thread of its own."""
    thread = threading.Thread(target=run, name=name, daemon=True)
    thread.start()
    return thread


class Running(Protocol):
    """Something that was begun, as a thread is."""

    def is_alive(self) -> bool:
        """Return whether it still goes on."""

    def join(self, timeout: float | None = None) -> None:
        """Wait for its end."""


class Schedule:
    """What it runs may fail, and runs again at its next time."""

    def __init__(
        self,
        clock: Clock,
        begin: Callable[[str, Callable[[], None]], Running] = in_a_thread,
        beat: Callable[[], None] = lambda: None,
    ) -> None:
        self._clock = clock
        self._beat = beat
        self._begin = begin
        self._running: dict[str, Running] = {}
        self._failures: dict[str, tuple[str, float]] = {}  # of each tick: what was said last, and when
        self._ticks: list[_Tick] = []
        self._stopping = threading.Event()
        self._trigger: CronTrigger | None = None
        self._back_up: Callable[[], object] = lambda: None
        self._next_backup: datetime | None = None
        self._offset = self._wall_offset()

    def every(
        self, period_s: float, name: str, run: Callable[[], object], *, first_after_s: float = 0.0
    ) -> None:
        """Run that every so many seconds, the first time at once or after some."""
        self._ticks.append(_Tick(name, period_s, run, self._clock.monotonic_s() + first_after_s))

    def by_cron(self, expression: str, back_up: Callable[[], object], last: datetime | None) -> None:
        """Back up by a cron expression ("" is never); ``last`` is when that was done last, None: never."""
        self._back_up = back_up
        self._trigger = cron_trigger(expression) if expression else None
        now = self._clock.now()
        self._next_backup = self._fire_after(min(last or now, now))

    def run(self) -> None:
        """Run what is due until :meth:`stop`."""
        while not self._stopping.wait(STEP_S):
            self.step()

    def stop(self) -> None:
        """End the loop soon."""
        self._stopping.set()

    def join(self, until_s: float) -> None:
        """Wait for what still runs, until that moment of the monotonic clock: it uses what is closed next."""
        for running in list(self._running.values()):
            running.join(max(0.1, until_s - time.monotonic()))

    def step(self) -> None:
        """Run what is due now."""
        self._beat()
        self._look_at_the_clock()
        for tick in self._ticks:
            if self._clock.monotonic_s() >= tick.due_s:
                tick.due_s = self._clock.monotonic_s() + tick.period_s
                self._run(tick.name, tick.run)
        now = self._clock.now()
        if self._next_backup is not None and now >= self._next_backup:
            self._next_backup = self._fire_after(now)  # however many were missed, one makes up for them
            self._run("backup", self._back_up)

    def _run(self, name: str, run: Callable[[], object]) -> None:
        running = self._running.get(name)
        if running is None or not running.is_alive():
            try:
                self._running[name] = self._begin(name, lambda: self._try(name, run))
            except RuntimeError as error:  # no thread is to be had at present; this one must not die of it
                log.warning("tick_failed", tick=name, problem=str(error))

    def _try(self, name: str, run: Callable[[], object]) -> None:
        try:
            run()
        except AsrDaemonError as error:
            if self._is_news(name, error):
                log.warning("tick_failed", tick=name, problem=str(error))
        except Exception as error:
            if self._is_news(name, error):
                log.exception("tick_failed", tick=name)
        else:
            self._failures.pop(name, None)

    def _is_news(self, name: str, error: Exception) -> bool:
        """Return whether to say it: a tick that fails every few seconds says why once an hour."""
        said, now_s = f"{type(error).__name__}: {error}", self._clock.monotonic_s()
        before, at_s = self._failures.get(name, ("", 0.0))
        is_news = said != before or now_s - at_s >= SAY_AGAIN_S
        if is_news:
            self._failures[name] = (said, now_s)
        return is_news

    def _look_at_the_clock(self) -> None:
        offset = self._wall_offset()
        jumped = offset - self._offset
        if abs(jumped) < JUMP:
            return
        self._offset = offset
        now = self._clock.now()
        log.warning("clock_jumped", by_s=round(jumped.total_seconds()), now=to_stamp(now))
        if jumped < timedelta(0):
            self._next_backup = self._fire_after(now)

    def _fire_after(self, moment: datetime) -> datetime | None:
        return None if self._trigger is None else fire_after(self._trigger, moment)

    def _wall_offset(self) -> timedelta:
        return (
            self._clock.now()
            - datetime.min.replace(tzinfo=self._clock.now().tzinfo)
            - timedelta(seconds=self._clock.monotonic_s())
        )
