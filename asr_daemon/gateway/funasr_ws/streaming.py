"""``2pass`` and ``online``: a live session whose speaker is a client of FunASR's.

Enters: sound as it comes, to the message that ends it. Leaves: increments of what is stable, then, in
``2pass``, the sentence as it stands. The last answer says ``is_final``; a client that goes before that ends
its session, and its recording is kept only where that was asked for.
"""

from __future__ import annotations

import asyncio
import secrets
from typing import TYPE_CHECKING, Any

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError, TrustedName
from asr_daemon.gateway.funasr_ws import answers
from asr_daemon.gateway.funasr_ws.rate import Rate
from asr_daemon.gateway.funasr_ws.wanted import is_end
from asr_daemon.gateway.live.session import SUFFIX
from asr_daemon.gateway.live.spool import About

if TYPE_CHECKING:
    from asr_daemon.gateway.funasr_ws.client import Client
    from asr_daemon.gateway.funasr_ws.wanted import Wanted
    from asr_daemon.gateway.live.captions import Caption
    from asr_daemon.gateway.live.session import LiveSession
    from asr_daemon.gateway.live.sessions import LiveSessions

MOST_HEAD_BYTES = 4096


async def stream(client: Client, wanted: Wanted, sessions: LiveSessions, ffmpeg: str) -> dict[str, Any]:
    """Serve one recording; return the message that ended it.

    Raises :class:`AnsweredError`, ``NotWantedError`` or ``WebSocketDisconnect``.
    """
    name = wanted.name.removesuffix(SUFFIX) or "demo"
    if client.keeps:
        request = m.MayPut(client.inbox, name + SUFFIX)
        await asyncio.to_thread(client.daemon.ask, m.Done, request, client.secret)
    about = About(
        owner=client.person,
        inbox=client.inbox,
        name=name,
        link=secrets.token_urlsafe(18),
        secret=client.secret,
        is_trusted_name=isinstance(client.secret, TrustedName),
        hotwords=wanted.hotwords,
        itn=wanted.itn,
        keeps=client.keeps,
    )
    session = await sessions.begin(about, client.secret)
    rate = Rate(wanted.rate_hz, ffmpeg, session.take)
    taking = asyncio.ensure_future(_take(client, session, rate))
    telling = asyncio.ensure_future(_Telling(client, wanted, session).tell())
    session.attach(taking, client.secret)
    try:
        await asyncio.wait((taking, telling), return_when=asyncio.FIRST_EXCEPTION)
        if telling.done():
            telling.result()
        return taking.result()
    except OSError as error:
        told = error.strerror or str(error)
        raise AnsweredError(m.Refusal("unavailable", told, "服务器没有空间，请稍后再试。")) from None
    finally:
        for task in (taking, telling):
            task.cancel()
        await asyncio.gather(taking, telling, return_exceptions=True)
        await rate.close()
        await session.end(keeps=client.keeps)


async def _take(client: Client, session: LiveSession, rate: Rate) -> dict[str, Any]:
    is_first = True
    while True:
        received = await client.receive()
        if isinstance(received, bytes):
            await rate.put(without_head(received) if is_first else received)
            is_first = False
        elif is_end(received):
            await rate.end()
            await session.end(keeps=client.keeps)
            return received


def without_head(sound: bytes) -> bytes:
    """Return the samples of a client that sends a WAV file with its head where bare ones are expected."""
    at = sound.find(b"data", 0, MOST_HEAD_BYTES) if sound.startswith(b"RIFF") else -1
    return sound[at + 8 :] if at >= 0 else sound


class _Telling:
    """What one client was told of a recording."""

    def __init__(self, client: Client, wanted: Wanted, session: LiveSession) -> None:
        self._client = client
        self._wanted = wanted
        self._session = session
        self._captions = session.captions
        self._number = 0  # of the last caption that was told
        self._sent = ""  # of the sentence that is being said
        self._held: Caption | None = None  # which may be the last one

    async def tell(self) -> None:
        """Tell all of it."""
        await asyncio.shield(self._session.opened)
        version = -1
        while not self._captions.is_complete:
            version = await self._captions.changed(version)
            for caption in self._captions.after(self._number):
                await self._caption(caption)
            saying = self._captions.saying
            if saying is not None and saying.stable.startswith(self._sent) and saying.stable != self._sent:
                await self._append(saying.stable[len(self._sent) :])
                self._sent = saying.stable
        for caption in self._captions.after(self._number):
            await self._caption(caption)
        if self._captions.failure is not None:
            raise AnsweredError(self._captions.failure)
        if self._wanted.mode == "online":
            await self._append("", is_last=True)
        else:
            await self._stand(self._held, is_last=True)

    async def _caption(self, caption: Caption) -> None:
        self._number = caption.number
        if self._wanted.mode == "online":
            # What was appended cannot be taken back: this is the rest.
            if rest := caption.raw_text[len(self._sent) :]:
                await self._append(rest)
        elif self._session.keeps is None:
            await self._stand(caption)
        else:
            if self._held is not None:
                await self._stand(self._held)
            self._held = caption
        self._sent = ""

    async def _append(self, text: str, *, is_last: bool = False) -> None:
        told = answers.increment(self._wanted.mode, self._wanted.name, text, is_last=is_last)
        await self._client.send(told)

    async def _stand(self, caption: Caption | None, *, is_last: bool = False) -> None:
        tokens = self._captions.tokens(caption.number) if caption is not None else ()
        text = caption.text if caption is not None else ""
        told = answers.whole(self._wanted.mode, self._wanted.name, text, tokens, is_last=is_last)
        await self._client.send(told)
