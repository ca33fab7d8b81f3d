"""Sockets that systemd opened for the service: it listens where the service itself has no network.

Enters: ``$LISTEN_PID``, ``$LISTEN_FDS``, ``$LISTEN_FDNAMES``, see ``sd_listen_fds(3)``. Leaves: a listening
socket, or None where systemd passed none of that name.
"""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST_FD = 3
METRICS_SOCKET = "metrics"  # FileDescriptorName= in asr-daemon.socket


def passed_socket(
    name: str, environ: Mapping[str, str] = os.environ, *, first_fd: int = FIRST_FD
) -> socket.socket | None:
    """Return the socket of that ``FileDescriptorName=``; its descriptor is the caller's from now on."""
    count = environ.get("LISTEN_FDS", "")
    if environ.get("LISTEN_PID") != str(os.getpid()) or not count.isdigit():
        return None
    names = environ.get("LISTEN_FDNAMES", "").split(":")[: int(count)]
    if name not in names:
        return None
    fd = first_fd + names.index(name)
    os.set_inheritable(fd, False)
    return socket.socket(fileno=fd)
