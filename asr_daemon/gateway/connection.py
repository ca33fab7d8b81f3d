"""One client's connection, which does not wait for ever, and of which nobody has them all.

uvicorn bounds the pause between two requests. Here a request's head comes in time, its body goes on coming,
and who asked for something takes it: a thousand who do neither, and nobody else gets in. One address has half
of the connections at most, but for proxies that are trusted: all their clients come from there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import structlog
from uvicorn.protocols.http.h11_impl import H11Protocol

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

log = structlog.get_logger()

HEAD_WITHIN_S = 20.0
BODY_WITHIN_S = 60.0  # without a byte of it
TAKEN_WITHIN_S = 300.0  # without a byte of the answer; a player that is paused asks again
MOST_CONNECTIONS = 1000
MOST_OF_ONE_ADDRESS = MOST_CONNECTIONS // 2
SPARE = 100  # above the bound, for those who are told of it
HEAD, BODY, TAKING = "head", "body", "taking"  # what is waited for


class Connection(H11Protocol):
    """uvicorn's, with those bounds; ``trusts`` says of an address whether it is a proxy's."""

    def __init__(
        self, *given: Any, trusts: Callable[[str], bool] = lambda _address: False, **named: Any
    ) -> None:
        super().__init__(*given, **named)
        self._trusts = trusts
        self._timers: dict[str, asyncio.TimerHandle] = {}

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
        elif HEAD not in self._timers:
            self._await_head()

    def pause_writing(self) -> None:
        """Wait until the client takes what was sent."""
        super().pause_writing()
        self._timers[TAKING] = self.loop.call_later(TAKEN_WITHIN_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Go on: it took some."""
        self._wait_no_more(TAKING)
        super().resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Wait no more."""
        for what in tuple(self._timers):
            self._wait_no_more(what)
        super().connection_lost(exc)

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
