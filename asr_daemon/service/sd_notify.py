"""What the service tells systemd: ready, reloading, stopping, a status line, a sign of life.

Enters: ``$NOTIFY_SOCKET`` and ``$WATCHDOG_USEC``. Leaves: datagrams as ``sd_notify(3)`` describes them.
Never fails: outside systemd every call does nothing, and a message that cannot be sent is dropped, because
a service that works must not die of telling so.
"""

from __future__ import annotations

import contextlib
import os
import socket
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.printable import printable

if TYPE_CHECKING:
    from collections.abc import Mapping

_US_PER_S = 1_000_000
_NS_PER_US = 1_000


@dataclass(frozen=True)
class Notifier:
    """The way to the service manager; ``address`` is None where there is none."""

    address: str | None = None  # a socket's path, or "@name" of the abstract name space
    watchdog_interval_s: float | None = None  # call watchdog() at least this often: half of WatchdogSec

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] = os.environ, *, pid: int | None = None) -> Notifier:
        """Return the notifier that the environment asks for; a watchdog meant for another process is none."""
        address = environ.get("NOTIFY_SOCKET") or None
        if address is not None and address[0] not in "/@":
            address = None  # such as vsock: of a virtual machine's manager
        meant_for = environ.get("WATCHDOG_PID")
        timeout_us = environ.get("WATCHDOG_USEC", "")
        is_ours = not meant_for or meant_for == str(os.getpid() if pid is None else pid)
        if address is None or not is_ours or not timeout_us.isdigit() or int(timeout_us) == 0:
            return cls(address)
        return cls(address, int(timeout_us) / _US_PER_S / 2)

    def ready(self) -> None:
        """Say that starting, or reloading, is done."""
        self._send("READY=1")

    def status(self, text: str) -> None:
        """Set the line that ``systemctl status`` shows."""
        self._send(
            "STATUS=" + printable(" ".join(text.split()))
        )  # a file name's line break must not become a message

    def reloading(self) -> None:
        """Say that the configuration is read anew; :meth:`ready` ends it."""
        self._send(f"RELOADING=1\nMONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // _NS_PER_US}")

    def stopping(self) -> None:
        """Say that the service is about to end."""
        self._send("STOPPING=1")

    def watchdog(self) -> None:
        """Give a sign of life: call it where work progresses, never from a timer of its own."""
        self._send("WATCHDOG=1")

    def extend_timeout(self, seconds: float) -> None:
        """Ask for that much time, from now, for starting or stopping."""
        self._send(f"EXTEND_TIMEOUT_USEC={int(seconds * _US_PER_S)}")

    def _send(self, text: str) -> None:
        if self.address is None:
            return
        address = "\0" + self.address[1:] if self.address.startswith("@") else self.address
        with (
            contextlib.suppress(OSError),
            socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel,
        ):
            channel.settimeout(1.0)
            channel.sendto(text.encode("utf-8", "replace"), address)
