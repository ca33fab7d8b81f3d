"""``/api/v1/live``: the speaker's WebSocket, and their sessions for who has lost it.

The first message is ``start`` or ``resume``. The answer ``ready`` says from which byte on sound is wanted
(``offset``, of ``int16`` little-endian, 16 kHz mono); ``saved`` says which of it need not be kept by the
speaker any more. Captions come as ``final`` with their ``number``, and as ``interim`` before that.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import structlog
from fastapi import APIRouter, Request, WebSocket
from pydantic import BaseModel
from starlette.websockets import WebSocketDisconnect

from asr_daemon.control import messages as m
from asr_daemon.control.live_messages import BYTES_PER_SAMPLE
from asr_daemon.gateway import sockets
from asr_daemon.gateway.daemon_client import AnsweredError, DaemonClient, TrustedName
from asr_daemon.gateway.live import words
from asr_daemon.gateway.live.captions import Mood  # noqa: TC001 (FastAPI reads the annotations)
from asr_daemon.gateway.live.spool import About
from asr_daemon.gateway.who import Daemon, Secret, secret_of

if TYPE_CHECKING:
    from asr_daemon.gateway.live.session import LiveSession
    from asr_daemon.gateway.live.sessions import LiveSessions

log = structlog.get_logger()
router = APIRouter(tags=["live"])

TAKEN_OVER = 4001  # the code of a socket that is closed because of another one of the same speaker
OPENED_WITHIN_S = 20.0  # between the socket and its first message
NO_SESSION = m.Refusal("not_found", "there is no such live session", "没有这场实时字幕，可能已经结束。")
NO_SOUND = m.Refusal("refused", "this is no message of the protocol", "收到无法识别的消息。")
BUSY = "too many connections; try again later"


# ---------------------------------------------------------------------- the socket


@router.websocket("/live")
async def speak(socket: WebSocket) -> None:
    """Serve a speaker until they go, or their session is over."""
    with socket.app.state.sockets.one() as has_room:
        if not has_room:
            await sockets.deny(socket, BUSY)
            return
        await socket.accept()
        try:
            await _serve(socket)
        except AnsweredError as error:
            with contextlib.suppress(WebSocketDisconnect):
                await sockets.send(socket, words.refused(error.refusal))
            await sockets.close(socket, sockets.POLICY_VIOLATION, error.refusal.message)
        except WebSocketDisconnect:
            pass


async def _serve(socket: WebSocket) -> None:
    secret = secret_of(socket)
    daemon: DaemonClient = socket.app.state.daemon
    opening = await _opening(socket)
    person = await asyncio.to_thread(daemon.ask, m.Person, m.WhoAmI(), secret)
    sessions: LiveSessions = socket.app.state.live
    if isinstance(opening, words.Start):
        session, after = await _begin(sessions, daemon, opening, person, secret), 0
        await asyncio.shield(session.opened)
    else:
        found = sessions.find(opening.session, person.name)
        if found is None:
            raise AnsweredError(NO_SESSION)
        session, after = found, opening.after
    await _speak_in(socket, session, secret, after)


async def _opening(socket: WebSocket) -> words.Start | words.Resume:
    try:
        return words.read_opening(await asyncio.wait_for(socket.receive_text(), OPENED_WITHIN_S))
    except (ValueError, KeyError, asyncio.TimeoutError):
        raise AnsweredError(NO_SOUND) from None


async def _begin(
    sessions: LiveSessions, daemon: DaemonClient, start: words.Start, person: m.Person, secret: str
) -> LiveSession:
    await asyncio.to_thread(daemon.ask, m.Done, m.MayPut(start.inbox, f"{start.name}.wav"), secret)
    about = About(
        owner=person.name,
        inbox=start.inbox,
        name=start.name,
        link=secrets.token_urlsafe(18),
        secret=secret,
        is_trusted_name=isinstance(secret, TrustedName),
        hotwords=start.hotwords,
        itn=start.itn,
        readers_log_in=start.readers_log_in,
    )
    return await sessions.begin(about, secret)


async def _speak_in(socket: WebSocket, session: LiveSession, secret: str, after: int) -> None:
    async def speak() -> None:
        try:
            await sockets.first_of(
                asyncio.ensure_future(_take(socket, session)),
                asyncio.ensure_future(_tell(socket, session, after)),
                asyncio.ensure_future(_acknowledge(socket, session)),
            )
        except asyncio.CancelledError:
            await sockets.close(socket, TAKEN_OVER, "the session is spoken in from elsewhere")
            raise

    await session.let_go()
    ready = words.written(
        "ready",
        session=session.number,
        offset=session.sound_bytes,
        inbox=session.about.inbox,
        name=session.about.name,
        link=f"/captions/{session.about.link}",
        readers_log_in=session.about.readers_log_in,
        paused=session.is_paused,
    )
    speaking = asyncio.ensure_future(speak())
    session.attach(speaking, secret)
    try:
        await sockets.send(socket, ready)
        await asyncio.wait((speaking,))
    finally:
        session.detach(speaking)
        speaking.cancel()
        await asyncio.gather(speaking, return_exceptions=True)
    if not speaking.cancelled():
        speaking.result()


async def _take(socket: WebSocket, session: LiveSession) -> None:
    """Take sound and commands until the speaker goes."""
    left = b""
    while True:
        message = await socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", 1000))
        if message.get("bytes") is not None:
            sound = left + message["bytes"]
            whole = len(sound) // BYTES_PER_SAMPLE * BYTES_PER_SAMPLE
            sound, left = sound[:whole], sound[whole:]
            try:
                await session.take(sound)
            except OSError as error:
                told = error.strerror or str(error)
                raise AnsweredError(m.Refusal("unavailable", told, "服务器没有空间，请稍后再试。")) from None
        else:
            await _obey(message.get("text") or "", session)


async def _obey(text: str, session: LiveSession) -> None:
    try:
        command = words.read_command(text)
    except ValueError:
        raise AnsweredError(NO_SOUND) from None
    if isinstance(command, words.End):
        await session.end(keeps=command.keep)
    else:
        session.pause(isinstance(command, words.Pause))


async def _tell(socket: WebSocket, session: LiveSession, after: int) -> None:
    """Tell what is said until the session is over."""
    captions, version = session.captions, -1
    saying = standing = None
    while True:
        version = await captions.changed(version)
        for caption in captions.after(after):
            await sockets.send(socket, words.written("final", **words.final(caption)))
            after = caption.number
        if captions.saying != saying:
            saying = captions.saying
            await sockets.send(socket, words.written("interim", **words.interim(saying)))
        if captions.standing != standing:
            standing = captions.standing
            await sockets.send(socket, words.written("state", **words.state(standing)))
            if standing.mood == "over":
                await sockets.close(socket)
                return


async def _acknowledge(socket: WebSocket, session: LiveSession) -> None:
    version = -1
    while True:
        version = await session.saved.changed(version)
        await sockets.send(socket, words.written("saved", offset=session.saved_bytes))


# ---------------------------------------------------------------------- for who has lost it


@dataclass(frozen=True, slots=True)
class Lasting:
    """A session that is not over; ``reason`` says what it waits for."""

    session: str
    inbox: str
    name: str
    sound_ms: int
    captions: int
    spoken: bool  # at present
    mood: Mood
    reason: str
    reason_zh: str


class Ending(BaseModel):
    """What is to become of its recording."""

    keep: bool


def _live(request: Request) -> LiveSessions:
    live: LiveSessions = request.app.state.live
    return live


@router.get("/live")
async def list_live(request: Request, daemon: Daemon, secret: Secret) -> list[Lasting]:
    """Return one's own sessions that are not over."""
    person = await asyncio.to_thread(daemon.ask, m.Person, m.WhoAmI(), secret)
    return [
        Lasting(
            each.number,
            each.about.inbox,
            each.about.name,
            each.sound_bytes // 32,
            each.captions.count,
            each.is_spoken,
            each.captions.standing.mood,
            each.captions.standing.reason,
            each.captions.standing.chinese,
        )
        for each in _live(request).of(person.name)
    ]


@router.post("/live/{session}/end")
async def end_live(request: Request, daemon: Daemon, secret: Secret, session: str, ending: Ending) -> m.Done:
    """End a session of one's own."""
    person = await asyncio.to_thread(daemon.ask, m.Person, m.WhoAmI(), secret)
    found = _live(request).find(session, person.name)
    if found is None:
        raise AnsweredError(NO_SESSION)
    await found.end(keeps=ending.keep, secret=secret)
    return m.Done()
