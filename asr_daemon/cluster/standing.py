"""How it stands with the cluster: connected or why not, and what is offered; in a thread of its own.

Ray may keep a question waiting for ever when its head is gone: whoever asks here gets an answer at once.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import structlog

from asr_daemon.dispatch.cluster_messages import Offer
from asr_daemon.errors import ClusterAwayError

if TYPE_CHECKING:
    from collections.abc import Callable

    from asr_daemon.cluster.driver import Driver

log = structlog.get_logger()

LOOK_EVERY_S = 5.0  # also for one that is away
SILENT_S = 15.0  # then it counts as away
GIVEN_UP_S = 60.0  # then the process starts anew: Ray does not connect twice in all cases
CONNECTING = "The bridge is connecting to the cluster."


class Standing:
    """What the cluster is to the daemon now."""

    def __init__(self, driver: Driver, address: str) -> None:
        self.driver = driver
        self._address = address
        self._on_change: Callable[[], None] = lambda: None
        self._offer = Offer(0, (), CONNECTING)
        self._answered_s = time.monotonic()
        self._is_connected = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="cluster", daemon=True)

    def start(self, on_change: Callable[[], None]) -> None:
        """Begin to look; ``on_change`` is called, from another thread, when something else is offered."""
        self._on_change = on_change
        self._thread.start()

    def stop(self, within_s: float) -> None:
        """Let go of the cluster."""
        self._stopping.set()
        self._thread.join(within_s)

    @property
    def offer(self) -> Offer:
        """What can be hired."""
        if self._is_connected and self._silent_s > SILENT_S:
            return Offer(
                0, (), f"The cluster at {self._address} has not answered for {self._silent_s:.0f} s."
            )
        return self._offer

    @property
    def is_lost(self) -> bool:
        """Whether a cluster that was there is gone for so long that a fresh process should look for it."""
        return self._is_connected and self._silent_s > GIVEN_UP_S

    @property
    def _silent_s(self) -> float:
        return time.monotonic() - self._answered_s

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                if not self._is_connected:
                    self.driver.connect()
                    self._answered_s = time.monotonic()
                    self._is_connected = True
                    log.info("cluster_connected", address=self._address)
                self._show(self.driver.look())
                self._answered_s = time.monotonic()
            except ClusterAwayError as error:
                self._show(Offer(0, (), str(error)))
            except Exception as error:  # noqa: BLE001 (Ray raises whatever it likes)
                first = next(iter(str(error).splitlines()), "")
                self._show(Offer(0, (), f"The cluster at {self._address} cannot be asked: {first[:300]}"))
                if not self.driver.is_connected:  # and what was hired is lost
                    self.driver.disconnect()
                    self._is_connected = False
            self._stopping.wait(LOOK_EVERY_S)
        self.driver.disconnect()

    def _show(self, offer: Offer) -> None:
        if offer != self._offer:
            log.log(
                30 if offer.problem else 20,
                "cluster_offer_changed",
                cards=offer.cards,
                machines=list(offer.machines),
                problem=offer.problem,
            )
            self._offer = offer
            self._on_change()
