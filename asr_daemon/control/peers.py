"""A Unix socket for one user's program beside the daemon; the kernel tells who connects (``SO_PEERCRED``).

Root and the daemon's own user may connect as well. What is said on a connection is the handler's; all of them
end when the socket is closed.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import socket
import socketserver
import threading
from typing import TYPE_CHECKING, ClassVar

from asr_daemon.control.listening import BACKLOG, Listener, part, user_of
from asr_daemon.control.wire import Wire
from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path


def peer(name: str, key: str) -> tuple[tuple[int, ...], int]:
    """Return the users that may connect beside our own, and the socket's group, for a user of that name.

    Raises :class:`~asr_daemon.errors.OperatorError`, with the configuration's key, where there is none.
    """
    if not name:
        return (), -1
    try:
        user = pwd.getpwnam(name)
    except KeyError:
        raise OperatorError(f"{key}: there is no user {name!r}; `asr-daemon install` makes it") from None
    return (user.pw_uid,), user.pw_gid


class PeerServer(socketserver.ThreadingUnixStreamServer):
    """Serves so many connections at once, each in a thread of its own."""

    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(self, path: str, handler: type[PeerConnection], users: Collection[int], most: int) -> None:
        self.users = frozenset({0, os.geteuid(), *users})
        self.open: set[socket.socket] = set()
        self.free = threading.Semaphore(most)
        super().__init__(path, handler)


class PeerConnection(socketserver.BaseRequestHandler):
    """One connection; a subclass says how others are refused, and serves."""

    first_within_s: ClassVar[float]  # that the other end may say nothing
    most_line_bytes: ClassVar[int]
    server: PeerServer

    def handle(self) -> None:
        """Serve whoever may connect; others are told why not."""
        end: socket.socket = self.request
        end.settimeout(self.first_within_s)
        self.server.open.add(end)
        wire = Wire(end, self.most_line_bytes)
        try:
            if (user := user_of(end)) not in self.server.users:
                self.refuse_user(wire, user)
            elif not self.server.free.acquire(blocking=False):
                self.refuse_one_more(wire)
            else:
                try:
                    self.serve(wire)
                finally:
                    self.server.free.release()
        except OSError:  # the other end has gone, or says nothing any more
            pass
        finally:
            self.server.open.discard(end)
            wire.close()

    def say_at_last(self, wire: Wire, line: bytes) -> None:
        """Send a line that the other end shall read, though nothing more is heard of it."""
        wire.send(line)
        part(self.request)

    def refuse_user(self, wire: Wire, user: int) -> None:
        """Tell another user that it may not connect."""
        raise NotImplementedError

    def refuse_one_more(self, wire: Wire) -> None:
        """Tell that as many are connected as may be."""
        raise NotImplementedError

    def serve(self, wire: Wire) -> None:
        """Converse until one end goes; an ``OSError`` ends it."""
        raise NotImplementedError


class PeerSocket(Listener):
    """Listens for the program until closed."""

    def __init__(
        self, path: Path, make_server: Callable[[str], PeerServer], thread: str, group: int = -1
    ) -> None:
        """Listen at ``path``, for this process's own user, and for a group as well (by number)."""

        def make(name: str) -> PeerServer:
            self._peers = make_server(name)
            return self._peers

        super().__init__(path, make, thread, group)

    def close(self) -> None:
        """Stop listening, end every connection, and remove the socket."""
        super().close()
        for end in list(self._peers.open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
