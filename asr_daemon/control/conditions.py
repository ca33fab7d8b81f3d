"""What is wrong for longer than a moment, told once: a queue that waits, an inbox that is gone, a full disk.

Enters: ticks of the schedule. Leaves: messages in the outbox, each with the setting that remembers what was
told, in one transaction: a daemon that is started anew tells nothing twice, and forgets nothing. Fails as
the history does; the next tick tries again.
"""

from __future__ import annotations

import functools
import shutil
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch.in_work import Phase
from asr_daemon.errors import InboxGoneError
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from asr_daemon.daemon import Parts

log = structlog.get_logger()

HOLD_S = 30.0  # what passes sooner is no message
DISKS_S = 60.0
LOW_BYTES, LOW_RATIO = 5 * 10**9, 0.05  # the smaller of both
WELL_AGAIN = 1.5  # times that
GB = 10**9


class Conditions:
    """Looks again and again; belongs to one thread."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._seen: dict[str, tuple[bool, float]] = {}  # by condition: whether it holds, and since when
        self._disks_at_s = -DISKS_S

    def look(self) -> None:
        """Tell what has changed for good."""
        if not self._parts.config.notify:
            return
        self._queue()
        for name, watched in list(self._parts.intake.inboxes.items()):
            self._tell(f"inbox {name}", "inbox_gone", self._parts.inbox_problem(watched), inbox=name)
        now_s = self._parts.clock.monotonic_s()
        if now_s - self._disks_at_s >= DISKS_S:
            self._disks_at_s = now_s
            self._disks()

    def _queue(self) -> None:
        states = self._parts.dispatcher.serving
        problem = self._parts.upkeep.state_problem
        if self._parts.dispatcher.is_blocked:
            problem = problem or states[0].reason
        elif not problem and not any(state.phase in (Phase.IDLE, Phase.WORKING) for state in states):
            return  # it is being loaded, or paused: that says nothing
        self._tell("queue", "blocked", problem, over="unblocked")

    def _disks(self) -> None:
        seen: set[int] = set()
        for name, folder in self._folders():
            try:
                device, free, size = self._parts.shares.ask(folder, functools.partial(_room, folder))
            except (OSError, InboxGoneError):
                continue
            if device in seen:
                continue
            seen.add(device)
            limit = min(LOW_BYTES, size * LOW_RATIO)
            key = f"disk {name}"
            if free >= limit * (WELL_AGAIN if self._is_told(key) else 1.0):
                self._tell(key, "disk_low", "", hold_s=0.0)
                continue
            told = f"only {free / GB:.1f} GB are free on the disk of {folder}: make room"
            chinese = f"{folder} 所在磁盘只剩 {free / GB:.1f} GB 可用，请清理。"
            self._tell(key, "disk_low", Sentence(told, chinese), hold_s=0.0)

    def _folders(self) -> Iterator[tuple[str, Path]]:
        config = self._parts.config
        yield from (("state", config.state_dir), ("backup", config.backup_dir))
        yield from ((f"inbox {inbox.name}", inbox.path) for inbox in config.inbox)

    # ------------------------------------------------------------------ telling

    def _tell(
        self,
        key: str,
        event: str,
        problem: str,
        *,
        over: str = "",
        inbox: str = "",
        hold_s: float = HOLD_S,
    ) -> None:
        """Tell that a condition holds, or (``over``) does no longer, once that has been so for a while."""
        holds, now_s = bool(problem), self._parts.clock.monotonic_s()
        before = self._seen.get(key)
        if before is None or before[0] != holds:
            before = self._seen[key] = (holds, now_s)
        if holds == self._is_told(key) or now_s - before[1] < hold_s:
            return
        with self._parts.history.transaction():
            self._parts.settings.set(_setting(key), "1" if holds else "")
            if holds or over:
                self._parts.upkeep.outbox.announce(event if holds else over, key, problem, inbox)
        log.info("condition_told" if holds else "condition_over", condition=key, problem=str(problem))

    def _is_told(self, key: str) -> bool:
        return self._parts.settings.get(_setting(key)) == "1"


def _setting(key: str) -> str:
    return f"told {key}"


def _room(folder: Path) -> tuple[int, int, int]:
    """Return device, free bytes and size of a folder's disk."""
    room = shutil.disk_usage(folder)
    return folder.stat().st_dev, room.free, room.total
