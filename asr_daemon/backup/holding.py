"""Until when backups hold what was deleted: told from how they are rotated.

Enters: the folders with backups, the rotation, the schedule. Leaves: how many hold it now, and when the last
of them will have been rotated out, if every backup is made as scheduled. Fails as reading a folder does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.backup.archive import list_backups
from asr_daemon.backup.rotation import select_to_keep
from asr_daemon.clock import next_time

if TYPE_CHECKING:
    from datetime import datetime

    from asr_daemon.config import Config

MOST_BACKUPS = 4000  # that are looked ahead; hourly ones for half a year


@dataclass(frozen=True, slots=True)
class Held:
    """``until`` None: no end can be told, or there is nothing to tell of."""

    backups: int
    until: datetime | None = None  # aware


def held_since(config: Config, since: datetime, now: datetime) -> Held:
    """Return what holds a thing that came into the history at ``since`` and was deleted ``now``."""
    folders = [config.backup_dir, *([config.backup.second_dir] if config.backup.second_dir else [])]
    times = {info.taken_at for folder in folders for info in list_backups(folder)}
    holding = {time for time in times if time >= since}
    if not holding:
        return Held(0)
    return Held(len(holding), _gone_at(config, times, holding, now))


def _gone_at(config: Config, times: set[datetime], holding: set[datetime], now: datetime) -> datetime | None:
    settings, at = config.backup, now.astimezone()
    if not settings.schedule:
        return None
    kept = set(times)
    for _ in range(MOST_BACKUPS):
        coming = next_time(settings.schedule, at)
        if coming is None:
            return None
        at = coming
        kept = select_to_keep(
            {*kept, at},
            keep_last=settings.keep_last,
            keep_daily=settings.keep_daily,
            keep_weekly=settings.keep_weekly,
            now=at,
        )
        if not kept & holding:
            return at
    return None
