"""Server-sent events: whoever listens is told when something changed, and asks again for what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fastapi import APIRouter
from pydantic import TypeAdapter
from starlette.responses import StreamingResponse

from asr_daemon.control import messages as m
from asr_daemon.gateway.daemon_client import AnsweredError
from asr_daemon.gateway.who import Daemon, Secret  # noqa: TC001 (FastAPI reads the annotations)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

router = APIRouter(tags=["events"])

_CHANGED = TypeAdapter(m.Changed)
AGAIN_MS = 2000


@router.get("/events", response_class=StreamingResponse)
async def events(daemon: Daemon, secret: Secret) -> StreamingResponse:
    """Send ``event: changed`` with what is in work, at once, and from then on with every change."""
    changes = daemon.watch(secret)
    first = await anext(changes, None)
    if first is None:
        raise AnsweredError(m.Refusal("unavailable", "the daemon ends", "转写服务正在停止。"))
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(first, changes), headers=headers, media_type="text/event-stream")


async def _lines(first: m.Changed, changes: AsyncIterator[m.Changed]) -> AsyncIterator[bytes]:
    yield b"retry: %d\n\n" % AGAIN_MS
    yield _line(first)
    try:
        async for changed in changes:
            yield _line(changed)
    except AnsweredError as error:
        yield f"event: refused\ndata: {error.refusal.code}\n\n".encode()


def _line(changed: m.Changed) -> bytes:
    return b"event: changed\ndata: " + _CHANGED.dump_json(changed) + b"\n\n"
