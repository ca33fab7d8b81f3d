"""Signs of life of the daemon's threads: systemd's watchdog is fed from their progress, not from a timer.

Enters: a beat from each thread wherever it makes a step (also while it hashes, loads a model or waits for
room). Leaves: the names of those that have not made one for too long.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from asr_daemon.clock import Clock

# One call on a share that hangs takes that long at times, and passes.
PATIENCE_S = 120.0


class Heartbeats:
    """When each watched thread made its last step; any thread may ask."""

    def __init__(self, clock: Clock, patience_s: float = PATIENCE_S) -> None:
        self._clock = clock
        self._patience_s = patience_s
        self._beaten_s: dict[str, float] = {}

    def watch(self, thread: str) -> None:
        """Expect beats of the thread of that name from now on."""
        self._beaten_s[thread] = self._clock.monotonic_s()

    def beat(self, name: str = "") -> None:
        """Make a step in the name of that thread ("": the calling one); one that is not watched may, too."""
        name = name or threading.current_thread().name
        if name in self._beaten_s:
            self._beaten_s[name] = self._clock.monotonic_s()

    def beat_for_all(self) -> None:
        """Make a step in the name of all: one thread works, and the others cannot but wait for it."""
        for name in list(self._beaten_s):
            self._beaten_s[name] = self._clock.monotonic_s()

    def ages_s(self) -> dict[str, float]:
        """Return how long ago each thread made its last step."""
        now_s = self._clock.monotonic_s()
        return {name: now_s - beaten_s for name, beaten_s in list(self._beaten_s.items())}

    def stuck(self) -> dict[str, float]:
        """Return the threads without a step for too long, and for how long."""
        return {name: age_s for name, age_s in self.ages_s().items() if age_s > self._patience_s}
