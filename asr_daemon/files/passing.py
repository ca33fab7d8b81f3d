"""Open files over a Unix stream socket (SCM_RIGHTS): they travel with the first byte of their line."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

CHUNK_BYTES = 1 << 16


def send_line(end: socket.socket, line: bytes, descriptors: Sequence[int] = ()) -> None:
    """Send a line, and descriptors with it, which stay open here; raises ``OSError``."""
    left = memoryview(line)
    if descriptors:
        left = left[socket.send_fds(end, [left], descriptors) :]
    if left:  # sending nothing would fail where the other end has answered and gone already
        end.sendall(left)


def receive_some(end: socket.socket, most_descriptors: int) -> tuple[bytes, list[int]]:
    """Return the next bytes, b"" at the end, and descriptors that came along, which the caller closes."""
    data, descriptors, _, _ = socket.recv_fds(end, CHUNK_BYTES, most_descriptors, socket.MSG_CMSG_CLOEXEC)
    return data, list(descriptors)
