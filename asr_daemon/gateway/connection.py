"""One client's connection, which does not wait for ever: for a request's head, and for what is told of.

uvicorn bounds the pause between two requests, not a head that comes a byte a minute: a thousand of those and
nobody else gets in. Who asked to be told of something (a WebSocket, events) and does not read it is dropped;
a recording may be read as slowly as one likes to listen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    import asyncio

    import h11

log = structlog.get_logger()

HEAD_WITHIN_S = 20.0
READ_WITHIN_S = 20.0  # what is told of, once the buffers between here and there are full
EVENTS = "/events"  # how the addresses of event streams end


class _Unread:
    """Drops a connection whose buffers stay full for so long."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, path: str) -> None:
        self.end()
        self._timer = loop.call_later(READ_WITHIN_S, self._drop, transport, path)

    def end(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _drop(self, transport: asyncio.Transport, path: str) -> None:
        kind = "events" if path.endswith(EVENTS) else path
        log.warning("client_dropped", reason="it does not read what it asked for", asked=kind)
        transport.abort()


class Connection(H11Protocol):
    """uvicorn's, with that bound."""

    _head_timer: asyncio.TimerHandle | None = None
    _unread: _Unread | None = None
    _is_upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        self._await_head()

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that is whole is waited for no more."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._stop_waiting()
        elif self._head_timer is None and not self._is_upgraded:
            self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        self._stop_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Give the connection to who speaks that protocol."""
        self._is_upgraded = True
        self._stop_waiting()
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        """The buffers are full."""
        super().pause_writing()
        if self.scope is not None and self.scope["path"].endswith(EVENTS):
            self._unread = self._unread or _Unread()
            self._unread.begin(self.transport, self.loop, EVENTS)

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.end()

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_WITHIN_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self) -> None:
        self._head_timer = None
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()


class SocketConnection(WebSocketsSansIOProtocol):
    """uvicorn's WebSocket, with that bound."""

    _unread: _Unread | None = None

    def pause_writing(self) -> None:
        """The buffers are full."""
        super().pause_writing()
        self._unread = self._unread or _Unread()
        self._unread.begin(self.transport, self.loop, self.scope["path"])

    def resume_writing(self) -> None:
        """There is room again."""
        super().resume_writing()
        if self._unread is not None:
            self._unread.end()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        if self._unread is not None:
            self._unread.end()
        super().connection_lost(exc)
