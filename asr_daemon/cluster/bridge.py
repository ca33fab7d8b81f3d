"""The bridge's process: between the daemon, which knows no network, and Ray, which is one.

Enters: the configuration. Leaves: recognisers for the daemon, one for each hire, until SIGTERM. It reads no
share and no history; recordings come as descriptors, and go to the machines. A daemon that ends takes every
hire along, and is looked for again; a cluster that is away is told to the daemon, and looked for again.
"""

from __future__ import annotations

import os
import platform
import select
import signal
import threading
import time
from importlib import metadata
from typing import TYPE_CHECKING

import structlog

from asr_daemon import __version__
from asr_daemon.cluster.daemon_line import DaemonLine
from asr_daemon.cluster.driver import Driver
from asr_daemon.cluster.hire import Hired
from asr_daemon.cluster.standing import Standing
from asr_daemon.dispatch import protocol
from asr_daemon.dispatch.cluster_messages import OFFER_EVERY_S, Hello, Offer, Refused
from asr_daemon.service.sd_notify import Notifier

if TYPE_CHECKING:
    from pathlib import Path

    from asr_daemon.config_cluster import ClusterSection
    from asr_daemon.dispatch.channel import Channel
    from asr_daemon.dispatch.cluster_messages import Hire

log = structlog.get_logger()

AGAIN_S = 1.0  # that a daemon which is away is looked for
REFUSED_AGAIN_S = 15.0
STOP_WITHIN_S = 4.0
LOST = 1  # exit status: the cluster is gone, a fresh process may find it again


class Bridge:
    """The main thread; each hire, and the look at the cluster, has threads of its own."""

    def __init__(self, section: ClusterSection, socket_path: Path, standing: Standing) -> None:
        self._section = section
        self._path = socket_path
        self._standing = standing
        self._notifier = Notifier.from_environment()
        self._hired: dict[int, Hired] = {}
        self._changing = threading.Lock()
        self._wakes, self._wake = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._is_stopping = False
        self._said = Offer(0)
        self._said_s = 0.0

    def _take_signals(self) -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)

    def _stop(self, _number: int, _frame: object) -> None:
        self._is_stopping = True
        self.wake()

    def wake(self) -> None:
        """Let the main thread look what there is to say."""
        try:
            os.write(self._wake, b".")
        except BlockingIOError:
            return  # it has not seen the last ones yet

    def run(self) -> int:
        """Work until SIGTERM or SIGINT; return the exit status."""
        self._take_signals()
        self._standing.start(self.wake)
        self._notifier.ready()
        log.info("bridge_started", address=self._section.address, socket=str(self._path))
        away = ""
        while not self._is_stopping and not self._standing.is_lost:
            try:
                line = DaemonLine(self._path)
            except OSError as error:
                if away != str(error):
                    log.warning("daemon_not_reached", problem=str(error))
                away = str(error)
                self._wait(None, AGAIN_S)
                continue
            away = ""
            self._wait(None, self._serve(line))
        status = 0 if self._is_stopping else LOST
        self._notifier.stopping()
        self._dismiss_all()
        self._standing.stop(STOP_WITHIN_S)
        log.info("bridge_stopped", status=status)
        return status

    def _serve(self, line: DaemonLine) -> float:
        """Serve one daemon until it is gone; return how soon to look for the next."""
        log.info("daemon_reached")
        again_s = AGAIN_S
        try:
            line.say(Hello(__version__, f"Python {platform.python_version()}, Ray {metadata.version('ray')}"))
            self._said_s = 0.0
            while not self._is_stopping and not self._standing.is_lost:
                self._offer(line)
                if self._wait(line, self._said_s + OFFER_EVERY_S - time.monotonic()):
                    for heard in line.hear():
                        if isinstance(heard, Refused):
                            log.error("bridge_refused", problem=heard.message)
                            again_s = REFUSED_AGAIN_S
                        else:
                            self._take(*heard)
        except (OSError, ValueError) as error:
            log.warning("daemon_gone", problem=str(error))
        line.close()
        self._dismiss_all()
        return again_s

    def _offer(self, line: DaemonLine) -> None:
        offer = self._standing.offer
        if offer != self._said or time.monotonic() - self._said_s >= OFFER_EVERY_S:
            self._take_signals()  # Ray takes them for itself when it connects
            line.say(offer)
            self._said, self._said_s = offer, time.monotonic()
            self._notifier.status(offer.problem or f"{offer.cards} cards on {len(offer.machines)} machines")

    def _wait(self, line: DaemonLine | None, seconds: float) -> bool:
        """Wait for the daemon, a change, or that long; return whether the daemon said something."""
        self._notifier.watchdog()
        watched = [self._wakes] if line is None else [self._wakes, line.fileno()]
        readable, _, _ = select.select(watched, [], [], 0.0 if self._is_stopping else max(0.0, seconds))
        if self._wakes in readable:
            os.read(self._wakes, 4096)
        return line is not None and line.fileno() in readable

    # ------------------------------------------------------------------ hires

    def _take(self, hire: Hire, channel: Channel) -> None:
        log.info("recogniser_hired", lease=hire.lease, recogniser=hire.recogniser)
        hired = Hired(
            hire,
            channel,
            self._standing.driver,
            insecure=self._section.insecure,
            on_over=self._forget,
        )
        with self._changing:
            self._hired[hire.lease] = hired
        hired.begin()
        if problem := self._standing.offer.problem:
            hired.lose(protocol.Lost("cluster_away", problem))

    def _forget(self, hired: Hired) -> None:
        with self._changing:
            self._hired.pop(hired.lease, None)

    def _dismiss_all(self) -> None:
        with self._changing:
            hired = list(self._hired.values())
        for each in hired:
            each.dismiss()


def run(section: ClusterSection, socket_path: Path) -> int:
    """Be the bridge until SIGTERM or SIGINT; return the exit status."""
    return Bridge(section, socket_path, Standing(Driver(section), section.address)).run()
