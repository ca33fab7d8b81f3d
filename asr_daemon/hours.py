"""When an inbox's recordings are recognised: ``["22:00-07:00", "Sat,Sun", "Mon-Fri 12:00-13:00"]``.

An entry is days, a time, or both with a space between: days ``Mon`` to ``Sun``, alone, as a list
(``Sat,Sun``) or as a range (``Fri-Mon``), and a time from the first minute to the one that ends it
(``HH:MM-HH:MM``, the end at most ``24:00``). Days alone are whole days, a time alone is every day's. One that
ends before it begins goes on into the next morning, and belongs to the day on which it begins. Of several
entries each counts.

Times are those of a clock on the wall. On a night that skips an hour what begins in it begins with the hour
after it; one that comes twice counts twice.
"""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from datetime import tzinfo

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MIN = 24 * 60
AHEAD_DAYS = 9  # any week's windows, and the one that began the evening before
_MINUTE, _HOUR = timedelta(minutes=1), timedelta(hours=1)
_ENTRY = re.compile(
    r"(?P<days>[a-z][a-z,\s-]*?)?\s*(?P<time>\d{1,2}:\d{2}\s*-\s*\d{1,2}:\d{2})?", re.IGNORECASE
)
_FIX = 'write "22:00-07:00", "Sat,Sun" or "Mon-Fri 20:00-23:00"'


@dataclass(frozen=True, slots=True)
class _Window:
    """Minutes of a day, the last one left out; above 24 h where it goes on into the next day."""

    days: frozenset[int]  # on which it begins; Monday is 0
    begins_min: int
    ends_min: int

    def holds(self, day: int, minute: int) -> bool:
        return (day in self.days and self.begins_min <= minute < self.ends_min) or (
            (day - 1) % 7 in self.days and minute + DAY_MIN < self.ends_min
        )


class Hours:
    """The hours of an inbox; without entries always."""

    def __init__(self, entries: Iterable[str] = (), zone: tzinfo | None = None) -> None:
        """Read the entries; ``zone`` is the machine's where none is given. Raises ``ValueError``."""
        self.entries = tuple(entries)
        self._windows = tuple(map(_parse, self.entries))
        self._zone = zone

    def __bool__(self) -> bool:
        return bool(self._windows)

    def __str__(self) -> str:
        return ", ".join(self.entries)

    def are_open(self, moment: datetime) -> bool:
        """Whether recordings may be recognised at that (aware) moment."""
        if not self._windows:
            return True
        local = self._local(moment)
        minute = local.hour * 60 + local.minute
        return any(window.holds(local.weekday(), minute) for window in self._windows)

    def open_at(self, moment: datetime) -> datetime | None:
        """Return that moment, or the first after it at which they are open (UTC); None: not within a week."""
        if self.are_open(moment):
            return moment
        return next((change for change in self._changes(moment) if self.are_open(change)), None)

    def close_at(self, moment: datetime) -> datetime | None:
        """Return that moment, or the first after it at which they are closed (UTC); None: never."""
        if not self.are_open(moment):
            return moment
        return next((change for change in self._changes(moment) if not self.are_open(change)), None)

    def open_s(self, since: datetime, until: datetime) -> float:
        """Return how long they were open between two moments, of which at most nine days are looked at."""
        if not self._windows:
            return max(0.0, (until - since).total_seconds())
        since = max(since, until - timedelta(days=AHEAD_DAYS))
        moments = [since, *(each for each in self._changes(since) if each < until), until]
        return sum(
            (end - begin).total_seconds()
            for begin, end in itertools.pairwise(moments)
            if begin < end and self.are_open(begin)
        )

    @property
    def week_h(self) -> float:
        """How many hours of an ordinary week they are open."""
        minutes = {
            (day * DAY_MIN + minute) % (7 * DAY_MIN)
            for window in self._windows
            for day in window.days
            for minute in range(window.begins_min, window.ends_min)
        }
        return len(minutes) / 60 if self._windows else 168.0

    def _local(self, moment: datetime) -> datetime:
        return moment.astimezone(self._zone)

    def _at(self, wall: datetime, fold: int) -> datetime:
        """Return the moment (UTC) at which a clock on the wall shows that: for the first or second time."""
        wall = wall.replace(fold=fold)
        return (wall.replace(tzinfo=self._zone) if self._zone else wall).astimezone(timezone.utc)

    def _changes(self, moment: datetime) -> list[datetime]:
        """Return the moments after that one at which something may begin or end, in order."""
        first = self._local(moment).replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        found = set(self._jumps(moment))
        for day in range(-1, AHEAD_DAYS):
            midnight = first + timedelta(days=day)
            for window in self._windows:
                if midnight.weekday() in window.days:
                    for minute in (window.begins_min, window.ends_min):
                        wall = midnight + minute * _MINUTE
                        found |= {self._at(wall, fold) for fold in (0, 1)}
        return sorted(each for each in found if each > moment)

    def _jumps(self, moment: datetime) -> Iterator[datetime]:
        """Yield the moments at which the clocks are set, for summer time and back."""
        before = moment.astimezone(timezone.utc).replace(minute=0, second=0, microsecond=0)
        for _ in range(AHEAD_DAYS * 24):
            after = before + _HOUR
            if self._local(before).utcoffset() != self._local(after).utcoffset():
                offset = self._local(before).utcoffset()
                yield next(
                    each
                    for each in (before + step * _MINUTE for step in range(1, 61))
                    if self._local(each).utcoffset() != offset
                )
            before = after


def _parse(entry: str) -> _Window:
    match = _ENTRY.fullmatch(entry.strip())
    days, time = (match["days"], match["time"]) if match else (None, None)
    if not (days or time):
        raise ValueError(f"{entry!r} says no hours: {_FIX}")
    begins_min, ends_min = _times(entry, time) if time else (0, DAY_MIN)
    return _Window(_days(entry, days) if days else frozenset(range(7)), begins_min, ends_min)


def _days(entry: str, text: str) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        names = [name.strip().lower() for name in part.split("-")]
        unknown = next((name for name in names if name not in DAYS), None)
        if unknown is not None:
            raise ValueError(
                f"{entry!r}: there is no day {unknown!r}: days are Mon Tue Wed Thu Fri Sat Sun; {_FIX}"
            )
        if len(names) > 2:  # noqa: PLR2004 (from and to)
            raise ValueError(f"{entry!r}: {part.strip()!r} is no range of days: {_FIX}")
        first, last = DAYS.index(names[0]), DAYS.index(names[-1])
        found |= {(first + step) % 7 for step in range((last - first) % 7 + 1)}
    return frozenset(found)


def _times(entry: str, text: str) -> tuple[int, int]:
    minutes = []
    for part in text.split("-"):
        hour, minute = map(int, part.split(":"))
        if minute > 59 or hour * 60 + minute > DAY_MIN:  # noqa: PLR2004 (minutes of an hour)
            raise ValueError(f"{entry!r}: {part.strip()} is no time of day: {_FIX}")
        minutes.append(hour * 60 + minute)
    begins_min, ends_min = minutes
    if begins_min in (ends_min, DAY_MIN):
        raise ValueError(f"{entry!r} ends when it begins: for whole days write the days alone ({_FIX})")
    return begins_min, ends_min + (DAY_MIN if ends_min < begins_min else 0)
