"""One client's connection, which does not wait for ever, and of which nobody has them all.

uvicorn bounds the pause between two requests. Here a request's head comes in time, its body goes on coming,
and who asked for something takes it: a thousand who do neither, and nobody else gets in. What is told of as
it happens (a WebSocket, events) is read sooner than a recording, which may be taken as slowly as one listens.
One address has half of the connections at most, but for proxies that are trusted: all their clients come
from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

    import h11

log = structlog.get_logger()

HEAD_WITHIN_S = 20.0
BODY_WITHIN_S = 60.0  # without a byte of it
TAKEN_WITHIN_S = 300.0  # without a byte of the answer; a player that is paused asks again
READ_WITHIN_S = 20.0  # what is told of, once the buffers between here and there are full
EVENTS = "/events"  # how the addresses of event streams end
MOST_CONNECTIONS = 1000
MOST_OF_ONE_ADDRESS = MOST_CONNECTIONS // 2
SPARE = 100  # above the bound, for those who are told of it
HEAD, BODY = "head", "body"  # what is waited for


class _Unread:
    """Drops a connection whose buffers stay full for too long."""

    def __init__(self) -> None:
        self._timer: asyncio.TimerHandle | None = None

    def begin(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop, path: str = "") -> None:
        """Wait until there is room again; a path is of what is told of."""
        self.end()
        within_s = READ_WITHIN_S if path else TAKEN_WITHIN_S
        self._timer = loop.call_later(within_s, self._drop, transport, path)

    def end(self) -> None:
        """Wait no more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _drop(self, transport: asyncio.Transport, path: str) -> None:
        if path:
            log.warning("client_dropped", reason="it does not read what it asked for", asked=path)
        transport.abort()


class Connection(H11Protocol):
    """uvicorn's, with those bounds; ``trusts`` says of an address whether it is a proxy's."""

    def __init__(
        self, *given: Any, trusts: Callable[[str], bool] = lambda _address: False, **named: Any
    ) -> None:
        super().__init__(*given, **named)
        self._trusts = trusts
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._unread = _Unread()
        self._is_upgraded = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin to wait for the first head."""
        super().connection_made(transport)
        if self._is_one_too_many():
            transport.abort()
            return
        self._await_head()

    def _is_one_too_many(self) -> bool:
        if len(self.connections) > MOST_CONNECTIONS + SPARE:
            return True
        if self.client is None:  # by the Unix socket
            return False
        address = self.client[0]
        others = (getattr(each, "client", None) for each in self.connections)
        of_it = sum(1 for client in others if client is not None and client[0] == address)
        if of_it <= MOST_OF_ONE_ADDRESS or self._trusts(address):
            return False
        if of_it == MOST_OF_ONE_ADDRESS + 1:
            log.warning("connections_refused", address=address, open=MOST_OF_ONE_ADDRESS)
        return True

    def data_received(self, data: bytes) -> None:
        """Take what came; a head that is whole is waited for no more."""
        super().data_received(data)
        if self.cycle is not None and not self.cycle.response_complete:
            self._wait_no_more(HEAD)
            self._wait_no_more(BODY)
            if self.cycle.more_body:
                self._await_body()
        elif HEAD not in self._timers and not self._is_upgraded:
            self._await_head()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Give the connection to who speaks that protocol."""
        self._is_upgraded = True
        self._end_waiting()
        super().handle_websocket_upgrade(event)

    def pause_writing(self) -> None:
        """Wait until the client takes what was sent."""
        super().pause_writing()
        is_events = self.scope is not None and self.scope["path"].endswith(EVENTS)
        self._unread.begin(self.transport, self.loop, "events" if is_events else "")

    def resume_writing(self) -> None:
        """Go on: it took some."""
        self._unread.end()
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more; whoever waits for room to write is told so."""
        self._end_waiting()
        self.resume_writing()
        super().connection_lost(exc)

    def _end_waiting(self) -> None:
        for what in tuple(self._timers):
            self._wait_no_more(what)
        self._unread.end()

    def _wait_no_more(self, what: str) -> None:
        if (timer := self._timers.pop(what, None)) is not None:
            timer.cancel()

    def _await_head(self) -> None:
        self._timers[HEAD] = self.loop.call_later(HEAD_WITHIN_S, self._give_head_up)

    def _give_head_up(self) -> None:
        del self._timers[HEAD]
        if (self.cycle is None or self.cycle.response_complete) and not self.transport.is_closing():
            self.transport.close()

    def _await_body(self) -> None:
        self._timers[BODY] = self.loop.call_later(BODY_WITHIN_S, self._give_body_up)

    def _give_body_up(self) -> None:
        del self._timers[BODY]
        if self.cycle.response_complete or not self.cycle.more_body:
            return
        if self.flow.read_paused:  # it is we who do not take it: a slow disk
            self._await_body()
        else:
            self.transport.abort()


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
