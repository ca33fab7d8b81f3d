"""A Unix socket at a path, served in threads: how the daemon's sockets listen, end, and know who asks."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import socketserver
    from collections.abc import Callable, Iterator
    from pathlib import Path

BACKLOG = 128
PARTING_S, PARTING_BLOCKS = 2.0, 64


class Listener:
    """Serves a socket until closed."""

    def __init__(
        self,
        path: Path,
        make_server: Callable[[str], socketserver.ThreadingUnixStreamServer],
        thread: str,
        group: int = -1,
    ) -> None:
        """Listen at ``path``, for this process's own user, or for a group as well (by number)."""
        self._path = path
        with contextlib.suppress(FileNotFoundError):
            path.unlink()  # of a daemon that was killed; the lock is ours
        with short_name(path) as name:
            self._server = make_server(name)
        if group >= 0:
            os.chown(path, -1, group, follow_symlinks=False)
        path.chmod(0o600 if group < 0 else 0o660)
        threading.Thread(target=self._server.serve_forever, name=thread, daemon=True).start()

    def close(self) -> None:
        """Stop listening and remove the socket."""
        self._server.shutdown()
        self._server.server_close()
        with contextlib.suppress(FileNotFoundError):
            self._path.unlink()


@contextlib.contextmanager
def short_name(path: Path) -> Iterator[str]:
    """Yield a name of that path that fits into a socket's address, which holds 107 bytes."""
    folder = os.open(path.parent, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{folder}/{path.name}"
    finally:
        os.close(folder)


def part(connection: socket.socket) -> None:
    """Let the other end read what it was told last: closing over what it still says would reset that."""
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_WR)
        connection.settimeout(PARTING_S)
        for _ in range(PARTING_BLOCKS):
            if not connection.recv(1 << 16):
                return


def user_of(connection: socket.socket) -> int:
    """Return the number of the user at the other end, in the kernel's words."""
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, user, _ = struct.unpack("3i", credentials)
    return int(user)
