"""All live sessions of this gateway, those that an earlier process left among them."""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING

import structlog

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError, TrustedName
from asr_daemon.gateway.live.session import LiveSession
from asr_daemon.gateway.live.spool import Kept

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.gateway.daemon_client import DaemonClient
    from asr_daemon.gateway.live.spool import About

log = structlog.get_logger()

MOST_KEPT = 64  # the daemon bounds how many are recognised at once
TOLD_AFTER_S = 600.0  # for so long one that is over can still be read
FULL = m.Refusal(
    "unavailable", "too many live sessions are kept here", "服务器上的实时字幕太多，请稍后再试。"
)


class LiveSessions:
    """Them; the event loop's alone."""

    def __init__(self, folder: Path, daemon: DaemonClient, left_after_s: float) -> None:
        self._folder = folder
        self._daemon = daemon
        self._left_after_s = left_after_s
        self._open: dict[str, LiveSession] = {}
        self._lives: set[asyncio.Task[None]] = set()

    async def restore(self) -> None:
        """Go on with what an earlier process left."""
        folders = await asyncio.to_thread(self._left)
        for folder in folders:
            kept = await asyncio.to_thread(Kept.find, folder)
            if kept is None:
                log.warning("live_session_unreadable", folder=folder.name)
                continue
            about = kept.about
            secret = TrustedName(about.secret) if about.is_trusted_name else about.secret
            session = LiveSession(folder.name, kept, self._daemon, secret, self._left_after_s)
            session.opened.set_result(None)
            log.info("live_session_restored", session=folder.name[:8], sound_bytes=session.sound_bytes)
            self._let_live(session)
            if not about.keeps:  # nobody can come back to it
                await session.end(keeps=False)

    def _left(self) -> list[Path]:
        self._folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        return sorted(each for each in self._folder.iterdir() if each.is_dir())

    async def begin(self, about: About, secret: str) -> LiveSession:
        """Begin a session; ``opened`` of it says whether the daemon let it. Raises :class:`AnsweredError`."""
        if sum(not session.is_over for session in self._open.values()) >= MOST_KEPT:
            raise AnsweredError(FULL)
        number = secrets.token_urlsafe(24)
        try:
            kept = await asyncio.to_thread(Kept.begin, self._folder / number, about)
        except OSError as error:
            told = error.strerror or str(error)
            raise AnsweredError(m.Refusal("unavailable", told, "服务器没有空间，请稍后再试。")) from None
        session = LiveSession(number, kept, self._daemon, secret, self._left_after_s)
        log.info("live_session_begun", session=number[:8], inbox=about.inbox, access=about.owner)
        self._let_live(session)
        return session

    def find(self, number: str, owner: str) -> LiveSession | None:
        """Return somebody's own session."""
        session = self._open.get(number)
        return session if session is not None and session.about.owner == owner else None

    def linked(self, word: str) -> LiveSession | None:
        """Return the session of a readers' link."""
        return next((each for each in self._open.values() if each.about.link == word), None)

    def of(self, owner: str) -> list[LiveSession]:
        """Return somebody's sessions that are not over."""
        return [each for each in self._open.values() if each.about.owner == owner and not each.is_over]

    async def stop(self) -> None:
        """Leave everything to the next process."""
        for life in self._lives:
            life.cancel()
        await asyncio.gather(*self._lives, return_exceptions=True)

    def _let_live(self, session: LiveSession) -> None:
        self._open[session.number] = session
        life = asyncio.ensure_future(self._live(session))
        self._lives.add(life)
        life.add_done_callback(self._lives.discard)

    async def _live(self, session: LiveSession) -> None:
        try:
            await session.run()
        except AnsweredError:  # it never began: whoever waits for `opened` is told
            session.abandon()
            del self._open[session.number]
        except Exception:
            log.exception("live_session_failed", session=session.number[:8])
            raise
        else:
            asyncio.get_running_loop().call_later(TOLD_AFTER_S, self._open.pop, session.number, None)
