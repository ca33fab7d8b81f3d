"""Loading side by side: one recogniser at a time, and one verification of the model's files serves all.

The peaks of several loads do not add up, and gigabytes are not read and compared once for each card.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from asr_daemon.errors import RecogniserNotStartedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_daemon.clock import Clock
    from asr_daemon.dispatch.precision_memory import PrecisionMemory

VERIFIED_FOR_S = 600.0  # how long a verification serves others, while no file of the model changes
POLL_S = 0.5


class LoadGate:
    """What the recognisers of a daemon share while they load."""

    def __init__(self, clock: Clock, precisions: PrecisionMemory) -> None:
        self.precisions = precisions  # what self-checks took; read and written while one loads
        self._clock = clock
        self._lock = threading.Lock()
        self._verified: tuple[object, ...] = ()
        self._verified_until_s = 0.0

    @contextlib.contextmanager
    def turn(self, is_stopping: Callable[[], bool]) -> Iterator[None]:
        """Wait for one's turn to load.

        Raises :class:`~asr_daemon.errors.RecogniserNotStartedError` where the daemon stops meanwhile.
        """
        while not self._lock.acquire(timeout=POLL_S):
            if is_stopping():
                raise RecogniserNotStartedError("the daemon is stopping")
        try:
            yield
        finally:
            self._lock.release()

    def is_verified(self, files: tuple[object, ...]) -> bool:
        """Return whether files that look like that were compared with their manifest a moment ago."""
        return bool(files) and files == self._verified and self._clock.monotonic_s() < self._verified_until_s

    def verified(self, files: tuple[object, ...]) -> None:
        """Remember that a recogniser compared them."""
        self._verified, self._verified_until_s = files, self._clock.monotonic_s() + VERIFIED_FOR_S
