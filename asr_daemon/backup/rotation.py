"""Which backups stay: the last ones, one per day, one per week.

Enters: the times of the backups and the numbers to keep. Leaves: the times that stay. Days and weeks without
a backup do not count, so that a service that slept for months does not lose its last backups by waking up.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from asr_daemon.backup.archive import BackupError, list_backups

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

FUTURE = timedelta(days=1)  # later than this: the clock was wrong when it was taken


def rotate(folder: Path, *, keep_last: int, keep_daily: int, keep_weekly: int, now: datetime) -> list[Path]:
    """Remove the backups that need not stay; return their paths, newest first.

    Raises :class:`~asr_daemon.backup.archive.BackupError` where one cannot be removed.
    """
    backups = list_backups(folder)
    stay = select_to_keep(
        (info.taken_at for info in backups),
        keep_last=keep_last,
        keep_daily=keep_daily,
        keep_weekly=keep_weekly,
        now=now,
    )
    removed = [info.path for info in backups if info.taken_at not in stay]
    try:
        for path in removed:
            path.unlink(missing_ok=True)
    except OSError as error:
        raise BackupError(f"{error.filename}: the old backup cannot be removed: {error.strerror}") from error
    return removed


def select_to_keep(
    taken_at: Iterable[datetime], *, keep_last: int, keep_daily: int, keep_weekly: int, now: datetime
) -> set[datetime]:
    """Return the times that stay: the last, the newest of each day and of each week, in ``now``'s time zone.

    At least the newest stays, whatever the numbers. Times in the future stay and count for nothing: a clock
    that was wrong must push no good backup out.
    """
    times = sorted(set(taken_at), reverse=True)
    past = [time for time in times if time <= now + FUTURE]
    days = {time: time.astimezone(now.tzinfo).date() for time in past}
    weeks = {time: day.isocalendar()[:2] for time, day in days.items()}
    stay = set(times) - set(past)
    stay.update(past[: max(keep_last, 1)])
    stay.update(_newest_of_each(days)[:keep_daily])
    stay.update(_newest_of_each(weeks)[:keep_weekly])
    return stay


def _newest_of_each(period_of: Mapping[datetime, object]) -> list[datetime]:
    """Return the newest time of each period, given newest first."""
    newest: dict[object, datetime] = {}
    for time, period in period_of.items():
        newest.setdefault(period, time)
    return list(newest.values())
