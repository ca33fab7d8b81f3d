"""A recogniser child without a model: it speaks the real protocol and does what each recording tells it to.

A recording is ``FAKE {json}`` on its first line, then anything. Keys: ``segments`` (how many there are),
``ms`` (each takes that long), ``fail`` (a failure class), ``fits`` ("small": memory suffices only for one
segment at a time; "cpu": only the CPU's does; from segment ``fits_at`` on), ``hang_at``, ``crash_at``
(segment numbers, with ``signal``), ``crash_after_each`` (dies whenever it has brought the recording one
segment on), ``take_mib`` (memory that it takes at each segment). The rest is not decodable. The text of a
segment holds the SHA-256 of everything that was read: a transcript shows which bytes it is of.
``$FAKE_TRACE`` names a file that gets a line for each segment.
"""

from __future__ import annotations

import argparse
import collections
import hashlib
import json
import os
import signal
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.channel import Channel
from asr_daemon.recogniser import child
from asr_daemon.transcripts.transcript import Segment, Token

SEGMENT_MS = 1000


@dataclass
class Work:
    """A recording in hand."""

    order: protocol.Recognise
    orders: dict[str, Any]
    sha256: str
    number: int = 0


class FakeRecogniser:
    """One segment after the other, of each recording in turn; orders are heard in between."""

    def __init__(self, channel: Channel, setup: protocol.Setup) -> None:
        self.channel = channel
        self.setup = setup
        self.works: collections.deque[Work] = collections.deque()
        self.trace = os.environ.get("FAKE_TRACE")
        self.is_stopping = False

    def run(self) -> None:
        """Work until told to stop, or until the daemon is gone."""
        while not self.is_stopping:
            received = self.channel.receive(0 if self.works else None)
            if received is not None:
                self.obey(*received)
            elif self.works:
                self.works.rotate(-1)
                self.advance(self.works[-1])

    def obey(self, message: protocol.Message, fd: int | None) -> None:
        """Take an order."""
        match message:
            case protocol.Recognise() if fd is not None:
                self.begin(message, fd)
            case protocol.Cancel(number):
                self.works = collections.deque(work for work in self.works if work.order.order != number)
            case protocol.Stop():
                self.is_stopping = True

    def begin(self, order: protocol.Recognise, fd: int) -> None:
        """Read a recording and take it in hand, or fail it as it says."""
        with os.fdopen(fd, "rb", closefd=True) as recording:
            content = recording.read()
        head, _, _ = content.partition(b"\n")
        if not head.startswith(b"FAKE "):
            self.channel.send(protocol.Failed(order.order, "not_decodable", "no fake recording"))
            return
        orders = json.loads(head[5:])
        if code := orders.get("fail"):
            self.channel.send(protocol.Failed(order.order, code, f"told to fail as {code}", "its last words"))
            return
        self.works.append(Work(order, orders, hashlib.sha256(content).hexdigest()))

    def advance(self, work: Work) -> None:
        """Find and recognise the next segment, or finish."""
        order, count = work.order.order, work.orders.get("segments", 1)
        if work.number == count:
            self.works.remove(work)
            self.channel.send(protocol.Segmented(order, ()))
            self.channel.send(protocol.Finished(order, count * SEGMENT_MS, count, (), {"asr": 1}))
            return
        number = work.number
        place = (number, number * SEGMENT_MS, (number + 1) * SEGMENT_MS)
        self.channel.send(protocol.Segmented(order, (place,)))
        work.number += 1
        if place not in set(work.order.done):
            self.recognise(work, place)
        self.channel.send(protocol.Progress(order, count * SEGMENT_MS, place[2], place[2]))

    def recognise(self, work: Work, place: tuple[int, int, int]) -> None:
        """Say a segment, unless the recording has something else in mind."""
        number, start_ms, end_ms = place
        orders = work.orders
        if number >= orders.get("fits_at", 0) and not self.fits(orders.get("fits")):
            self.works.remove(work)
            self.channel.send(
                protocol.Failed(work.order.order, "out_of_memory", "too little", f"at {number}")
            )
            return
        if orders.get("hang_at") == number:
            print("about to hang", file=sys.stderr, flush=True)
            while True:
                signal.pause()
        if orders.get("crash_at") == number:
            self.crash(orders)
        if mib := orders.get("take_mib"):
            print("about to take memory", file=sys.stderr, flush=True)
            bytearray(b"x") * (mib << 20)
        time.sleep(orders.get("ms", 0) / 1000)
        text = f"第{number}段{work.sha256}"
        tokens = (Token(text, start_ms, end_ms),)
        if self.trace:
            with open(self.trace, "a", encoding="utf-8") as trace:  # noqa: PTH123 (one write, appended)
                trace.write(f"{work.sha256} {number}\n")
        self.channel.send(
            protocol.Recognised(work.order.order, (Segment(number, start_ms, end_ms, text, text, tokens),))
        )
        if orders.get("crash_after_each"):
            self.crash(orders)

    def fits(self, where: str | None) -> bool:
        """Whether memory suffices, for what fits only there."""
        return {
            "small": self.setup.begins_small,
            "cpu": self.setup.device == "cpu",
        }.get(where or "", True)

    def crash(self, orders: dict[str, Any]) -> None:
        """End by a signal."""
        print("about to crash", file=sys.stderr, flush=True)
        os.kill(os.getpid(), orders.get("signal", signal.SIGSEGV))
        signal.pause()


def main() -> int:
    """Be the child."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--fd", type=int, required=True)
    child._die_with_the_daemon()
    child.tell_where_it_crashed()
    channel = Channel(socket.socket(fileno=parser.parse_args().fd))
    try:
        received = channel.receive()
        if received is None or not isinstance(received[0], protocol.Setup):
            return 1
        if os.environ.get("FAKE_START") == "crash":
            os.abort()
        setup = received[0]
        channel.send(protocol.Ready("cpu" if setup.device == "cpu" else "fake", setup.model_name, 1))
        FakeRecogniser(channel, setup).run()
    except (EOFError, OSError):
        return 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
