"""The gateway's part of messages: asks the daemon for each receiver, sends, says what became of it.

Enters: the configuration's receivers, looked at again when the file changes. Leaves: messages, one after
the other to each receiver and to all of them at once. A message counts as sent when the daemon has heard
so: one whose sending was interrupted goes out again, under the same id. After a failure a receiver is left
alone for a while.
"""

from __future__ import annotations

import asyncio
import contextlib
import traceback
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from asr_daemon.config import load_config
from asr_daemon.control import notice_messages as n
from asr_daemon.errors import ConfigurationError
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.notifications.address import address_of
from asr_daemon.gateway.notifications.errors import NotSentError
from asr_daemon.gateway.notifications.sending import Sender, pause_s

if TYPE_CHECKING:
    from asr_daemon.config import Config
    from asr_daemon.config_notify import NotifySection
    from asr_daemon.gateway.daemon_client import DaemonClient
    from asr_daemon.gateway.notifications.address import Address

log = structlog.get_logger()

LOOK_AGAIN_S = 15.0  # at the configuration's file
ASK_AGAIN_S = 2.0  # a daemon that went
AWAY_AFTER = 3  # failures in a row are the receiver's; one alone may be the message's
FIRST_REST_S, LONGEST_REST_S = 1.0, 60.0  # of a receiver that failed; doubles


class Messenger:
    """Serves until it is cancelled."""

    def __init__(
        self, config: Config, path: Path | None, daemon: DaemonClient, sender: Sender | None = None
    ) -> None:
        self._sections = {section.name: section for section in config.notify}
        self._path = path
        self._daemon = daemon
        self._sender = sender or Sender()
        self._signature = self._look()

    async def run(self) -> None:
        """Serve every receiver of the configuration, also those that come later."""
        tasks: dict[str, asyncio.Task[None]] = {}
        try:
            while True:
                for name in set(tasks) - set(self._sections):
                    tasks.pop(name).cancel()
                for name in self._sections:
                    if name not in tasks or tasks[name].done():
                        tasks[name] = asyncio.ensure_future(self._serve(name))
                await asyncio.sleep(LOOK_AGAIN_S)
                self._reload()
        finally:
            for task in tasks.values():
                task.cancel()
            await asyncio.gather(*tasks.values(), return_exceptions=True)

    def _look(self) -> tuple[int, ...]:
        try:
            found = self._path.stat() if self._path is not None else None
        except OSError:
            found = None
        return (found.st_ino, found.st_size, found.st_mtime_ns) if found else ()

    def _reload(self) -> None:
        signature = self._look()
        if signature == self._signature:
            return
        self._signature = signature
        with contextlib.suppress(ConfigurationError):  # the daemon says so
            self._sections = {each.name: each for each in load_config(self._path).notify}

    async def _serve(self, name: str) -> None:
        """Send one batch after the other to a receiver."""
        failures = 0
        while (section := self._sections.get(name)) is not None:
            address, _ = await asyncio.to_thread(_address, section)
            try:
                batch = await self._take(name, alone=address is None or address.takes_each_alone)
            except AnsweredError:
                batch = None
            if batch is None:
                await asyncio.sleep(ASK_AGAIN_S)
                continue
            address, problem = await asyncio.to_thread(_address, self._sections.get(name, section))
            said, after_s = await self._send(name, address, batch, problem)
            was_away = after_s is None and failures >= AWAY_AFTER
            failures = 0 if after_s is None else failures + 1
            await self._settle(n.SettleNotices(batch.batch, after_s is None, said, after_s or 0.0, was_away))
            rest_s = min(LONGEST_REST_S, FIRST_REST_S * 2 ** (failures - 1)) if failures else 0.0
            await asyncio.sleep(max(rest_s, pause_s(address) if address else 0.0))

    async def _take(self, name: str, *, alone: bool) -> n.Notices | None:
        """Return what is to be sent, as soon as there is something; None where the daemon went."""
        async with contextlib.aclosing(self._daemon.follow(n.TakeNotices(name, alone), "")) as answers:
            async for told in answers:
                if isinstance(told, n.Notices):
                    return told
        return None

    async def _send(
        self, name: str, address: Address | None, batch: n.Notices, problem: str
    ) -> tuple[str, float | None]:
        """Return what was said, and None; or, where it was not sent, the time that was asked for."""
        if address is None:
            log.warning("message_not_sent", target=name, message=batch.batch, problem=problem)
            return problem[: n.MOST_SAID_CHARS], 0.0
        try:
            said = await self._sender.send(address, batch)
        except NotSentError as error:
            said, after_s = error.said[: n.MOST_SAID_CHARS], error.after_s
            log.warning("message_not_sent", target=name, message=batch.batch, problem=said)
            return said, after_s
        except Exception as error:  # noqa: BLE001 (a receiver's trouble must not stop the others)
            kind = type(error).__name__  # its words may hold the address
            log.error("message_failed", target=name, message=batch.batch, error=kind, where=_where(error))
            return f"the gateway failed at it: {kind}", 0.0
        log.info("message_sent", target=name, message=batch.batch, messages=len(batch.notices))
        return said[: n.MOST_SAID_CHARS], None

    async def _settle(self, settled: n.SettleNotices) -> None:
        """Tell the daemon, however long it is away."""
        while True:
            try:
                async with contextlib.aclosing(self._daemon.follow(settled, "")) as answers:
                    async for _ in answers:
                        return
            except AnsweredError as error:
                if error.refusal.code != "unavailable":
                    log.error("message_not_settled", message=settled.batch, problem=error.refusal.message)
                    return
            await asyncio.sleep(ASK_AGAIN_S)


def _where(error: Exception) -> str:
    """Return the places in the program that it came through, without what was handled there."""
    frames = traceback.extract_tb(error.__traceback__)
    return " ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in frames)


def _address(section: NotifySection) -> tuple[Address | None, str]:
    """Return where to, or why that is not known; read anew for each message: a file may have changed."""
    try:
        return address_of(section), ""
    except NotSentError as error:
        return None, error.said
