"""The gateway's part of the status: where it is to listen, which ones serve, how many may use it."""

from __future__ import annotations

import contextlib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from asr_daemon.errors import HistoryUnavailableError
from asr_daemon.history import open_history_read_only
from asr_daemon.history.connection import HistoryError

if TYPE_CHECKING:
    from asr_daemon.config import Config
    from asr_daemon.control.socket import Answer
    from asr_daemon.daemon import Parts


def gateways_there(parts: Parts) -> list[dict[str, Any]]:
    """Return those that serve, in their own words."""
    return [
        {key: value for key, value in asdict(each).items() if key != "command"}
        for each in parts.changes.attendance.now
    ]


def gateway_status(config: Config, live: Answer) -> dict[str, Any] | None:
    """Return what is known of it, a daemon running or not; None where none is configured."""
    if config.gateway is None:
        return None
    return {
        "listen": config.gateway.listen,
        "accesses": count_accesses(config),
        "serving": live.get("gateways", []),
    }


def count_accesses(config: Config) -> int | None:
    """Return how many may use it; None where the history does not say."""
    if not config.history_path.exists():
        return 0
    try:
        with contextlib.closing(open_history_read_only(config.history_path)) as history:
            return len(history.all("accesses"))
    except (HistoryError, HistoryUnavailableError):
        return None
