"""The recordings that are on their way to a machine: each is given to the child when the whole is here.

Enters: orders and pieces. Leaves: orders with descriptors of memory. A recording that is not what was queued
fails; a path that leads to another file is no failure, as the bridge then sends the bytes.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from asr_daemon.cluster.arriving import Arriving
from asr_daemon.dispatch import protocol
from asr_daemon.errors import JobError, RecordingGoneError

if TYPE_CHECKING:
    from collections.abc import Callable

TELL_EVERY_S = 1.0  # that something still arrives


class Recordings:
    """Those of one lease; any thread may."""

    def __init__(
        self, give: Callable[[protocol.Recognise, int], None], say: Callable[[protocol.Message], None]
    ) -> None:
        """``give`` gets an order and a descriptor, which is closed when it returns."""
        self._give = give
        self._say = say
        self._arriving: dict[int, tuple[protocol.Recognise, Arriving]] = {}
        self._cancelled: set[int] = set()
        self._changing = threading.Lock()
        self._said_s = 0.0

    def expect(self, order: protocol.Recognise) -> bool:
        """Expect a recording; return whether no byte of it need be sent."""
        assert order.source is not None  # noqa: S101 (the bridge looked)
        arriving = self._copied(order, order.source) if order.source.path else None
        is_here = arriving is not None
        with self._changing:
            if order.order in self._cancelled:
                if arriving is not None:
                    arriving.close()
                return True
            self._arriving[order.order] = order, arriving or Arriving(order.source)
        self._give_if_whole(order.order)  # an empty one is
        return is_here

    def add(self, number: int, offset: int, piece: bytes) -> None:
        """Take the next piece of that order's recording; an empty one says that no more will come."""
        with self._changing:
            _, arriving = self._arriving.get(number, (None, None))
            if arriving is None:
                return
            if not piece:
                del self._arriving[number]
                arriving.close()
                return
            arriving.add(offset, piece)
        self._say_that_it_arrives(number)
        self._give_if_whole(number)

    def cancel(self, number: int) -> bool:
        """Let go of that order's recording, now or when it comes; return whether it was on its way."""
        with self._changing:
            self._cancelled.add(number)
            _, arriving = self._arriving.pop(number, (None, None))
        if arriving is not None:
            arriving.close()
        return arriving is not None

    def _copied(self, order: protocol.Recognise, source: protocol.Source) -> Arriving | None:
        """Return the recording as this machine sees its file, None where that is another, or none."""
        arriving = Arriving(source)
        try:
            arriving.copy(lambda: self._say_that_it_arrives(order.order))
        except JobError as error:
            arriving.close()
            fields = {"job": order.job, "problem": str(error)}
            self._say(protocol.Note("warning", "shared_path_refused", fields))
            return None
        return arriving

    def _give_if_whole(self, number: int) -> None:
        with self._changing:
            order, arriving = self._arriving.get(number, (None, None))
            if order is None or arriving is None or not arriving.is_whole:
                return
            try:
                arriving.finish()
                self._give(replace(order, source=None), arriving.fd)
            except RecordingGoneError as error:
                self._say(protocol.Failed(number, error.code, str(error)))
            finally:
                del self._arriving[number]
                arriving.close()

    def _say_that_it_arrives(self, number: int) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s > TELL_EVERY_S:
            self._said_s = now_s
            self._say(protocol.Progress(number, 0, 0, 0))
