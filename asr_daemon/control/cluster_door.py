"""The door to the cluster's bridge: a Unix socket, by which one bridge at a time says what may be hired.

Who connects is told by the kernel (``SO_PEERCRED``): the bridge's user, the service's own, and root. A newer
bridge takes an older one's place; one of another release is refused in a sentence; one that says nothing, or
what is no message, is let go. Nothing that it says ends the daemon.
"""

from __future__ import annotations

import contextlib
import os
import socket
from typing import TYPE_CHECKING

import structlog

from asr_daemon import __version__
from asr_daemon.control.peers import PeerConnection, PeerServer, PeerSocket, peer
from asr_daemon.control.wire import Wire
from asr_daemon.dispatch.cluster_messages import (
    SILENT_FOR_S,
    Hello,
    Offer,
    Refused,
    decode,
    encode,
)
from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    from asr_daemon.config import Config
    from asr_daemon.dispatch.cluster import Bridge, Cluster

log = structlog.get_logger()

MOST_CONNECTIONS = 8  # one, and those that take its place
HELLO_WITHIN_S = 10.0
SEND_WITHIN_S = 10.0
MOST_LINE_BYTES = 1 << 20


class ClusterDoor:
    """Opened, moved and closed as the configuration says."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._socket: ClusterSocket | None = None
        self._where: tuple[Path, str] | None = None

    def arrange(self, config: Config) -> None:
        """Let bridges in where there is to be a cluster, at its place, for its user.

        Raises :class:`~asr_daemon.errors.OperatorError` where its user does not exist, or no socket can be.
        """
        where = None if config.cluster is None else (config.cluster_socket_path, config.cluster_user)
        if where == self._where:
            return
        self.close()
        if where is None:
            return
        path, name = where
        users, group = peer(name, "cluster.user")
        try:
            self._socket = ClusterSocket(path, self._cluster, users, group)
        except OSError as error:
            raise OperatorError(f"the cluster's socket {path} cannot be made: {error.strerror}") from error
        self._where = where

    def close(self) -> None:
        """Let nobody in any more, and whoever is in go."""
        door, self._socket, self._where = self._socket, None, None
        if door is not None:
            door.close()


class ClusterSocket(PeerSocket):
    """Hears bridges in threads of its own until closed."""

    def __init__(self, path: Path, cluster: Cluster, users: Collection[int], group: int = -1) -> None:
        """Listen at ``path``; ``users`` may connect, beside root and this process's own user."""
        super().__init__(path, lambda name: _Server(name, cluster, users), "cluster", group)


class _Server(PeerServer):
    def __init__(self, path: str, cluster: Cluster, users: Collection[int]) -> None:
        self.cluster = cluster
        super().__init__(path, _Connection, users, MOST_CONNECTIONS)


class _BridgeLine:
    """The bridge's line as the cluster uses it: orders go out from any thread, offers are heard by one."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._out = Wire(end.dup())
        self._out.settle(SEND_WITHIN_S)

    def send(self, line: bytes, descriptor: int | None = None) -> None:
        self._out.send(line, descriptor)

    def hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self._end.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._out.close()


class _Connection(PeerConnection):
    first_within_s = HELLO_WITHIN_S
    most_line_bytes = MOST_LINE_BYTES
    server: _Server

    def refuse_user(self, wire: Wire, user: int) -> None:
        self._refuse(wire, "Only the bridge's user may connect here.", user=user)

    def refuse_one_more(self, wire: Wire) -> None:
        self._refuse(wire, "Too many bridges are connected.")

    def serve(self, wire: Wire) -> None:
        try:
            self._hear(wire)
        except (OSError, ValueError) as error:  # it has gone, or says nothing, or what is no message
            log.debug("bridge_not_heard", problem=str(error))

    def _refuse(self, wire: Wire, message: str, **told: object) -> None:
        say = log.warning if self.server.cluster.refuse(message) else log.debug
        say("bridge_refused", problem=message, **told)
        self.say_at_last(wire, encode(Refused(message)))

    def _hear(self, wire: Wire) -> None:
        line = wire.receive()
        if line is None:
            return
        hello = decode(line)
        if not isinstance(hello, Hello):
            self._refuse(wire, "A bridge says Hello first.")
        elif hello.release != __version__:
            told = f"Bridge and daemon are of different releases ({hello.release[:40]}, {__version__})"
            self._refuse(wire, f"{told}: install the same one and restart both.")
        else:
            line_out = _BridgeLine(self.request)
            bridge = self.server.cluster.connect(Hello(hello.release, hello.versions[:200]), line_out)
            why = "it failed"
            try:
                why = self._take_offers(wire, bridge)
            finally:
                self.server.cluster.disconnect(bridge, why)
                line_out.close()

    def _take_offers(self, wire: Wire, bridge: Bridge) -> str:
        """Hear what is offered until the line is over; return why it is."""
        wire.settle(SILENT_FOR_S)
        try:
            while (line := wire.receive()) is not None:
                _close(wire.take_descriptor())
                offer = decode(line)
                if not isinstance(offer, Offer):
                    return f"it said {type(offer).__name__}, which is not its to say"
                self.server.cluster.take(bridge, offer)
        except TimeoutError:
            return f"it said nothing for {SILENT_FOR_S:.0f} s"
        except ValueError:
            return "it said what is no message"
        except OSError as error:
            return f"its line broke ({error.strerror or error})"
        return "it hung up"


def _close(descriptor: int | None) -> None:
    if descriptor is not None:
        os.close(descriptor)
