"""Recordings on their way to one machine: the small ones first, a few pieces at a time, within its memory.

Enters: orders with the descriptors of their recordings. Leaves: sealed pieces. Failures that are a
recording's (its file was cut meanwhile) are said as the machine would say them; those of the machine are
raised to whoever runs this.
"""

from __future__ import annotations

import collections
import concurrent.futures
import os
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import structlog

from asr_daemon.cluster.arriving import CHANGED
from asr_daemon.cluster.sealing import Stream
from asr_daemon.dispatch import protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from asr_daemon.cluster.driver import RemoteMachine
    from asr_daemon.cluster.sealing import Seal

log = structlog.get_logger()

PIECE_BYTES = 8 << 20
MOST_PIECES = 3  # under way
PIECE_WITHIN_S = 120.0  # below it, the network is no better than none
LOOK_S = 1.0
T = TypeVar("T")
ONE_RECORDING, ALL_RECORDINGS = 0.5, 0.25  # of the memory that is free there


@dataclass(frozen=True, slots=True)
class Waiting:
    """A recording that is to be sent."""

    order: protocol.Recognise
    source: protocol.Source
    fd: int


class Sending:
    """The recordings of one lease; :meth:`run` in a thread of its own."""

    def __init__(
        self,
        machine: RemoteMachine,
        seal: Seal,
        lease: int,
        available_bytes: int,
        say: Callable[[protocol.Message], None],
    ) -> None:
        """``available_bytes``: memory of the machine; 0 where that is not known."""
        self.most_bytes = int(available_bytes * ONE_RECORDING)  # that a recording may have; 0: any size
        self._room_bytes = int(available_bytes * ALL_RECORDINGS)
        self._machine = machine
        self._seal = seal
        self._lease = lease
        self._say = say
        self._waiting: list[Waiting] = []
        self._there: dict[int, int] = {}  # order and bytes of what is in the machine's memory
        self._changed = threading.Condition()
        self._is_over = False

    def add(self, order: protocol.Recognise, fd: int) -> None:
        """Take a recording; its descriptor is ours from now on."""
        source = order.source
        if source is None:
            os.close(fd)
            self._say(protocol.Failed(order.order, "internal", "nothing was said of the recording's file"))
        elif 0 < self.most_bytes < source.size_bytes:
            os.close(fd)
            most = _mb(self.most_bytes)
            message = f"The recording has {_mb(source.size_bytes)}, the machine takes {most} at most."
            self._say(protocol.Failed(order.order, "out_of_memory", message))
        else:
            with self._changed:
                if self._is_over:
                    os.close(fd)
                    return
                self._waiting.append(Waiting(order, source, fd))
                self._changed.notify_all()

    def forget(self, order: int) -> None:
        """The machine has no more of that recording, or shall have no more: it was cancelled."""
        with self._changed:
            self._there.pop(order, None)
            for waiting in [each for each in self._waiting if each.order.order == order]:
                self._waiting.remove(waiting)
                os.close(waiting.fd)
            self._changed.notify_all()

    def close(self) -> None:
        """Send no more."""
        with self._changed:
            self._is_over = True
            while self._waiting:
                os.close(self._waiting.pop().fd)
            self._changed.notify_all()

    def run(self) -> None:
        """Send until :meth:`close`; raises what the machine's calls raise."""
        while (waiting := self._next()) is not None:
            try:
                self._send(waiting)
            finally:
                os.close(waiting.fd)

    def _next(self) -> Waiting | None:
        """Return the smallest that there is room for, which then counts as there; None at the end."""
        with self._changed:
            chosen: list[Waiting] = []
            self._changed.wait_for(lambda: self._is_over or self._choose(chosen))
            return chosen[0] if chosen else None

    def _choose(self, chosen: list[Waiting]) -> bool:
        smallest = min(self._waiting, key=lambda each: each.source.size_bytes, default=None)
        if smallest is None:
            return False
        room_bytes = self._room_bytes - sum(self._there.values())
        if self._there and self._room_bytes and smallest.source.size_bytes > room_bytes:
            return False
        self._waiting.remove(smallest)
        self._there[smallest.order.order] = smallest.source.size_bytes
        chosen.append(smallest)
        return True

    def _send(self, waiting: Waiting) -> None:
        number, began_s = waiting.order.order, time.monotonic()
        line = protocol.encode(waiting.order)
        sealed = self._seal.close(Stream.TAKE, number, line)
        is_there = self._wait(number, self._machine.take(self._lease, number, sealed), None)
        if is_there is None or (not is_there and not self._send_pieces(waiting)):
            return
        log.info(
            "recording_sent",
            job=waiting.order.job,
            lease=self._lease,
            bytes=0 if is_there else waiting.source.size_bytes,
            took_s=round(time.monotonic() - began_s, 2),
        )

    def _send_pieces(self, waiting: Waiting) -> bool:
        """Send a recording's bytes; return whether all of it was sent."""
        number, offset = waiting.order.order, 0
        under_way: collections.deque[Future[None]] = collections.deque()
        while offset < waiting.source.size_bytes:
            if len(under_way) >= MOST_PIECES:
                self._wait(number, under_way.popleft(), PIECE_WITHIN_S)
            if not self._is_wanted(number):
                return False
            piece = self._read(waiting, offset)
            sealed = self._seal.close(Stream.SOUND, number, piece, offset)
            under_way.append(self._machine.sound(self._lease, number, offset, sealed))
            if not piece:  # which lets the machine forget the rest
                self.forget(number)
                return False
            offset += len(piece)
        while under_way:
            self._wait(number, under_way.popleft(), PIECE_WITHIN_S)
        return True

    def _read(self, waiting: Waiting, offset: int) -> bytes:
        """Return the next piece; b"" where there is none, which is then said."""
        left_bytes = waiting.source.size_bytes - offset
        try:
            piece = os.pread(waiting.fd, min(PIECE_BYTES, left_bytes), offset)
            code, why = "recording_gone", CHANGED
        except OSError as error:
            piece, code, why = b"", "read_failed", f"reading the recording failed: {error.strerror}"
        if not piece:
            self._say(protocol.Failed(waiting.order.order, code, why))
        return piece

    def _is_wanted(self, number: int) -> bool:
        return not self._is_over and number in self._there

    def _wait(self, number: int, future: Future[T], within_s: float | None) -> T | None:
        """Return what came of a call, None where it is no longer wanted; raises the call's error."""
        deadline_s = None if within_s is None else time.monotonic() + within_s
        while self._is_wanted(number):
            try:
                return future.result(LOOK_S)
            except concurrent.futures.TimeoutError:
                if deadline_s is not None and time.monotonic() > deadline_s:
                    raise
        return None


def _mb(count: int) -> str:
    return f"{count / 1e6:,.0f} MB"
