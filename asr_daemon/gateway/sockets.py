"""What every WebSocket has: a bound of how many there are, and a way to say no."""

from __future__ import annotations

import asyncio
import contextlib
from http import HTTPStatus
from typing import TYPE_CHECKING

from starlette.responses import PlainTextResponse
from starlette.websockets import WebSocketDisconnect, WebSocketState

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.websockets import WebSocket

MOST_OPEN = 128  # sixteen may speak; the rest is for those who come back, and for those who are told no
NORMAL, POLICY_VIOLATION, TRY_AGAIN_LATER = 1000, 1008, 1013
CLOSED_WITHIN_S = 1.0


class Sockets:
    """How many are open; the event loop's alone."""

    def __init__(self, most: int = MOST_OPEN) -> None:
        self._free = most

    @contextlib.contextmanager
    def one(self) -> Iterator[bool]:
        """Count one more as long as this lasts; False where there is no room for it."""
        if self._free <= 0:
            yield False
            return
        self._free -= 1
        try:
            yield True
        finally:
            self._free += 1


async def deny(socket: WebSocket, told: str, status: int = HTTPStatus.SERVICE_UNAVAILABLE) -> None:
    """Refuse a socket before it is one."""
    await socket.send_denial_response(PlainTextResponse(told, status))


async def send(socket: WebSocket, text: str) -> None:
    """Send a message; raises ``WebSocketDisconnect`` where the client has gone.

    Who does not read is dropped by ``connection.py``, and has gone then.
    """
    try:
        await socket.send_text(text)
    except RuntimeError:  # closed by the other task of this socket
        raise WebSocketDisconnect(NORMAL) from None


async def close(socket: WebSocket, code: int = NORMAL, reason: str = "") -> None:
    """Close a socket, if it is open yet; who does not read does not hold that up."""
    if socket.application_state is WebSocketState.CONNECTED:
        with contextlib.suppress(RuntimeError, WebSocketDisconnect, asyncio.TimeoutError, OSError):
            await asyncio.wait_for(socket.close(code, reason[:100]), CLOSED_WITHIN_S)


async def first_of(*works: asyncio.Task[None]) -> None:
    """Wait until one of them ends, and end the others; raises what the first one raised."""
    try:
        done, _ = await asyncio.wait(works, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for work in works:
            work.cancel()
        await asyncio.gather(*works, return_exceptions=True)
    for work in done:
        work.result()
