"""What keeps the history safe and small: backups, restore drills, retention, and saying what is wrong.

It keeps the outbox as well: who is told of what, and for how long what was sent is kept.

Enters: ticks of the schedule and an administrator's ``backup now``. Leaves: checked backups, settings that
tell how they went, lines in the journal. A failure is logged, shown in `status`, and tried again next time.
"""

from __future__ import annotations

import os
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import structlog

from asr_daemon.backup import BackupError, rotate, take_backup
from asr_daemon.backup.drill import run_drill
from asr_daemon.backup.health import DRILL, ERROR, SECOND_ERROR, SINCE, WARNED, BackupHealth, backup_health
from asr_daemon.clock import from_stamp
from asr_daemon.errors import AsrDaemonError, HistoryUnavailableError
from asr_daemon.history.outbox import Outbox
from asr_daemon.history.retention import compact, expire
from asr_daemon.service.state_health import folder_problem

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.backup import BackupInfo
    from asr_daemon.clock import Clock
    from asr_daemon.config import Config
    from asr_daemon.history import History
    from asr_daemon.history.settings import Settings

log = structlog.get_logger()

WARN_EVERY = RETAIN_EVERY = timedelta(days=1)
RETENTION_RAN, TOKENS_BEFORE = "retention_ran", "retention_tokens_before"  # settings of the history


class Upkeep:
    """The history's caretaker; its methods run in threads of the schedule, one of each at a time."""

    def __init__(
        self,
        config: Config,
        history: History,
        settings: Settings,
        clock: Clock,
        is_stopping: Callable[[], bool],
        beat_for_all: Callable[[], None] = lambda: None,
    ) -> None:
        self.config = config
        self._history = history
        self._beat_for_all = beat_for_all
        self._settings = settings
        self._clock = clock
        self._is_stopping = is_stopping
        self._said_of_state = ""
        self.outbox = Outbox(history, clock)
        self._name_receivers()

    def reload(self, config: Config) -> None:
        """Take up another configuration."""
        self.config = config
        self._name_receivers()

    def _name_receivers(self) -> None:
        try:
            self.outbox.configure(self.config.notify)
        except HistoryUnavailableError as error:
            log.error("receivers_not_named", error=error.code, problem=str(error))

    # ------------------------------------------------------------------ backups

    def back_up(self) -> dict[str, Any]:
        """Take a backup and rotate the old ones; raises :class:`~asr_daemon.errors.AsrDaemonError`."""
        settings = self.config.backup
        try:
            made = take_backup(
                self.config.history_path,
                self.config.backup_dir,
                now=self._clock.now(),
                second_folder=settings.second_dir,
                stop=self._is_stopping,
            )
            removed = self._rotate(self.config.backup_dir)
        except AsrDaemonError as error:
            log.error("backup_failed", problem=str(error))
            with self._history.transaction():
                self._remember(ERROR, f"{self._clock.stamp()} {error}")
                self.outbox.announce("backup_failed", "backup", str(error))
            raise
        self._remember(ERROR, "")
        self._remember_second(made)
        log.info("backup_made", file=made.path.name, size_bytes=made.size_bytes, removed=len(removed))
        return {
            "path": os.fspath(made.path),
            "size_bytes": made.size_bytes,
            "rows": made.rows,
            "second_path": os.fspath(made.second_path) if made.second_path else None,
            "second_problem": made.second_problem,
        }

    def _remember_second(self, made: BackupInfo) -> None:
        """Rotate the second folder, too; what is wrong there fails no backup, but is said."""
        folder = self.config.backup.second_dir
        if folder is None:
            return
        problem = made.second_problem
        if not problem:
            try:
                self._rotate(folder)
            except BackupError as error:
                problem = str(error)
        with self._history.transaction():
            if problem:
                log.warning("backup_second_failed", file=made.path.name, problem=problem)
                self.outbox.announce("backup_failed", "backup", problem)
            self._remember(SECOND_ERROR, f"{self._clock.stamp()} {problem}" if problem else "")

    def _rotate(self, folder: Path) -> list[Path]:
        settings = self.config.backup
        return rotate(
            folder,
            keep_last=settings.keep_last,
            keep_daily=settings.keep_daily,
            keep_weekly=settings.keep_weekly,
            now=self._clock.now().astimezone(),  # days and weeks as people have them
        )

    # ------------------------------------------------------------------ looking after them

    def health(self) -> BackupHealth:
        """Return how the backups are now."""
        return backup_health(self.config, self._setting, self._clock.now())

    def look_after_backups(self) -> None:
        """Drill when it is due, and tell the journal what is wrong, once a day at most."""
        if not self._setting(SINCE):
            self._remember(SINCE, self._clock.stamp())  # from the first start on, backups are expected
        self._drill_if_due()
        problems = self.health().problems
        warned, now = self._setting(WARNED), self._clock.now()
        if problems and not (warned and timedelta(0) <= now - from_stamp(warned) < WARN_EVERY):
            for problem in problems:
                log.warning("backup_problem", problem=problem)
            self._remember(WARNED, self._clock.stamp())
        elif not problems and warned:
            self._remember(WARNED, "")

    def _drill_if_due(self) -> None:
        health, now = self.health(), self._clock.now()
        if health.last is None or (health.drill is not None and now < health.drill.next_at):
            return
        drill = run_drill(health.last, self.config.state_dir, now=now)
        with self._history.transaction():
            self._remember(DRILL, drill.to_json())
            if drill.problem:
                self.outbox.announce("backup_failed", "backup", drill.problem)
        if drill.problem:
            log.error("restore_drill_failed", file=drill.file, problem=drill.problem)
        else:
            log.info("restore_drill_passed", file=drill.file, recordings=drill.recordings)

    # ------------------------------------------------------------------ the folder itself

    @property
    def state_problem(self) -> str:
        """Why the history cannot be written, or read; "" where all is well."""
        return self._history.damage or folder_problem(self.config.state_dir)

    def look_after_state_folder(self) -> None:
        """Tell the journal when the state folder becomes unusable, and when it is well again."""
        problem, before = self.state_problem, self._said_of_state
        self._said_of_state = problem
        if problem and not before:
            log.error("state_folder_unusable", problem=problem)
        elif before and not problem:
            log.info("state_folder_usable_again")

    # ------------------------------------------------------------------ retention

    def look_after_history(self) -> None:
        """Forget what is old enough, once a day, and give space back when nothing is in work."""
        ran, now = self._setting(RETENTION_RAN), self._clock.now()
        limits = self.config.retention
        if not ran or now < from_stamp(ran) or now - from_stamp(ran) >= RETAIN_EVERY:
            up_to = expire(
                self._history,
                limits,
                since=self._setting(TOKENS_BEFORE),
                now=now,
                is_stopping=self._is_stopping,
            )
            self._remember(TOKENS_BEFORE, up_to)
            if limits.messages_days and (forgotten := self.outbox.expire(limits.messages_days)):
                log.info("messages_expired", messages=forgotten)
            self._remember(RETENTION_RAN, self._clock.stamp())
        compact(
            self._history,
            self.config.history_path,
            limits.vacuum_percent,
            on_progress=self._on_long_step,
        )

    def _on_long_step(self) -> bool:
        self._beat_for_all()
        return self._is_stopping()

    def _setting(self, key: str) -> str:
        return self._settings.get(key)

    def _remember(self, key: str, value: str) -> None:
        self._settings.set(key, value)
