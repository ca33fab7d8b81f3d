"""The daemon's side of a recogniser on another machine: the bridge speaks for it, on a socket pair.

Enters and leaves: messages, as with a child of our own (:mod:`asr_daemon.dispatch.local_process`). Fails with
:class:`~asr_daemon.errors.MachineLostError` or :class:`~asr_daemon.errors.ClusterAwayError` where no
recording is to blame, with :class:`~asr_daemon.errors.RecogniserCrashedError` where the recogniser ended and
its machine lives. The bridge has a network and is trusted with nothing else: no files are taken from it, no
line without an end, and nothing at all once its line is over.
"""

from __future__ import annotations

import contextlib
import socket
import time
from typing import TYPE_CHECKING, Protocol

from asr_daemon.dispatch.channel import Channel
from asr_daemon.dispatch.protocol import Lost, Ready, Recognised, Saved, Stop
from asr_daemon.errors import (
    ClusterAwayError,
    KilledForMemoryError,
    MachineLostError,
    RecogniserCrashedError,
)

if TYPE_CHECKING:
    import threading

    from asr_daemon.dispatch.protocol import Message
    from asr_daemon.errors import WorkError

AWAY = (MachineLostError, ClusterAwayError)  # no recording's fault
MOST_LINE_BYTES = 16 << 20
MOST_NAME = 100  # characters of a machine's name
SEND_WITHIN_S = 20.0
LINE_ENDS_WITHIN_S = 1.0  # of a bridge that has died: its sockets end one after the other
_KINDS = {
    "machine_lost": MachineLostError,
    "cluster_away": ClusterAwayError,
    "recogniser_crashed": RecogniserCrashedError,
    "killed_for_memory": KilledForMemoryError,
}


class Employer(Protocol):
    """Whom a recogniser was hired of: one bridge."""

    is_over: threading.Event  # set once nothing of that bridge is heard any more
    why_over: str

    def ready(self, message: Ready) -> None:
        """Take down where a recogniser is, and what may be given to it."""

    def lost(self, machine: str) -> None:
        """Count a machine that was lost."""

    def let_go(self, recogniser: RemoteProcess) -> None:
        """Forget one that has ended."""


class RemoteProcess:
    """One hire. Send from any thread; receive from one."""

    pid = None  # it is no process of this machine

    def __init__(self, end: socket.socket, lease: int, bridge: Employer) -> None:
        end.settimeout(SEND_WITHIN_S)
        self.lease = lease
        self.machine = ""  # once it is ready
        self._end = end
        self._channel = Channel(end, takes_files=False, most_line_bytes=MOST_LINE_BYTES)
        self._bridge = bridge
        self._unconfirmed: int | None = None  # the order whose segments were received last

    def send(self, message: Message, fd: int | None = None) -> None:
        """Send a message, a recording's descriptor with it; raises as :meth:`receive` does."""
        self._require_bridge()
        try:
            self._channel.send(message, fd)
        except OSError:
            raise self._ended() from None

    def receive(self, timeout_s: float) -> Message | None:
        """Return the next message, None after the time-out; raises the error of one that is gone.

        Who asks for the next has committed the last: the recogniser is told so.
        """
        if self._unconfirmed is not None:
            order, self._unconfirmed = self._unconfirmed, None
            self.send(Saved(order))
        self._require_bridge()
        try:
            received = self._channel.receive(timeout_s)
        except (EOFError, OSError):
            raise self._ended() from None
        except ValueError:  # its words might hold a transcript's
            self.kill()
            raise RecogniserCrashedError("The bridge sent what is no message.") from None
        self._require_bridge()
        message = received[0] if received else None
        match message:
            case Lost():
                raise self._lost(message)
            case Ready():
                self.machine = message.machine[:MOST_NAME]
                self._bridge.ready(message)
            case Recognised(order):
                self._unconfirmed = order
        return message

    def cut(self) -> None:
        """Let whoever sends or receives notice that the bridge is gone; from any thread."""
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def kill(self) -> None:
        """Dismiss it: the bridge ends it as soon as it sees our end closed."""
        self._bridge.let_go(self)
        self._channel.close()

    def abort(self) -> str:
        """Dismiss one that hangs; where it did is not known here."""
        where = f"on {self.machine or 'a machine that never said its name'}, under lease {self.lease}"
        self.kill()
        return where

    def stop(self, timeout_s: float) -> bool:
        """Ask it to end, dismiss it after the time-out; return whether it obeyed: its card is free then."""
        until_s = time.monotonic() + timeout_s
        obeyed = False
        with contextlib.suppress(OSError, ValueError):
            try:
                self._channel.send(Stop())
                while (left_s := until_s - time.monotonic()) > 0 and not self._bridge.is_over.is_set():
                    self._channel.receive(left_s)
            except EOFError:
                obeyed = True
        self.kill()
        return obeyed

    def _require_bridge(self) -> None:
        if self._bridge.is_over.is_set():
            raise ClusterAwayError(self._bridge.why_over)

    def _ended(self) -> WorkError:
        """Return the error of one whose channel has ended: what was said last, or that nothing was."""
        with contextlib.suppress(EOFError, OSError, ValueError):
            while (received := self._channel.receive(0.0)) is not None:
                if isinstance(received[0], Lost):
                    return self._lost(received[0])
        if self._bridge.is_over.wait(LINE_ENDS_WITHIN_S):
            return ClusterAwayError(self._bridge.why_over)
        return self._lost(Lost("machine_lost", f"{self.machine or 'A machine'} was let go without a word."))

    def _lost(self, said: Lost) -> WorkError:
        kind = _KINDS.get(said.code, MachineLostError)
        if kind is MachineLostError:
            self._bridge.lost(self.machine)
        return kind(said.message, evidence=said.evidence)
