"""The port where Prometheus asks for the figures: systemd's socket, or one of our own.

Enters: address (loopback, unless somebody opens it) and port of the configuration, the socket that systemd
passed. Leaves: answers to ``GET /metrics``. A port that cannot be had is said in the log, once, and stops
nobody.
"""

from __future__ import annotations

import errno
import functools
import socket
from typing import TYPE_CHECKING

import structlog
from prometheus_client import generate_latest

from asr_daemon.telemetry.scrape_server import ScrapeServer

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

log = structlog.get_logger()

LOOPBACK = "127.0.0.1"
_AGAIN = "run `asr-daemon install`, then `systemctl restart asr-daemon`"


class MetricsPort:
    """Opens, moves and closes the port."""

    def __init__(self, registry: CollectorRegistry, passed: socket.socket | None = None) -> None:
        self._render = functools.partial(generate_latest, registry)
        self._passed = passed
        self._port = 0
        self._address = LOOPBACK
        self._refused = ""
        self._server: ScrapeServer | None = None

    def configure(self, port: int, address: str = LOOPBACK) -> None:
        """Serve there and nowhere else; 0: nowhere. May be called again and again."""
        if (address, port) == (self._address, self._port) and not self._refused:
            return
        self.close()
        self._address, self._port = address, port
        if not port:
            self._refused = ""
            return
        try:
            listener = self._listener(port)
            server = ScrapeServer(listener, self._render)
            server.start()
        except (OSError, RuntimeError) as error:  # no port, or no thread
            problem = getattr(error, "strerror", None) or str(error)
            if problem != self._refused:
                log.error("metrics_port_refused", port=port, problem=problem)
            self._refused = problem
            return
        self._refused = ""
        self._server = server
        log.info("metrics_served", address=address, port=port)

    def close(self) -> None:
        """Serve nowhere; systemd's socket stays its own."""
        if self._server is not None:
            self._server.stop()
        self._server, self._port = None, 0

    def _listener(self, port: int) -> socket.socket:
        """Return a listening socket on that port. Raises :class:`OSError`."""
        if self._passed is not None:
            at, listens_on = self._passed.getsockname()[:2]
            if (at, listens_on) != (self._address, port):
                raise OSError(errno.EADDRNOTAVAIL, f"systemd listens on port {listens_on} of {at}: {_AGAIN}")
            return self._passed.dup()
        try:
            family = socket.AF_INET6 if ":" in self._address else socket.AF_INET
            return socket.create_server((self._address, port), family=family)
        except OSError as error:
            if error.errno == errno.EAFNOSUPPORT:  # RestrictAddressFamilies= of the unit
                raise OSError(error.errno, f"the service has no network of its own: {_AGAIN}") from error
            raise
