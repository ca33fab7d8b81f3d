"""What `asr-daemon notify` asks of the daemon: a message on trial, another try for those given up."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog

from asr_daemon.errors import OperatorError, UsageError

if TYPE_CHECKING:
    from asr_daemon.control.socket import Answer
    from asr_daemon.daemon import Parts

log = structlog.get_logger()

ANSWER_WITHIN_S = 60.0  # apprise may take half of it
NOT_THERE = "no gateway serves that would send it: `asr-daemon serve`, or systemctl start asr-daemon-web"
TOO_LATE = "the gateway did not send it within a minute; see its journal"


class NoticeCommands:
    """One method a command."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def test(self, name: str) -> Answer:
        """Send a message by the usual way; return whether it went, and what the receiver said.

        Raises :class:`~asr_daemon.errors.OperatorError` where nobody is there to send it, and
        :class:`~asr_daemon.errors.UsageError` where there is no such receiver.
        """
        outbox, changes, clock = self._parts.upkeep.outbox, self._parts.changes, self._parts.clock
        names = [section.name for section in self._parts.config.notify]
        if name not in names:
            raise UsageError(
                f"there is no [[notify]] called {name!r}; there are: {', '.join(names) or 'none'}"
            )
        if not changes.attendance.now:
            raise OperatorError(NOT_THERE)
        number, until_s = outbox.test(name), clock.monotonic_s() + ANSWER_WITHIN_S
        version: int | None = 0
        while (row := outbox.get(number)) is not None and row.state == "waiting":
            left_s = until_s - clock.monotonic_s()
            if version is None or left_s <= 0 or not changes.attendance.now:
                outbox.give_up(number, TOO_LATE if changes.attendance.now else NOT_THERE)
                continue
            version = changes.after(version, within_s=min(1.0, left_s))
        if row is None:
            raise OperatorError(TOO_LATE)
        return {"sent": row.state == "sent", "said": row.said}

    def retry(self, notices: list[int]) -> Answer:
        """Try again what was given up: these, or all."""
        count = self._parts.upkeep.outbox.retry(notices)
        log.info("messages_revived", messages=count)
        return {"count": count}
