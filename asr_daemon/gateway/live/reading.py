"""The readers' link: a page with the captions alone, and the events that it lives by.

Whoever has the link may read, unless the speaker wants readers to log in, who then may read what they may
read of the inbox. A browser that lost its connection says which caption it had last (``Last-Event-ID``), and
gets those since. Who does not read is dropped (``connection.py``), and nothing is held for them meanwhile.
"""

from __future__ import annotations

import asyncio
import io
import json
from typing import TYPE_CHECKING, Annotated, Any

import segno
from fastapi import APIRouter, Header, Request, Response
from starlette.responses import StreamingResponse

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.live import words
from asr_daemon.gateway.pages.shell import PageRoute, rendering_of
from asr_daemon.gateway.who import Daemon, Secret, secret_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from asr_daemon.gateway.live.session import LiveSession

router = APIRouter()
pages = APIRouter(route_class=PageRoute)

MOST_READERS = 600  # of all sessions: the rest of the connections stays for the console
AGAIN_MS = 2000
STILL_HERE_S = 15.0
NO_CAPTIONS = m.Refusal(
    "not_found", "there are no captions at this address; they may be over", "没有这场字幕，可能已经结束。"
)
TOO_MANY = m.Refusal("unavailable", "too many are reading along", "观看的人太多，请稍后再试。")


_PICTURE: dict[int | str, dict[str, Any]] = {200: {"content": {"image/svg+xml": {}}}}


class Readers:
    """How many there are; the event loop's alone."""

    def __init__(self) -> None:
        self.count = 0


async def _session(request: Request, daemon: Daemon, word: str) -> LiveSession:
    """Return the session of a link; raises :class:`AnsweredError`."""
    session: LiveSession | None = request.app.state.live.linked(word)
    if session is None:
        raise AnsweredError(NO_CAPTIONS)
    if session.about.readers_log_in:
        person = await asyncio.to_thread(daemon.ask, m.Person, m.WhoAmI(), secret_of(request))
        if session.about.inbox not in person.inboxes:
            raise AnsweredError(NO_CAPTIONS)
    return session


@pages.get("/captions/{word}")
async def page(request: Request, daemon: Daemon, word: str) -> Response:
    """Show the page."""
    session = await _session(request, daemon, word)
    return rendering_of(request).page(request, "captions.html", session.about, None)


@router.get("/captions/{word}/events", include_in_schema=False)
async def events(
    request: Request,
    daemon: Daemon,
    word: str,
    last_event_id: Annotated[str, Header(max_length=20)] = "",
) -> Response:
    """Send ``final``, ``interim`` and ``state`` as they come, from after the caption that one has."""
    session = await _session(request, daemon, word)
    readers: Readers = request.app.state.readers
    if readers.count >= MOST_READERS:
        raise AnsweredError(TOO_MANY)
    after = int(last_event_id) if last_event_id.isdecimal() else 0
    return _Told(session, after, readers)


class _Told(StreamingResponse):
    """What one reader is told; they count as long as they are connected."""

    def __init__(self, session: LiveSession, after: int, readers: Readers) -> None:
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        super().__init__(_lines(session, after), headers=headers, media_type="text/event-stream")
        self._readers = readers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Tell it."""
        self._readers.count += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._readers.count -= 1


async def _lines(session: LiveSession, after: int) -> AsyncIterator[bytes]:
    captions, version = session.captions, -1
    saying = standing = None
    yield b"retry: %d\n\n" % AGAIN_MS
    while True:
        try:
            version = await asyncio.wait_for(captions.changed(version), STILL_HERE_S)
        except asyncio.TimeoutError:
            yield b": still here\n\n"
            continue
        for caption in captions.after(after):
            after = caption.number
            yield _event("final", words.final(caption), after)
        if captions.saying != saying:
            saying = captions.saying
            yield _event("interim", words.interim(saying))
        if captions.standing != standing:
            standing = captions.standing
            yield _event("state", {"mood": standing.mood})
            if standing.mood == "over":
                return


def _event(kind: str, fields: dict[str, Any], number: int | None = None) -> bytes:
    identity = f"id: {number}\n" if number is not None else ""
    return f"event: {kind}\n{identity}data: {json.dumps(fields, ensure_ascii=False)}\n\n".encode()


@router.get("/api/v1/live/{session}/qr.svg", response_class=Response, tags=["live"], responses=_PICTURE)
async def qr_code(request: Request, daemon: Daemon, secret: Secret, session: str) -> Response:
    """Return the readers' address as a QR code."""
    person = await asyncio.to_thread(daemon.ask, m.Person, m.WhoAmI(), secret)
    found: LiveSession | None = request.app.state.live.find(session, person.name)
    if found is None:
        raise AnsweredError(NO_CAPTIONS)
    address = str(request.url.replace(path=f"/captions/{found.about.link}", query=""))
    drawn = io.BytesIO()
    segno.make(address, error="m", micro=False).save(drawn, kind="svg", scale=8, border=4, light="#fff")
    return Response(drawn.getvalue(), media_type="image/svg+xml", headers={"Cache-Control": "no-store"})
