"""The messages' part of the status: how they stand by receiver, and why they wait."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from asr_daemon.history.outbox import Standing, standings
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from asr_daemon.config import Config
    from asr_daemon.control.socket import Answer
    from asr_daemon.history import History

NO_GATEWAY = Sentence(
    "messages wait for the gateway: `asr-daemon serve` with [gateway] in the configuration",
    "通知要由网关发送，现在网关没有运行，请联系管理员。",
)


def notice_status(config: Config, live: Answer, history: History | None) -> list[dict[str, Any]]:
    """Return what `status` shows of each receiver; addresses without their secrets."""
    found = standings(history) if history is not None and config.notify else {}
    return [
        {
            "name": section.name,
            "address": section.shown_address,
            "on": list(section.on),
            "waiting": standing.waiting,
            "oldest_waiting": standing.oldest_waiting or None,
            "given_up": standing.given_up,
            "last_sent_at": standing.last_sent_at or None,
            "problem": waits_because(config, live, standing),
        }
        for section in config.notify
        for standing in (found.get(section.name, Standing()),)
    ]


def waits_because(config: Config, live: Answer, standing: Standing) -> str:
    """Return why messages of a receiver do not go out, or ""."""
    if config.gateway is None or (live and not live.get("gateways")):
        return NO_GATEWAY
    return standing.problem
