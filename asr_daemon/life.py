"""The life of a daemon: its parts (:mod:`asr_daemon.daemon`) from start to stop, signals and reloads.

Threads: *intake* finds and queues; one *recogniser* each claims, recognises and writes; the *schedule* wakes
them, writes what had to wait, archives and backs up, each in a thread of its own; *control* answers commands;
*reload* takes up another configuration; the caller's thread waits for signals in :meth:`Daemon.run` and feeds
the watchdog. They share the history, one connection behind a lock, and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.clock import Clock
from asr_daemon.control.cluster_door import ClusterDoor
from asr_daemon.control.commands import Commands
from asr_daemon.control.socket import ControlServer
from asr_daemon.control.status_line import status_line
from asr_daemon.daemon import assemble
from asr_daemon.dispatch.local_process import PROGRAM
from asr_daemon.errors import ConfigurationError, HistoryUnavailableError, OperatorError
from asr_daemon.history import open_history
from asr_daemon.service.configuration import Configuration
from asr_daemon.service.schedule import Schedule
from asr_daemon.service.sd_notify import Notifier
from asr_daemon.service.state_folder import StateFolder
from asr_daemon.service.upgrade import back_up_before_migrating
from asr_daemon.service.watchdog import Watchdog
from asr_daemon.telemetry import log as logging
from asr_daemon.telemetry.exposition import Exposition
from asr_daemon.ticks import TICK_S, schedule_departments, schedule_ticks

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from asr_daemon.config import Config

log = structlog.get_logger()

STOP_WITHIN_S = 8.0  # systemd gives ten
RELOAD_ENDS_WITHIN_S = 3.0  # of that
START_STEP_S = 600.0  # checking the copy of a large history is one step


class Daemon:
    """Everything that runs while the service runs; also what `transcribe` starts for itself."""

    def __init__(
        self,
        config: Config,
        config_path: Path | None = None,
        *,
        clock: Clock | None = None,
        recogniser_program: tuple[str, ...] = PROGRAM,
    ) -> None:
        self._configuration = Configuration(config, config_path)
        self._recogniser_program = recogniser_program
        self._clock = clock or Clock()
        self._folder = StateFolder(config.state_dir)
        self._notifier = Notifier.from_environment()
        self._signals = threading.Event()
        self._ending = threading.Event()
        self._reloading = threading.Lock()
        self._wants_reload = False
        self._wants_stop = False
        self._threads: list[threading.Thread] = []
        self._gateway = contextlib.ExitStack()

    # ------------------------------------------------------------------ from start to stop

    def open(self) -> None:
        """Take the state folder and open the history; nothing runs yet.

        Raises :class:`~asr_daemon.errors.StateFolderHeldError` where another daemon runs.
        """
        self._folder.__enter__()
        try:
            history = open_history(
                self._configuration.now.history_path,
                before_migrating=self._back_up_before_migrating,
                on_progress=self._ask_for_time,
            )
        except BaseException:
            self._folder.__exit__()
            raise
        self.parts = assemble(
            self._configuration,
            history,
            self._clock,
            is_stopping=self._ending.is_set,
            recogniser_program=self._recogniser_program,
        )
        self.commands = Commands(self.parts, self.reload)
        self._cluster_door = ClusterDoor(self.parts.dispatcher.cluster)
        self._watchdog = Watchdog(self._notifier, self.parts.heartbeats)
        self._exposition = Exposition(self.parts)

    def _back_up_before_migrating(self, steps: list[str]) -> str:
        def must_stop() -> bool:
            self._ask_for_time()
            return self._wants_stop

        return back_up_before_migrating(self._configuration.now, self._clock, steps, must_stop)

    def _ask_for_time(self) -> None:
        """Starting may take longer as long as there is progress."""
        self._notifier.extend_timeout(START_STEP_S)

    def start(self, *, watch: bool = True) -> None:
        """Open, recover what was interrupted, and begin; ``watch=False`` takes only what is submitted."""
        self.open()
        parts, config = self.parts, self.parts.config
        try:
            recovered = parts.jobs.recover()
            parts.deliverer.recover()
        except HistoryUnavailableError as error:
            self.close()
            raise OperatorError(f"the state folder {config.state_dir} cannot be used: {error}") from error
        for job in recovered:
            log.warning("interrupted_job_recovered", job=job)
        parts.profiles.say_which_model()
        if watch and config.gateway is not None:
            from asr_daemon.control.gateway_door import open_door  # noqa: PLC0415 (most have none)

            self._gateway = open_door(parts, config.gateway)
        if watch:
            self._cluster_door.arrange(config)
        self._control = ControlServer(config.socket_path, self.commands.answer)
        parts.dispatcher.start()
        if watch:
            self._watch()
        self._run_thread("intake", parts.intake.run)
        self._run_thread("attribution", parts.speakers.attributor.run)
        self._schedule()
        self._run_thread("schedule", self.schedule.run)
        log.info(
            "daemon_started",
            inboxes=[inbox.name for inbox in config.inbox] if watch else [],
            state_dir=str(config.state_dir),
        )

    def _watch(self) -> None:
        """Begin to watch; a history that fails now is said, and the rescans try again."""
        try:
            self.parts.intake.watch()
        except HistoryUnavailableError as error:
            log.error("inboxes_not_watched", error=error.code, problem=str(error))

    def run(self) -> None:
        """Run in the foreground until SIGTERM or SIGINT; SIGHUP reads the configuration anew."""
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)
        self.start()
        self._notifier.ready()
        try:
            while not self._wants_stop:
                self._signals.wait(min(TICK_S, self._notifier.watchdog_interval_s or TICK_S))
                self._signals.clear()
                if self._wants_reload:
                    self._wants_reload = False
                    threading.Thread(target=self.reload, name="reload", daemon=True).start()
                self._watchdog.tick(self._dead_threads)
        finally:
            self._notifier.stopping()
            self.stop()

    def _on_signal(self, number: int, _frame: Any) -> None:
        if number == signal.SIGHUP:
            self._wants_reload = True
        else:
            self._wants_stop = True
        self._signals.set()

    def _dead_threads(self) -> Iterator[str]:
        yield from (thread.name for thread in self._threads if not thread.is_alive())
        yield from self.parts.dispatcher.dead_threads()

    def stop(self) -> None:
        """End within ten seconds: what is in work returns to the queue, its finished segments stay."""
        began = time.monotonic()
        until_s = began + STOP_WITHIN_S
        self._ending.set()
        if self._reloading.acquire(timeout=RELOAD_ENDS_WITHIN_S):  # what one under way starts is ended, too
            self._reloading.release()
        self.schedule.stop()
        self.parts.intake.stop()
        self.parts.speakers.attributor.stop()
        self.parts.dispatcher.stop()
        self.parts.dispatcher.join(until_s)
        for thread in self._threads:
            thread.join(max(0.1, until_s - time.monotonic()))
        self.schedule.join(until_s)
        self._control.close()
        self._gateway.close()
        self._cluster_door.close()
        self.close()
        log.info("daemon_stopped", took_s=round(time.monotonic() - began, 2))

    def close(self) -> None:
        """Undo :meth:`open`."""
        self._exposition.close()
        self.parts.history.close()
        self._folder.__exit__()

    def reload(self) -> list[str]:
        """Take up a changed configuration; an invalid one changes nothing, and its problems are returned."""
        with self._reloading:
            if self._ending.is_set():
                return []
            self._notifier.reloading()
            problems: list[str] = []
            try:
                config = self._configuration.read_anew()
            except ConfigurationError as error:
                problems = error.problems
                for problem in problems:
                    log.error("configuration_refused", problem=problem)
            else:
                logging.configure(config.daemon.log, config.daemon.log_level)
                self.parts.reload(config)
                self._arrange_cluster_door(config)
                self.parts.profiles.say_which_model()
                self._schedule_backup()
                log.info("configuration_reloaded", inboxes=[inbox.name for inbox in config.inbox])
            self._notifier.ready()
            return problems

    def _arrange_cluster_door(self, config: Config) -> None:
        try:
            self._cluster_door.arrange(config)
        except OperatorError as error:  # the rest is in force; the next reload tries again
            log.error("cluster_door_not_opened", problem=str(error))

    def _take_up(self, seen: Config, config: Config) -> bool:
        """Go on with other departments, where what they were looked for with is still in force."""
        with self._reloading:
            if self._ending.is_set() or self.parts.config is not seen:
                return False
            self.parts.reload(config)
            return True

    def _run_thread(self, name: str, run: Callable[[], None]) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self.parts.heartbeats.watch(name)
        thread.start()
        self._threads.append(thread)

    def _schedule(self) -> None:
        beat = functools.partial(self.parts.heartbeats.beat, "schedule")
        self.schedule = Schedule(self._clock, beat=beat)
        schedule_ticks(self.schedule, self.parts, self._exposition, self._find_status_line)
        schedule_departments(self.schedule, self.parts, self._take_up)
        self._schedule_backup()

    def _schedule_backup(self) -> None:
        upkeep = self.parts.upkeep
        last = upkeep.health().last
        self.schedule.by_cron(
            self.parts.config.backup.schedule, upkeep.back_up, last.taken_at if last else None
        )

    def _find_status_line(self) -> None:
        self._watchdog.status_line = status_line(self.parts)
