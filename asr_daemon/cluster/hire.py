"""One recogniser on another machine, as the bridge sees it: between the daemon's channel and Ray.

Enters: a hire with its channel, on which the daemon speaks the usual protocol. Leaves: what a child would
answer; at last ``Lost``, nothing after it, and the channel's end. Four threads: one hears the daemon, one
speaks to it (it may not listen for a while), one hears the machine (which renews its lease), one sends
recordings there.
"""

from __future__ import annotations

import concurrent.futures
import contextlib
import os
import queue
import threading
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import structlog

from asr_daemon import __version__
from asr_daemon.cluster.guard import OPEN
from asr_daemon.cluster.machine import LEASE_S, About, decode_about
from asr_daemon.cluster.sealing import Seal, Stream, UnsealableError, make_key
from asr_daemon.cluster.sending import Sending
from asr_daemon.dispatch import cluster_messages, protocol

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.cluster.driver import RemoteMachine
    from asr_daemon.dispatch.channel import Channel

log = structlog.get_logger()

MOST_UNSAID = 500  # messages that the daemon has not taken: then the machine is asked for none


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a machine is waited for."""

    placed_s: float = 30.0  # for a free card
    lost_s: float = 15.0  # for any answer
    lease_s: float = LEASE_S  # unasked for that long, a machine has ended itself


class Cluster(Protocol):
    """What is needed of the driver."""

    def hire(self) -> RemoteMachine:
        """Return a process on some machine with a free card, as soon as there is one."""

    def name_of(self, node_id: str, otherwise: str) -> str:
        """Return what people call a machine."""

    def lost(self, name: str, node_id: str, error: BaseException) -> protocol.Lost:
        """Return what an error of a call means."""


class LostError(Exception):
    """The recogniser is lost, as ``lost`` says."""

    def __init__(self, lost: protocol.Lost) -> None:
        super().__init__(lost.message)
        self.lost = lost


class Hired:
    """One lease, from the hire to the end."""

    def __init__(
        self,
        hire: cluster_messages.Hire,
        channel: Channel,
        cluster: Cluster,
        *,
        insecure: bool,
        patience: Patience = Patience(),
        on_over: Callable[[Hired], None] = lambda _hired: None,
    ) -> None:
        """``insecure``: a cluster that asks nobody who is there will do; ``on_over`` is called once."""
        self.lease, self.name = hire.lease, "the machine"
        self._hire = hire
        self._channel = channel
        self._cluster = cluster
        self._insecure = insecure
        self._patience = patience
        self._on_over = on_over
        self._machine: RemoteMachine | None = None
        self._sending: Sending | None = None
        self._seal: Seal | None = None
        self._node = ""
        self._told, self._heard = 0, 0
        self._unsaid: queue.SimpleQueue[protocol.Message | None] = queue.SimpleQueue()
        self._ending = threading.Lock()
        self._is_stopping = False  # the daemon said so: then its end is no loss
        self._is_over = False

    def begin(self) -> None:
        """Start to work."""
        self._thread("orders", self._obey)
        self._thread("speaking", self._speak)

    def dismiss(self) -> None:
        """End at once, without a word: the daemon wants no more, or the bridge ends."""
        self._end(None)

    def lose(self, lost: protocol.Lost) -> None:
        """End at once, and say how."""
        self._end(lost)

    @property
    def is_over(self) -> bool:
        """Whether it has ended."""
        return self._is_over

    def _thread(self, what: str, work: Callable[[], None]) -> None:
        threading.Thread(target=work, name=f"{what} {self.lease}", daemon=True).start()

    # ------------------------------------------------------------------ the daemon

    def _obey(self) -> None:
        """Hear the daemon until it hangs up: it may speak before it has read of the end."""
        with contextlib.suppress(EOFError, OSError, ValueError):
            while True:
                received = self._channel.receive()
                if received is not None:
                    self._take(*received)
        self.dismiss()
        self._channel.close()

    def _take(self, message: protocol.Message, fd: int | None) -> None:
        match message:
            case _ if self._is_over:
                if fd is not None:
                    os.close(fd)
            case protocol.Setup() if self._machine is None:
                self._thread("machine", lambda: self._work(message))
            case protocol.Recognise() if fd is not None and self._sending is not None:
                self._sending.add(message, fd)
            case protocol.Saved() | protocol.Cancel() | protocol.Stop() if self._machine is not None:
                if isinstance(message, protocol.Cancel) and self._sending is not None:
                    self._sending.forget(message.order)
                self._is_stopping = self._is_stopping or isinstance(message, protocol.Stop)
                self._tell(self._machine, message)
            case _:
                if fd is not None:
                    os.close(fd)
                log.warning("order_not_understood", lease=self.lease, kind=type(message).__name__)

    def _tell(self, machine: RemoteMachine, message: protocol.Message) -> None:
        if self._seal is None:
            return
        self._told += 1
        sealed = self._seal.close(Stream.ORDERS, self._told, protocol.encode(message))
        try:
            machine.tell(self.lease, sealed)
        except Exception as error:  # noqa: BLE001 (Ray raises whatever it likes)
            self._end(self._cluster.lost(self.name, self._node, error))

    def _speak(self) -> None:
        """Say to the daemon what there is to be said, in its own time, up to the last word."""
        with contextlib.suppress(OSError):
            while (message := self._unsaid.get()) is not None:
                self._channel.send(message)
        self._channel.finish()

    def _say(self, message: protocol.Message) -> None:
        with self._ending:
            if not self._is_over:
                self._unsaid.put(message)

    # ------------------------------------------------------------------ the machine

    def _work(self, setup: protocol.Setup) -> None:
        """Find a machine, then hear what it says, until one of us ends."""
        try:
            machine = self._machine = self._cluster.hire()
            self._begin(machine, self._placed(machine), setup)
            while not self._is_over:
                self._hear(machine)
        except LostError as error:
            self._end(error.lost)
        except Exception as error:  # noqa: BLE001 (Ray raises whatever it likes)
            self._end(self._cluster.lost(self.name, self._node, error))
        if self._machine is not None:  # it may have been dismissed before there was one
            self._machine.kill()

    def _placed(self, machine: RemoteMachine) -> About:
        """Return where the process is; raises :class:`LostError` where it may not work there."""
        try:
            answer = machine.about().result(self._patience.placed_s)
        except concurrent.futures.TimeoutError:
            message = f"No card of the cluster was free within {self._patience.placed_s:.0f} s."
            raise LostError(protocol.Lost("cluster_away", message)) from None
        try:
            about = decode_about(answer)
        except ValueError:
            about = About("another release", "", "", is_guarded=True, available_bytes=0)
        self._node, self.name = about.node, self._cluster.name_of(about.node, about.host)
        problem = ""
        if about.release != __version__:
            problem = (
                f"On {self.name} asr-daemon is {about.release}, here it is {__version__}: "
                "install the same on all machines."
            )
        elif not about.is_guarded and not self._insecure:
            problem = OPEN.format(address=self.name)
        if problem:
            self._say(protocol.Broken("recogniser_not_started", problem))
            raise LostError(protocol.Lost("cluster_away", problem))
        return about

    def _begin(self, machine: RemoteMachine, about: About, setup: protocol.Setup) -> None:
        key = make_key()
        self._seal = Seal(key, self.lease)
        self._sending = Sending(machine, self._seal, self.lease, about.available_bytes, self._say)
        machine.start(cluster_messages.encode(self._hire), protocol.encode(setup), key)
        self._thread("sending", self._send)
        log.info("recogniser_placed", lease=self.lease, recogniser=self._hire.recogniser, machine=self.name)

    def _send(self) -> None:
        assert self._sending is not None  # noqa: S101 (begun)
        try:
            self._sending.run()
        except Exception as error:  # noqa: BLE001 (Ray raises whatever it likes)
            self._end(self._cluster.lost(self.name, self._node, error))

    def _hear(self, machine: RemoteMachine) -> None:
        """Ask once; raises what the call raises."""
        asked_s = time.monotonic()
        try:
            has_room = self._unsaid.qsize() < MOST_UNSAID
            sealed = machine.hear(self.lease, wants_words=has_room).result(self._patience.lost_s)
        except Exception as error:
            silent_s = time.monotonic() - asked_s
            if silent_s > 0.9 * self._patience.lease_s:  # it may have ended itself, as nobody had asked
                message = f"{self.name} has not answered for {silent_s:.0f} s."
                raise LostError(
                    protocol.Lost("machine_lost", message, f"{type(error).__name__}: {error}")
                ) from None
            raise
        if not sealed or self._seal is None:
            return
        self._heard += 1
        try:
            words = self._seal.open(Stream.WORDS, self._heard, sealed)
        except UnsealableError as error:
            raise LostError(protocol.Lost("machine_lost", f"{self.name}: {error}.")) from None
        for line in words.splitlines():
            self._hand_on(protocol.decode(line))

    def _hand_on(self, message: protocol.Message) -> None:
        assert self._sending is not None  # noqa: S101 (begun)
        match message:
            case protocol.Lost() if self._is_stopping:
                self.dismiss()
            case protocol.Lost():
                raise LostError(replace(message, message=f"On {self.name}: {message.message}"))
            case protocol.Broken():
                message = replace(message, message=f"On {self.name}: {message.message}")
            case protocol.Ready():
                message = replace(
                    message, was_checked=False, machine=self.name, most_bytes=self._sending.most_bytes
                )
            case protocol.Finished() | protocol.Failed():
                self._sending.forget(message.order)
        self._say(message)

    # ------------------------------------------------------------------ the end

    def _end(self, lost: protocol.Lost | None) -> None:
        """End once: say how where that was not wanted, let go of the machine."""
        with self._ending:
            if self._is_over:
                return
            self._is_over = True
            if lost is not None:
                self._unsaid.put(lost)
            self._unsaid.put(None)
        if lost is not None:
            log.warning(
                "machine_lost", lease=self.lease, machine=self.name, error=lost.code, problem=lost.message
            )
        if self._sending is not None:
            self._sending.close()
        if (machine := self._machine) is not None:
            machine.kill()
        self._on_over(self)
