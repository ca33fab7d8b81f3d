"""Which inboxes are outside their hours, by the clock of now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from asr_daemon.hours import Hours

if TYPE_CHECKING:
    from datetime import datetime, tzinfo

    from asr_daemon.clock import Clock
    from asr_daemon.config import Config

ALWAYS = Hours()


class OpenHours:
    """The hours of every inbox; for any thread."""

    def __init__(self, config: Config, clock: Clock, zone: tzinfo | None = None) -> None:
        self._clock = clock
        self._zone = zone
        self._known: tuple[int, tuple[str, ...]] | None = None
        self.reload(config)

    def reload(self, config: Config) -> None:
        """Take up other hours."""
        self._hours = {inbox.name: Hours(inbox.hours, self._zone) for inbox in config.inbox if inbox.hours}
        self._known = None

    def of(self, inbox: str) -> Hours:
        """Return the hours of an inbox."""
        return self._hours.get(inbox, ALWAYS)

    def closed(self) -> tuple[str, ...]:
        """Return the inboxes outside their hours: asked often, found out once a minute of the clock."""
        if not self._hours:
            return ()
        now = self._clock.now()
        minute, known = int(now.timestamp() // 60), self._known
        if known is None or known[0] != minute:
            closed = tuple(inbox for inbox, hours in self._hours.items() if not hours.are_open(now))
            self._known = known = (minute, closed)
        return known[1]

    def begin_at(self, inbox: str) -> datetime | None:
        """Return when the hours of an inbox begin; None where they have, or do not within a week."""
        hours, now = self.of(inbox), self._clock.now()
        return None if hours.are_open(now) else hours.open_at(now)

    def end_at(self, inbox: str) -> datetime | None:
        """Return when they end; None where they have not begun, or never end."""
        hours, now = self.of(inbox), self._clock.now()
        return hours.close_at(now) if hours and hours.are_open(now) else None

    def waited_s(self, inbox: str, since: datetime) -> float:
        """Return for how long what was queued then has been waiting within its hours."""
        return self.of(inbox).open_s(since, self._clock.now())
