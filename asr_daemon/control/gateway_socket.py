"""The Unix socket that the gateway asks by: many requests a connection, one answer each, descriptors along.

Who connects is told by the kernel (``SO_PEERCRED``): the gateway's user, the service's own, and root. What
somebody may who asks through the gateway is the desk's to say. A connection that asks to watch is told of
changes until it is closed.
"""

from __future__ import annotations

import contextlib
import os
from types import MappingProxyType
from typing import TYPE_CHECKING

import structlog

from asr_daemon.control import messages as m
from asr_daemon.control.listeners import Listeners
from asr_daemon.control.notice_messages import SettleNotices, TakeNotices
from asr_daemon.control.peers import PeerConnection, PeerServer, PeerSocket
from asr_daemon.control.refused import RefusedError
from asr_daemon.control.wire import MOST_ASK_BYTES
from asr_daemon.errors import HistoryUnavailableError, OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Generator, Mapping
    from pathlib import Path

    from asr_daemon.control.changes import Changes
    from asr_daemon.control.desk import Desk
    from asr_daemon.control.wire import Wire

    Stream = Callable[[m.Ask, int | None], Generator[m.Told, None, None]]

log = structlog.get_logger()

MOST_CONNECTIONS = 512  # watchers and requests under way; the gateway has a bound of its own below that
IDLE_S = 3600.0
HEARTBEAT_S = 15.0  # a watcher hears at least that often: it knows that the daemon lives
QUIET_S = 0.25  # changes within that are told at once
OF_THE_GATEWAY = (m.Attend, TakeNotices, SettleNotices)  # it asks for itself, with nobody's secret
BUSY = m.Refusal("unavailable", "too many requests at once", "系统正忙，请稍后再试。")
INTERNAL = m.Refusal(
    "internal", "the daemon failed at it; its journal says how", "系统内部出错，请联系管理员。"
)
NOT_NOW = m.Refusal(
    "unavailable", "the history cannot be used at present", "系统的记录暂时无法使用，请稍后再试。"
)


class GatewaySocket(PeerSocket):
    """Answers the gateway in threads of its own until closed."""

    def __init__(
        self,
        path: Path,
        desk: Desk,
        changes: Changes,
        users: Collection[int],
        group: int = -1,
        *,
        streams: Mapping[type, Stream] = MappingProxyType({}),
    ) -> None:
        """Listen at ``path``; ``users`` may connect, beside root and this process's own user.

        ``streams`` serves requests that are answered again and again: the connection is theirs, then closed.
        """
        self._changes = changes
        super().__init__(path, lambda name: _Server(name, desk, changes, users, streams), "gateway", group)

    def close(self) -> None:
        """Stop listening, let watchers go, end every connection, and remove the socket."""
        self._changes.end()
        super().close()


class _Server(PeerServer):
    def __init__(
        self,
        path: str,
        desk: Desk,
        changes: Changes,
        users: Collection[int],
        streams: Mapping[type, Stream],
    ) -> None:
        self.desk, self.changes = desk, changes
        self.streams = streams
        self.listeners = Listeners()
        super().__init__(path, _Connection, users, MOST_CONNECTIONS)


class _Connection(PeerConnection):
    first_within_s = IDLE_S
    most_line_bytes = MOST_ASK_BYTES
    server: _Server

    def refuse_user(self, wire: Wire, user: int) -> None:  # noqa: ARG002
        refusal = m.Refusal("forbidden", "only the gateway's user may ask here", "没有权限。")
        self.say_at_last(wire, m.encode_told(refusal))

    def refuse_one_more(self, wire: Wire) -> None:
        self.say_at_last(wire, m.encode_told(BUSY))

    def serve(self, wire: Wire) -> None:
        while (line := wire.receive()) is not None:
            given, gives = wire.take_descriptor(), None
            try:
                told, gives = self._answer(wire, line, given)
                if told is not None:
                    wire.send(m.encode_told(told), gives)
            finally:
                for descriptor in (given, gives):
                    if descriptor is not None:
                        os.close(descriptor)
            if told is None:
                return

    def _answer(
        self, wire: Wire, line: bytes, given: int | None
    ) -> tuple[m.Told | m.Refusal | None, int | None]:
        """Return the answer and a descriptor; no answer where a watcher was served until it went."""
        try:
            ask = m.decode_ask(line)
        except ValueError as error:
            return m.Refusal("refused", f"not a request: {str(error)[:500]}", "无法识别的请求。"), None
        if ask.version != m.VERSION:
            told = f"gateway and daemon are of different releases ({ask.version}, {m.VERSION}): restart both"
            return m.Refusal("version", told, "系统正在升级，请联系管理员重启服务。"), None
        try:
            if (stream := self.server.streams.get(type(ask.request))) is not None:
                with self._place(ask), contextlib.closing(stream(ask, given)) as answers:
                    for answer in answers:
                        wire.send(m.encode_told(answer))
            elif isinstance(ask.request, m.Watch):
                with self._place(ask):
                    self._watch(wire, ask, ask.request)
            else:
                return self.server.desk.serve(ask, given)
        except (BrokenPipeError, ConnectionResetError, TimeoutError):  # the listener has gone
            raise
        except Exception as error:  # noqa: BLE001 (told to the gateway, and logged where it is a fault of ours)
            return _refusal(error, ask.request.command), None
        return None, None

    def _place(self, ask: m.Ask) -> contextlib.AbstractContextManager[None]:
        if isinstance(ask.request, OF_THE_GATEWAY):
            return contextlib.nullcontext()
        return self.server.listeners.place(self.server.desk.asker(ask).name)

    def _watch(self, wire: Wire, ask: m.Ask, request: m.Watch) -> None:
        seen: int | None = request.seen
        while True:
            person = self.server.desk.asker(ask)  # one that was removed hears no more
            told = m.Changed(seen or 0, self.server.desk.in_work(person))
            wire.send(m.encode_told(told))
            seen = self.server.changes.after(told.version, within_s=HEARTBEAT_S, quiet_s=QUIET_S)
            if seen is None:
                return


def _refusal(error: Exception, request: str) -> m.Refusal:
    if isinstance(error, RefusedError):
        return error.refusal
    if isinstance(error, HistoryUnavailableError):
        return NOT_NOW
    if isinstance(error, OperatorError):
        return m.Refusal("refused", str(error), "无法完成这个操作。")
    log.error("gateway_request_failed", request=request, exc_info=error)
    return INTERNAL
