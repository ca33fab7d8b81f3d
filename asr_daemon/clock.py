"""The two clocks, passed in so that tests can turn them: wall time for people, monotonic for waiting."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone, tzinfo
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from apscheduler.triggers.cron import CronTrigger
from tzlocal import get_localzone

if TYPE_CHECKING:
    from collections.abc import Callable


def _now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True, slots=True)
class Clock:
    """Where the time comes from."""

    now: Callable[[], datetime] = _now  # aware, UTC
    monotonic_s: Callable[[], float] = time.monotonic

    def stamp(self, after_s: float = 0.0) -> str:
        """Return the time, some seconds from now, as the history writes it."""
        return to_stamp(self.now() + timedelta(seconds=after_s))


def shown_length(duration_ms: int) -> str:
    """Return how long a recording is, as ``01:02:03``: to the nearest second, and never nothing at all.

    Every length that people see is made here, so that a list and a transcript say the same.
    """
    seconds = max((duration_ms + 500) // 1000, 1 if duration_ms > 0 else 0)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"


def to_stamp(moment: datetime) -> str:
    """Return ``2026-03-15T07:30:00.000Z``: sorts as text."""
    return moment.astimezone(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def from_stamp(stamp: str) -> datetime:
    """Return the aware moment of a stamp."""
    return datetime.fromisoformat(stamp.replace("Z", "+00:00"))


def next_time(expression: str, after: datetime) -> datetime | None:
    """Return the first time of a cron expression (local time) after that moment."""
    return fire_after(cron_trigger(expression), after)


def cron_trigger(expression: str) -> CronTrigger:
    """Return the times of a cron expression, local; raises ``ValueError`` where it is none."""
    return CronTrigger.from_crontab(expression, timezone=_local_zone())


def _local_zone() -> tzinfo:
    """Return the zone of people here; what the C library makes of a $TZ that is no name ("CST-8")."""
    with contextlib.suppress(ZoneInfoNotFoundError, ValueError):
        found = get_localzone()
        if isinstance(found, ZoneInfo):
            return found
    return datetime.now().astimezone().tzinfo or timezone.utc


def fire_after(trigger: CronTrigger, moment: datetime) -> datetime | None:
    """Return the first time of a trigger after that moment."""
    fires: datetime | None = trigger.get_next_fire_time(None, moment + timedelta(microseconds=1))
    return fires
