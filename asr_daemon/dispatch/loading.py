"""Loading side by side: one recogniser at a time, and one verification of the model's files serves all.

The peaks of several loads do not add up, and gigabytes are not read and compared once for each card.
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING, Protocol

from asr_daemon.errors import RecogniserNotStartedError
from asr_daemon.models.catalogue import stamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_daemon.clock import Clock
    from asr_daemon.dispatch.precision_memory import PrecisionMemory
    from asr_daemon.models.abilities import Computed
    from asr_daemon.models.catalogue import ModelChoice

VERIFIED_FOR_S = 600.0  # how long a verification serves others, while no file of the model changes
POLL_S = 0.5


class Gate(Protocol):
    """What a recogniser shares with others while it loads."""

    def turn(self, is_stopping: Callable[[], bool]) -> contextlib.AbstractContextManager[None]:
        """Wait for one's turn to load."""

    def stamp(self, model: ModelChoice) -> tuple[object, ...]:
        """Return what changes with the model's files; () where they cannot be seen."""

    def is_verified(self, files: tuple[object, ...]) -> bool:
        """Return whether files that look like that were compared with their manifest a moment ago."""

    def verified(self, files: tuple[object, ...]) -> None:
        """Remember that a recogniser compared them."""

    def recall(self, model_identity: str) -> str:
        """Return in which precision a self-check had that model computed; "" where none was made."""

    def remember(self, model_identity: str, precision: Computed) -> None:
        """Keep what a self-check took."""


class LoadGate:
    """What the recognisers of this machine share while they load."""

    def __init__(self, clock: Clock, precisions: PrecisionMemory) -> None:
        self._precisions = precisions  # read and written while one loads
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

    def stamp(self, model: ModelChoice) -> tuple[object, ...]:
        """Return what changes with the model's files; () where they cannot be seen."""
        return stamp(model)

    def is_verified(self, files: tuple[object, ...]) -> bool:
        """Return whether files that look like that were compared with their manifest a moment ago."""
        return bool(files) and files == self._verified and self._clock.monotonic_s() < self._verified_until_s

    def verified(self, files: tuple[object, ...]) -> None:
        """Remember that a recogniser compared them."""
        self._verified, self._verified_until_s = files, self._clock.monotonic_s() + VERIFIED_FOR_S

    def recall(self, model_identity: str) -> str:
        """Return in which precision a self-check had that model computed; "" where none was made."""
        return self._precisions.recall(model_identity) or ""

    def remember(self, model_identity: str, precision: Computed) -> None:
        """Keep what a self-check took."""
        self._precisions.remember(model_identity, precision)


class _NoGate:
    """Nothing: each recogniser is on a machine of its own, with files and a processor of its own."""

    def turn(self, _is_stopping: Callable[[], bool]) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()

    def stamp(self, _model: ModelChoice) -> tuple[object, ...]:
        return ()

    def is_verified(self, _files: tuple[object, ...]) -> bool:
        return False

    def verified(self, _files: tuple[object, ...]) -> None:
        return

    def recall(self, _model_identity: str) -> str:
        return ""

    def remember(self, _model_identity: str, _precision: Computed) -> None:
        return


NO_GATE = _NoGate()
