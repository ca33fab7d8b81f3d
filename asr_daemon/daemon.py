"""The whole story of a recording, read from top to bottom.

Found and settled (:mod:`inbox`, :mod:`watch`, :mod:`settle`), hashed (:mod:`fingerprint`), queued
(:mod:`queue`), claimed, recognised (:mod:`consumer` and its child, :mod:`recogniser`), written
(:mod:`deliver`, :mod:`writers`), recorded (:mod:`history`), backed up (:mod:`backup`).

Threads: *intake* finds and queues; *consumer* recognises and writes; the *schedule* wakes them, writes what
had to wait, archives and backs up; *control* answers commands; the caller's thread waits for signals in
:meth:`Daemon.run`. They share the history, one connection behind a lock, and nothing else.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import threading
import time
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.backup import BackupError, take_backup
from asr_daemon.clock import Clock
from asr_daemon.config import load_config
from asr_daemon.control.commands import Steering
from asr_daemon.control.socket import ControlServer
from asr_daemon.control.status import live_status, status_line
from asr_daemon.delivery.archiver import Archiver
from asr_daemon.delivery.deliver import Deliverer
from asr_daemon.dispatch.dispatcher import Consumer
from asr_daemon.dispatch.local_process import PROGRAM, RecogniserProcess
from asr_daemon.errors import (
    AsrDaemonError,
    ConfigurationError,
    JobError,
    ModelMissingError,
    OperatorError,
)
from asr_daemon.ffmpeg import describe, find_ffmpeg
from asr_daemon.history import open_history
from asr_daemon.inboxes.intake import Intake
from asr_daemon.inboxes.share import Answering
from asr_daemon.queue.inbox_profiles import InboxProfiles
from asr_daemon.queue.jobs import Queue
from asr_daemon.service.activation import METRICS_SOCKET, passed_socket
from asr_daemon.service.heartbeats import Heartbeats
from asr_daemon.service.schedule import Schedule
from asr_daemon.service.sd_notify import Notifier
from asr_daemon.service.state_folder import StateFolder
from asr_daemon.service.upkeep import Upkeep

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.dispatch.protocol import Setup
    from asr_daemon.telemetry.metrics import Metrics

log = structlog.get_logger()

STOP_WITHIN_S = 8.0  # systemd gives ten
TICK_S = 5.0
DELIVER_AGAIN_S = 15.0
ARCHIVE_S = 2.0
UPKEEP_S, FIRST_UPKEEP_S = 3600.0, 120.0
METRICS_S = 15.0
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
        self.config = config
        self._recogniser_program = recogniser_program
        self._config_path = config_path
        self.clock = clock or Clock()
        self._folder = StateFolder(config.state_dir)
        self._notifier = Notifier.from_environment()
        self.heartbeats = Heartbeats(self.clock)
        self._stuck: set[str] = set()
        self._metrics: Metrics | None = None
        self._signals = threading.Event()
        self._ending = threading.Event()
        self._wants_reload = False
        self._wants_stop = False
        self._threads: list[threading.Thread] = []

    # ------------------------------------------------------------------ from start to stop

    def open(self) -> None:
        """Take the state folder and open the history; nothing runs yet.

        Raises :class:`~asr_daemon.errors.StateFolderHeldError` where another daemon runs.
        """
        self._folder.__enter__()
        config = self.config
        try:
            self.history = open_history(
                config.history_path,
                before_migrating=self._back_up_before_migrating,
                on_progress=self._ask_for_time,
            )
        except BaseException:
            self._folder.__exit__()
            raise
        daemon = config.daemon
        self.queue = Queue(
            self.history, self.clock, max_attempts=daemon.max_attempts, retry_after_s=daemon.retry_after_s
        )
        self.profiles = InboxProfiles(config)
        self.answering = Answering()
        self.deliverer = Deliverer(
            config, self.history, self.clock, self._on_gone, self.heartbeats.beat, self.answering
        )
        self.archiver = Archiver(
            config, self.history, self.clock, self.deliverer.require_inbox, self._on_gone
        )
        self.consumer = Consumer(
            config,
            self.queue,
            self.profiles,
            self.deliverer,
            self.clock,
            self._start_recogniser,
            _ffmpeg,
            beat=functools.partial(self.heartbeats.beat, "consumer"),
            describe=lambda fd: describe(fd, self.config.engine.ffmpeg),
        )
        self.intake = Intake(
            config,
            self.history,
            self.queue,
            self.profiles,
            self.deliverer,
            self.clock,
            on_queued=self.consumer.wake.set,
            beat=functools.partial(self.heartbeats.beat, "intake"),
            answering=self.answering,
        )
        self.upkeep = Upkeep(
            config,
            self.history,
            self.queue,
            self.clock,
            self._ending.is_set,
            self.heartbeats.beat_for_all,
        )
        self.steering = Steering(self)

    def _back_up_before_migrating(self, steps: list[str]) -> None:
        """An older release's history is changed only once it lies in the backups as it was.

        Raises :class:`~asr_daemon.errors.OperatorError`.
        """

        def go_on() -> bool:
            self._ask_for_time()
            return self._wants_stop

        try:
            made = take_backup(
                self.config.history_path, self.config.backup_dir, now=self.clock.now(), stop=go_on
            )
        except BackupError as error:
            raise OperatorError(
                f"the history of an older release is changed only after a backup, which failed: {error}"
            ) from error
        log.info("backup_made_before_upgrade", file=made.path.name, steps=steps)

    def _ask_for_time(self) -> None:
        """Starting may take longer as long as there is progress."""
        self._notifier.extend_timeout(START_STEP_S)

    def start(self, *, watch: bool = True) -> None:
        """Open, recover what was interrupted, and begin; ``watch=False`` takes only what is submitted."""
        self.open()
        try:
            recovered = self.queue.recover()
        except JobError as error:
            self.close()
            raise OperatorError(
                f"the state folder {self.config.state_dir} cannot be used: {error}"
            ) from error
        for job in recovered:
            log.warning("interrupted_job_recovered", job=job)
        self._say_which_model()
        self._control = ControlServer(self.config.socket_path, self.steering.answer)
        self._run_thread("consumer", self.consumer.run)
        if watch:
            self.intake.watch()
        self._run_thread("intake", self.intake.run)
        self._schedule()
        self._run_thread("schedule", self.schedule.run)
        log.info(
            "daemon_started",
            inboxes=[inbox.name for inbox in self.config.inbox] if watch else [],
            state_dir=str(self.config.state_dir),
        )

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
                    self.reload()
                self._tick()
        finally:
            self._notifier.stopping()
            self.stop()

    def _on_signal(self, number: int, _frame: Any) -> None:
        if number == signal.SIGHUP:
            self._wants_reload = True
        else:
            self._wants_stop = True
        self._signals.set()

    def _tick(self) -> None:
        """Tell systemd how it goes.

        A thread that died ends the daemon; one that is stuck keeps the watchdog from being fed. Either way
        systemd starts it anew.
        """
        for thread in self._threads:
            if not thread.is_alive():
                raise AsrDaemonError(f"the {thread.name} thread ended unexpectedly")
        with contextlib.suppress(JobError):  # the history cannot be read at present
            self._notifier.status(status_line(self))
        stuck = self.heartbeats.stuck()
        for name in stuck.keys() - self._stuck:
            log.error("thread_stuck", thread=name, for_s=round(stuck[name]))
        self._stuck = set(stuck)
        if not stuck:
            self._notifier.watchdog()

    def stop(self) -> None:
        """End within ten seconds: what is in work returns to the queue, its finished segments stay."""
        began = time.monotonic()
        self._ending.set()
        self.schedule.stop()
        self.intake.stop()
        self.consumer.stop()
        for thread in self._threads:
            thread.join(max(0.1, STOP_WITHIN_S - (time.monotonic() - began)))
        self._control.close()
        self.close()
        log.info("daemon_stopped", took_s=round(time.monotonic() - began, 2))

    def close(self) -> None:
        """Undo :meth:`open`."""
        if self._metrics is not None:
            self._metrics.port.close()
        self.history.close()
        self._folder.__exit__()

    def reload(self) -> None:
        """Take up a changed configuration; an invalid one leaves the running one in force, and says so."""
        self._notifier.reloading()
        try:
            config = load_config(self._config_path)
        except ConfigurationError as error:
            for problem in error.problems:
                log.error("configuration_refused", problem=problem)
            self._notifier.ready()
            return
        if config.daemon.state_dir != self.config.daemon.state_dir:
            log.error(
                "configuration_refused", problem="daemon.state_dir: cannot change while the daemon runs"
            )
            self._notifier.ready()
            return
        self.config = config
        self.profiles = InboxProfiles(config)
        self.deliverer.config = self.archiver.config = self.upkeep.config = config
        self.queue.configure(
            max_attempts=config.daemon.max_attempts, retry_after_s=config.daemon.retry_after_s
        )
        self.consumer.reload(config, self.profiles)
        self.intake.reload(config, self.profiles)
        self._say_which_model()
        self._schedule_backup()
        log.info("configuration_reloaded", inboxes=[inbox.name for inbox in config.inbox])
        self._notifier.ready()

    # ------------------------------------------------------------------ parts

    def _run_thread(self, name: str, run: Any) -> None:
        thread = threading.Thread(target=run, name=name, daemon=True)
        self.heartbeats.watch(name)
        thread.start()
        self._threads.append(thread)

    def _say_which_model(self) -> None:
        try:
            model = self.profiles.model
        except ModelMissingError as error:
            log.error("model_missing", problem=str(error))
            return
        say = log.warning if model.is_builtin else log.info
        say("model_chosen", model=model.label, folder=str(model.folder), trial_only=model.is_builtin)

    def _schedule(self) -> None:
        self.schedule = Schedule(self.clock, beat=functools.partial(self.heartbeats.beat, "schedule"))
        self.schedule.every(TICK_S, "rescan", self.intake.tick)
        self.schedule.every(DELIVER_AGAIN_S, "deliver", self.deliverer.deliver_all)
        self.schedule.every(ARCHIVE_S, "archive", self.archiver.archive_all)
        for name, look_after in (
            ("backups", self.upkeep.look_after_backups),
            ("retention", self.upkeep.look_after_history),
        ):
            self.schedule.every(UPKEEP_S, name, look_after, first_after_s=FIRST_UPKEEP_S)
        self.schedule.every(METRICS_S, "metrics", self._show_metrics)
        self._schedule_backup()

    def _schedule_backup(self) -> None:
        last = self.upkeep.health().last
        self.schedule.by_cron(
            self.config.backup.schedule, self.upkeep.back_up, last.taken_at if last else None
        )

    def _show_metrics(self) -> None:
        """Show the figures as the configuration of now says; the library is loaded only where it does."""
        settings = self.config.metrics
        if self._metrics is None and (settings.port or settings.textfile):
            from asr_daemon.telemetry.metrics import Metrics  # noqa: PLC0415

            self._metrics = Metrics(self, passed_socket(METRICS_SOCKET))
        if self._metrics is None:
            return
        self._metrics.port.configure(settings.port)
        if settings.textfile is not None:
            self._metrics.write(settings.textfile)

    def _on_gone(self, inbox: str, path: Path) -> None:
        self.intake.forget(inbox, path)

    def _start_recogniser(self, setup: Setup) -> RecogniserProcess:
        noise = log.bind(source="recogniser")
        return RecogniserProcess.spawn(
            setup,
            on_line=lambda line: noise.debug("recogniser_said", line=line),
            program=self._recogniser_program,
        )

    def live(self) -> dict[str, Any]:
        """Return what only the running daemon knows (see :mod:`asr_daemon.control.status`)."""
        return live_status(self)


def _ffmpeg(configured: str) -> str:
    return os.fspath(find_ffmpeg(configured))
