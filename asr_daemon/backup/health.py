"""How it stands with the backups: for `status`, `check`, the metrics and the journal alike.

Enters: the configuration, what the history remembers of them, the time. Leaves: the last one, and everything
that is wrong with them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from asr_daemon.backup.archive import BackupError, BackupInfo, list_backups
from asr_daemon.backup.drill import Drill
from asr_daemon.backup.rotation import FUTURE
from asr_daemon.clock import from_stamp, next_time
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.config import Config

# Settings of the history.
ERROR = "backup_error"  # why the last one failed, after its stamp; "" where it did not
SECOND_ERROR = "backup_second_error"  # the same, of the second folder
DRILL = "backup_drill"
SINCE = "backup_since"  # since when backups are expected: the first start of the daemon
WARNED = "backup_warned"  # when the journal was last told of a problem

GRACE = timedelta(hours=1)  # a large history takes a while


@dataclass(frozen=True, slots=True)
class BackupHealth:
    """What is known of the backups."""

    last: BackupInfo | None
    error: str = ""
    second_error: str = ""
    overdue_since: datetime | None = None  # aware; when one should have been made
    drill: Drill | None = None
    folder_problem: str = ""  # why the backups cannot be listed
    of_the_future: BackupInfo | None = None  # one that cannot have been made yet: it counts for nothing

    @property
    def problems(self) -> list[str]:
        """Return a sentence for each thing that is wrong."""
        found: list[str] = []
        if self.folder_problem:
            found.append(Sentence(self.folder_problem, "备份文件夹打不开。"))
        if self.overdue_since is not None:
            since = f"{self.overdue_since.astimezone():%Y-%m-%d %H:%M}"
            found.append(Sentence(f"a backup is overdue since {since}", f"{since} 起该有的备份还没有做。"))
        if self.error:
            found.append(
                Sentence(
                    f"the last backup failed: {self.error}", f"上一次备份失败（{_moment(self.error)}）。"
                )
            )
        if self.second_error:
            found.append(
                Sentence(
                    f"the second folder has no copy of the last backup: {self.second_error}",
                    "第二个备份文件夹里没有最近一次备份的副本。",
                )
            )
        if self.drill is not None and self.drill.problem:
            found.append(
                Sentence(
                    f"the restore drill of {self.drill.file} failed: {self.drill.problem}",
                    f"备份 {self.drill.file} 的恢复演练没有通过，它可能不能用。",
                )
            )
        return found


def _moment(error: str) -> str:
    """Return when a backup failed, of what is remembered of that: a stamp and the reason."""
    return error[:16].replace("T", " ")


def backup_health(config: Config, setting: Callable[[str], str], now: datetime) -> BackupHealth:
    """Return how the backups are; ``setting`` gives what the history remembers ("": nothing).

    What only has a backup's name is none, and one of the future (a wrong clock, or a joke) is not the last.
    """
    backups: list[BackupInfo] = []
    folder_problem = ""
    try:
        backups = list_backups(config.backup_dir)
    except BackupError as error:
        folder_problem = str(error)
    last = next((backup for backup in backups if backup.rows and backup.taken_at <= now + FUTURE), None)
    return BackupHealth(
        last=last,
        error=setting(ERROR),
        second_error=setting(SECOND_ERROR) if config.backup.second_dir is not None else "",
        overdue_since=None if folder_problem else _overdue_since(config, last, setting(SINCE), now),
        drill=Drill.from_json(setting(DRILL)),
        folder_problem=folder_problem,
        of_the_future=next((backup for backup in backups if backup.taken_at > now + FUTURE), None),
    )


def _overdue_since(config: Config, last: BackupInfo | None, since: str, now: datetime) -> datetime | None:
    """Return when a backup should have been made that was not; None where all is well."""
    begin = last.taken_at if last else from_stamp(since) if since else None
    if begin is None or not config.backup.schedule:
        return None
    due = next_time(config.backup.schedule, begin)
    return due if due is not None and now > due + GRACE else None
