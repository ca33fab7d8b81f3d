"""How the device is shared out while somebody speaks: readings of growing sentences, batches of the queue.

Measured with the built-in model on two cores (tests/benchmarks/bench_live.py).
"""

from __future__ import annotations

READ_EVERY_S = 0.5
BUSY_SHARE = 0.2  # of the device's time that readings may take from a queue that waits
IDLE_SHARE = 0.6  # and where nothing else is to be done
BATCH_S = 0.3  # how long a batch of the queue may take: a sentence that is over waits for the one in hand
LEAST_BOUND_S = 5.0  # padded seconds; shorter batches cost the queue too much
_SMOOTH = 0.3


class Pace:
    """Learns what things cost; used by the device's thread."""

    def __init__(self) -> None:
        self.read_again_s = 0.0  # of the monotonic clock: no reading before
        self._cost = 0.0  # seconds of the device for a padded second of the queue; 0: nothing known

    def was_read(self, began_s: float, ended_s: float, *, queue_waits: bool) -> None:
        """Readings took so long; the next ones wait for it."""
        share = BUSY_SHARE if queue_waits else IDLE_SHARE
        self.read_again_s = max(began_s + READ_EVERY_S, began_s + (ended_s - began_s) / share)

    def was_recognised(self, padded_s: float, took_s: float) -> None:
        """A batch of the queue took so long."""
        if padded_s > 0:
            cost = took_s / padded_s
            self._cost = cost if not self._cost else self._cost + _SMOOTH * (cost - self._cost)

    def bound_s(self, full_s: float) -> float:
        """Return the bound of a batch of the queue in padded seconds, of which ``full_s`` is all."""
        if not self._cost:
            return min(full_s, LEAST_BOUND_S)
        return min(full_s, max(LEAST_BOUND_S, BATCH_S / self._cost))
