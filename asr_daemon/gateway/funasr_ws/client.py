"""A client of FunASR's protocol: its socket, who it is, and the messages that come from it."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.websockets import WebSocketDisconnect

from asr_daemon.gateway import sockets
from asr_daemon.gateway.funasr_ws.wanted import NotWantedError, read_message

if TYPE_CHECKING:
    from starlette.websockets import WebSocket

    from asr_daemon.gateway.daemon_client import DaemonClient

IDLE_S = 600.0  # between two recordings; while one is spoken a client may be silent as long as it likes


@dataclass(frozen=True, slots=True)
class Client:
    """Somebody who may upload into that inbox; ``keeps``: their recordings are put there."""

    socket: WebSocket
    daemon: DaemonClient
    secret: str
    person: str
    inbox: str
    keeps: bool

    async def send(self, text: str) -> None:
        """Tell it something; raises ``WebSocketDisconnect``."""
        await sockets.send(self.socket, text)

    async def first_message(self) -> dict[str, Any]:
        """Return what begins a recording; raises :class:`NotWantedError`."""
        try:
            received = await asyncio.wait_for(self.receive(), IDLE_S)
        except asyncio.TimeoutError:
            raise NotWantedError("nothing was said for too long") from None
        if isinstance(received, bytes):
            raise NotWantedError("the first message is an object in JSON, before any sound")
        return received

    async def receive(self) -> dict[str, Any] | bytes:
        """Return the next message: sound, or an object. Raises :class:`NotWantedError`."""
        message = await self.socket.receive()
        if message["type"] == "websocket.disconnect":
            raise WebSocketDisconnect(message.get("code", sockets.NORMAL))
        if message.get("bytes") is not None:
            return bytes(message["bytes"])
        return read_message(message.get("text") or "")
