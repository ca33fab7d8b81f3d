"""A bridge to a cluster that is played: it meets the daemon as the real one does, and has no Ray behind it.

In a test's own process each machine answers by a script; as a program (``python THIS SOCKET RECOGNISER.py
MACHINE...``) each is a child of ours, and lines on its standard input say what befalls it: ``lose MACHINE``,
``offer MACHINE...``.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import os
import select
import signal
import socket
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon import __version__
from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.channel import Channel
from asr_daemon.dispatch.cluster_messages import (
    OFFER_EVERY_S,
    Hello,
    Hire,
    Message,
    Offer,
    decode,
    encode,
)
from asr_daemon.dispatch.local_process import RecogniserProcess
from asr_daemon.errors import RecogniserCrashedError
from asr_daemon.files.passing import receive_some
from support import eventually

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Script = "Callable[[protocol.Recognise, bytes], list[object]]"


class Hired:
    """A recogniser on a machine: answers each order with the script's messages, in a thread of its own."""

    def __init__(self, bridge: PlayedBridge, hire: Hire, machine: str, end: socket.socket) -> None:
        self.bridge, self.lease, self.name, self.machine = bridge, hire.lease, hire.recogniser, machine
        self.weights = hire.weights
        self.setup: protocol.Setup | None = None
        self.orders: list[protocol.Recognise] = []
        self.others: list[protocol.Message] = []  # all that it was told besides
        self.is_dismissed = threading.Event()
        self.end = end
        self.channel = Channel(end)
        self.thread = threading.Thread(target=self.run, daemon=True)

    def run(self) -> None:
        """Do as told until dismissed."""
        try:
            while True:
                received = self.channel.receive()
                if received is not None:
                    self.obey(*received)
        except (EOFError, OSError, ValueError):
            self.is_dismissed.set()
            with contextlib.suppress(OSError):
                self.channel.close()

    def obey(self, message: protocol.Message, fd: int | None) -> None:
        """Take an order."""
        if isinstance(message, protocol.Setup):
            self.setup = message
            self.say(*self.bridge.first(self))
        elif isinstance(message, protocol.Recognise):
            assert fd is not None
            with os.fdopen(fd, "rb") as recording:
                content = os.pread(recording.fileno(), 1 << 20, 0)
            self.orders.append(message)
            self.say(*self.bridge.script(message, content))  # type: ignore[operator]
        else:
            self.others.append(message)
            if isinstance(message, protocol.Stop):
                self.hang_up()

    def say(self, *messages: object) -> None:
        """Say these to the daemon; bytes go out as they are."""
        with contextlib.suppress(OSError):
            for message in messages:
                if isinstance(message, bytes):
                    self.end.sendall(message)
                else:
                    self.channel.send(message)  # type: ignore[arg-type]

    def lose(self, code: str = "machine_lost", told: str = "") -> None:
        """End as the bridge says of a machine that is gone."""
        self.say(protocol.Lost(code, told or f"{self.machine} does not answer any more."))
        self.hang_up()

    def hang_up(self) -> None:
        """Close our end."""
        with contextlib.suppress(OSError):
            self.end.shutdown(socket.SHUT_RDWR)


