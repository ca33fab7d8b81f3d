"""A batch to its receiver, by the way that its kind takes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from asr_daemon.gateway.notifications import robots, webhook
from asr_daemon.gateway.notifications.address import Kind
from asr_daemon.gateway.notifications.apprise_child import MOST_BYTES, AppriseSender
from asr_daemon.gateway.notifications.posting import WITHIN_S
from asr_daemon.gateway.notifications.wording import Room, message_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from asr_daemon.control.notice_messages import Notices
    from asr_daemon.gateway.notifications.address import Address


@dataclass(frozen=True)
class Sender:
    """Sends; tests give other hosts and another clock."""

    hosts: Mapping[Kind, str] = field(default_factory=lambda: robots.HOSTS)
    now_s: Callable[[], float] = time.time
    within_s: float = WITHIN_S
    apprise: AppriseSender = field(default_factory=AppriseSender)

    async def send(self, address: Address, batch: Notices) -> str:
        """Send; return what the receiver said, raise NotSentError where it did not take it."""
        if address.kind is Kind.WEBHOOK:
            return await webhook.send(address, batch, self.now_s(), self.within_s)
        if address.kind is Kind.APPRISE:
            return await self.apprise.send(address, message_of(batch, Room(MOST_BYTES)))
        robot = robots.ROBOTS[address.kind]
        message = message_of(batch, Room(robot.most_bytes, robot.markdown))
        return await robots.send(address, message, self.now_s(), self.hosts, self.within_s)


def pause_s(address: Address) -> float:
    """Return how long a receiver is to be left alone between two messages."""
    robot = robots.ROBOTS.get(address.kind)
    return robot.pause_s if robot is not None else 0.0
