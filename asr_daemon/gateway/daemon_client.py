"""Asking the daemon from the gateway: typed requests over its socket, descriptors along.

Enters: a request, the secret of whoever asks, a descriptor. Leaves: the answer, or :class:`AnsweredError`
with the daemon's refusal. Connections are kept and used again; a daemon that was restarted is connected to
anew. Nothing of the daemon is imported but the messages.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import threading
from typing import TYPE_CHECKING, TypeVar

from asr_daemon.control import messages as m
from asr_daemon.control.listening import short_name
from asr_daemon.control.wire import MOST_ASK_BYTES, MOST_LINE_BYTES, Wire
from asr_daemon.files.passing import send_line

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterator
    from pathlib import Path

T = TypeVar("T")
U = TypeVar("U")
ANSWER_WITHIN_S = 60.0  # copying a large upload into a slow share is told of by another way: see PUT_WITHIN_S
PUT_WITHIN_S = 3600.0
KEPT = 16
MOST_TOLD_BYTES = 1 << 20  # of changes that nobody takes; the daemon waits then
AWAY = m.Refusal(
    "unavailable", "the daemon does not run or does not answer", "转写服务没有运行，请稍后再试。"
)

NO_TEXT = m.Refusal("refused", "there is a text in it that is no Unicode", "发送的内容不是有效的文字。")
TOO_LONG = m.Refusal("refused", f"it is longer than {MOST_ASK_BYTES >> 20} MB", "发送的内容太长。")


class AnsweredError(Exception):
    """The daemon refused, or is away; ``refusal`` says how."""

    def __init__(self, refusal: m.Refusal) -> None:
        super().__init__(refusal.message)
        self.refusal = refusal


class TrustedName(str):
    """Who asks, in the words of a proxy that is trusted, where otherwise there is a secret."""

    __slots__ = ()


def _asked(request: m.Request, secret: str) -> bytes:
    """Return the line that asks; raises :class:`AnsweredError` where the daemon would not take it."""
    is_told = isinstance(secret, TrustedName)
    try:
        line = m.encode_ask(m.Ask(request, user=str(secret)) if is_told else m.Ask(request, secret))
    except ValueError:  # half a character, as a JSON body may hold one
        raise AnsweredError(NO_TEXT) from None
    if len(line) > MOST_ASK_BYTES:
        raise AnsweredError(TOO_LONG)
    return line


class DaemonClient:
    """The daemon behind its socket; any thread may ask."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._free: list[Wire] = []
        self._lock = threading.Lock()

    def ask(self, kind: type[T], request: m.Request, secret: str = "", descriptor: int | None = None) -> T:
        """Return the answer of that kind; raises :class:`AnsweredError`."""
        told, given = self.ask_for_descriptor(kind, request, secret, descriptor)
        if given is not None:
            os.close(given)
        return told

    def ask_one_of(self, kinds: tuple[type[T], type[U]], request: m.Request, secret: str) -> T | U:
        """Return the answer of one of those kinds; raises :class:`AnsweredError`."""
        told = self.ask(object, request, secret)
        if isinstance(told, kinds):
            return told
        raise AnsweredError(AWAY)

    def ask_for_descriptor(
        self, kind: type[T], request: m.Request, secret: str = "", descriptor: int | None = None
    ) -> tuple[T, int | None]:
        """Return the answer and the descriptor that came with it, which the caller closes."""
        answer, given = self._ask(request, secret, descriptor)
        told = m.decode_told(answer)
        if isinstance(told, kind) and not isinstance(told, m.Refusal):
            return told, given
        if given is not None:
            os.close(given)
        raise AnsweredError(told if isinstance(told, m.Refusal) else AWAY)

    def ask_json(self, kind: type[T], request: m.Request, secret: str) -> bytes:
        """Return the answer of that kind as the JSON that came: large ones are read by nobody on the way.

        Raises :class:`AnsweredError`.
        """
        answer, given = self._ask(request, secret, None)
        if given is not None:
            os.close(given)
        body = m.json_of(kind, answer)
        if body is not None:
            return body
        told = m.decode_told(answer)
        raise AnsweredError(told if isinstance(told, m.Refusal) else AWAY)

    def _ask(self, request: m.Request, secret: str, descriptor: int | None) -> tuple[bytes, int | None]:
        """Return an answer's line, and the descriptor that came with it."""
        line = _asked(request, secret)
        within_s = PUT_WITHIN_S if descriptor is not None else ANSWER_WITHIN_S
        for wire in self._connections():
            wire.settle(within_s)
            try:
                wire.send(line, descriptor)
            except OSError:  # a kept one of a daemon that was restarted since: nothing was carried out
                wire.close()
                continue
            try:
                answer = wire.receive()
            except OSError:
                answer = None
            if answer:
                given = wire.take_descriptor()
                self._keep(wire)
                return answer, given
            wire.close()
            break  # it may have been carried out: not asked again
        raise AnsweredError(AWAY)

    def _keep(self, wire: Wire) -> None:
        with self._lock:
            if len(self._free) < KEPT:
                self._free.append(wire)
            else:
                wire.close()

    def _connections(self) -> Iterator[Wire]:
        """Yield those that are kept, then, where they are of no use, a fresh one."""
        while True:
            with self._lock:
                kept = self._free.pop() if self._free else None
            if kept is None:
                break
            yield kept
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_name(self._path) as name:
                end.connect(name)
        except OSError:
            end.close()
            return
        yield Wire(end)

    async def watch(self, secret: str) -> AsyncGenerator[m.Changed, None]:
        """Yield what changes until the daemon or the listener goes; raises :class:`AnsweredError`."""
        async for told in self.follow(m.Watch(), secret):  # a loop that ends closes both, each by itself
            if isinstance(told, m.Changed):
                yield told

    async def follow(
        self, request: m.Request, secret: str, descriptor: int | None = None
    ) -> AsyncGenerator[m.Told, None]:
        """Yield one answer after the other until the daemon ends them, or goes.

        The descriptor stays open, and has to until the first answer. Raises :class:`AnsweredError`.
        """
        end = await asyncio.to_thread(self._send, _asked(request, secret), descriptor)
        most = MOST_LINE_BYTES if isinstance(request, m.Transcribe) else MOST_TOLD_BYTES
        reader, writer = await asyncio.open_unix_connection(sock=end, limit=most)
        try:
            while (line := await reader.readline()).endswith(b"\n"):  # half a line: it was killed
                told = m.decode_told(line)
                if isinstance(told, m.Refusal):
                    raise AnsweredError(told)
                yield told
        except OSError:
            return
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    def _send(self, line: bytes, descriptor: int | None) -> socket.socket:
        """Return a connection of its own, with the request sent."""
        end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with short_name(self._path) as name:
                end.connect(name)
            send_line(end, line, () if descriptor is None else (descriptor,))
        except OSError:
            end.close()
            raise AnsweredError(AWAY) from None
        end.setblocking(False)
        return end