class PlayedBridge:
    """Connects, offers, and is hired of."""

    def __init__(
        self,
        path: Path,
        machines: Sequence[str] = ("gpu1",),
        *,
        release: str = __version__,
        connects: bool = True,
    ) -> None:
        """Offer these machines, a card each; ``connects=False``: when it is told to."""
        self.path = path
        self.machines = tuple(machines)
        self.release = release
        self.script: Script = lambda _order, _content: []
        self.most_bytes: dict[str, int] = {}
        self.hired: list[Hired] = []
        self.heard: list[Message] = []
        self.is_over = threading.Event()
        if connects:
            self.connect()

    def connect(self) -> None:
        """Say Hello and what is offered."""
        self.is_over = threading.Event()
        self.end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.end.connect(os.fspath(self.path))
        self.tell(Hello(self.release, "Python 3.12, Ray 2.60.0"))
        self.offer()
        threading.Thread(target=self._listen, args=(self.end,), daemon=True).start()
        threading.Thread(target=self._go_on_offering, args=(self.is_over,), daemon=True).start()

    def _go_on_offering(self, is_over: threading.Event) -> None:
        while not is_over.wait(OFFER_EVERY_S):
            self.offer(problem=self.problem)

    def tell(self, message: Message | bytes) -> None:
        """Say something on the line."""
        with contextlib.suppress(OSError):
            self.end.sendall(message if isinstance(message, bytes) else encode(message))

    def offer(self, *machines: str, problem: str = "") -> None:
        """Offer these machines, or the same again."""
        self.machines, self.problem = machines or self.machines, problem
        self.tell(Offer(len(self.machines), self.machines, problem))

    def close(self) -> None:
        """Die: every socket ends."""
        for end in (self.end, *(hired.end for hired in self.hired)):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def first(self, hired: Hired) -> list[object]:
        """Return what a recogniser says first."""
        most_bytes = self.most_bytes.get(hired.machine, 0)
        return [protocol.Ready("cuda", "model", 1, machine=hired.machine, most_bytes=most_bytes)]

    def has_one_at_work(self) -> bool:
        """Whether the one that was hired last has an order, and has not been dismissed."""
        last = self.hired[-1] if self.hired else None
        return last is not None and bool(last.orders) and not last.is_dismissed.is_set()

    def make(self, hire: Hire, machine: str, end: socket.socket) -> Hired:
        """Return who is hired."""
        return Hired(self, hire, machine, end)

    def at_work(self, machine: str) -> Hired:
        """Return who was hired there last, once it is."""
        return eventually(
            lambda: next((one for one in reversed(self.hired) if one.machine == machine), None),
            what=f"that somebody is hired on {machine}",
        )

    @property
    def orders(self) -> list[protocol.Recognise]:
        """Everything that any recogniser was told."""
        return [order for hired in self.hired for order in hired.orders]

    def _listen(self, end: socket.socket) -> None:
        for message, descriptor in _lines(end):
            self.heard.append(message)
            if isinstance(message, Hire) and descriptor is not None:
                hired = self.make(message, self._freest(), socket.socket(fileno=descriptor))
                self.hired.append(hired)
                hired.thread.start()
        self.is_over.set()

    def _freest(self) -> str:
        held = collections.Counter(one.machine for one in self.hired if not one.is_dismissed.is_set())
        return min(self.machines, key=lambda machine: held[machine])


def _lines(end: socket.socket) -> Iterator[tuple[Message, int | None]]:
    data, descriptors = b"", []
    with contextlib.suppress(OSError):
        while True:
            more, came = receive_some(end, 4)
            data, descriptors = data + more, descriptors + came
            while b"\n" in data:
                line, _, data = data.partition(b"\n")
                message = decode(line)
                brings = isinstance(message, Hire) and bool(descriptors)
                yield message, descriptors.pop(0) if brings else None
            if not more:
                return


# ------------------------------------------------------------------ with real children, as a program


class HiredChild(Hired):
    """A child of ours speaks; what it and the daemon say is handed on."""

    program: tuple[str, ...] = ()
    child: RecogniserProcess | None = None

    def run(self) -> None:
        """Hand on until either has gone."""
        try:
            received = self.channel.receive()
            assert received is not None
            setup = received[0]
            assert isinstance(setup, protocol.Setup)
            self.child = RecogniserProcess.spawn(setup, program=self.program)
            while True:
                readable, _, _ = select.select([self.channel, self.child], [], [])
                if self.channel in readable:
                    self._down(self.child)
                if self.child in readable:
                    self._up(self.child)
        except RecogniserCrashedError as error:
            self.lose(error.code, str(error))
        except (EOFError, OSError):
            pass
        finally:
            self.is_dismissed.set()
            if self.child is not None:
                self.child.kill()
            self.channel.close()

    def _down(self, child: RecogniserProcess) -> None:
        while (received := self.channel.receive(0.0)) is not None:
            message, fd = received
            if isinstance(message, protocol.Recognise):
                message = replace(message, source=None)
            if not isinstance(message, protocol.Saved):  # who asks our child for the next says it
                child.send(message, fd)
            if fd is not None:
                os.close(fd)

    def _up(self, child: RecogniserProcess) -> None:
        while (message := child.receive(0.0)) is not None:
            if isinstance(message, protocol.Ready):
                message = replace(message, machine=self.machine)
            self.channel.send(message)


class BridgeOfChildren(PlayedBridge):
    """One whose machines are children."""

    def __init__(self, path: Path, machines: Sequence[str], program: tuple[str, ...]) -> None:
        self.program = program
        super().__init__(path, machines)

    def make(self, hire: Hire, machine: str, end: socket.socket) -> Hired:
        """Return one with a child."""
        made = HiredChild(self, hire, machine, end)
        made.program = self.program
        return made


def main() -> int:
    """Be the bridge until the daemon or the standard input ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("socket", type=Path)
    parser.add_argument("recogniser")
    parser.add_argument("machine", nargs="+")
    given = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    bridge = BridgeOfChildren(given.socket, given.machine, (given.recogniser,))
    for line in sys.stdin:
        word, *names = line.split()
        if word == "offer":
            bridge.offer(*names)
        for hired in bridge.hired if word == "lose" else ():
            if hired.machine in names and not hired.is_dismissed.is_set():
                hired.lose()
    return 0


if __name__ == "__main__":
    sys.exit(main())
