"""Where the gateway listens: an address and port, or a Unix socket for a proxy in front of it.

Enters: ``gateway.listen``. Leaves: bound sockets. A Unix socket is for its owner and group alone: whoever may
connect there may say, in ``trusted_user_header``, who is logged in. Fails with
:class:`~asr_daemon.errors.OperatorError`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.errors import OperatorError

if TYPE_CHECKING:
    from collections.abc import Iterator

UNIX = "unix:"
OWNER_AND_GROUP_ONLY = 0o117  # umask


@contextlib.contextmanager
def listening(listen: str) -> Iterator[list[socket.socket]]:
    """Yield the sockets; a Unix socket's name is gone afterwards."""
    try:
        sockets = [_unix(Path(listen.removeprefix(UNIX)))] if listen.startswith(UNIX) else _at(listen)
    except OSError as error:
        told = error.strerror or str(error)
        raise OperatorError(f"gateway.listen: {listen} cannot be listened at: {told}") from None
    try:
        yield sockets
    finally:
        for end in sockets:
            end.close()
        if listen.startswith(UNIX):
            Path(listen.removeprefix(UNIX)).unlink(missing_ok=True)


def port_of(sockets: list[socket.socket]) -> int:
    """Return the port that was found where any was asked for (0)."""
    return int(sockets[0].getsockname()[1])


def _at(listen: str) -> list[socket.socket]:
    host, _, port = listen.rpartition(":")
    found = socket.getaddrinfo(host.strip("[]"), int(port), type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    sockets: list[socket.socket] = []
    try:
        for family, kind, protocol, _, address in dict.fromkeys(found):
            end = socket.socket(family, kind, protocol)
            sockets.append(end)
            end.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                end.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            end.bind(address)
    except OSError:
        for end in sockets:
            end.close()
        raise
    return sockets


def _unix(path: Path) -> socket.socket:
    _remove_left(path)
    end = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(OWNER_AND_GROUP_ONLY)
    try:
        end.bind(os.fspath(path))
    except OSError:
        end.close()
        raise
    finally:
        os.umask(before)
    return end


def _remove_left(path: Path) -> None:
    """Remove the socket of a gateway that was killed; one that somebody listens at stays."""
    try:
        if not stat.S_ISSOCK(path.lstat().st_mode):
            return  # binding says that the name is taken
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(os.fspath(path))
        except ConnectionRefusedError:
            path.unlink()
