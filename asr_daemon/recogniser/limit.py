"""How much goes into a batch: less after running out of memory, all of it again after a while without."""

from __future__ import annotations

SUCCESSES_TO_GROW = 20  # batches in a row that fit before twice as much is tried
LEAST_S = 1.0


class BatchLimit:
    """The bound of a batch in padded seconds; used by one thread."""

    def __init__(self, full_s: float, *, begins_small: bool = False) -> None:
        self.bound_s = min(LEAST_S, full_s) if begins_small else full_s
        self._full_s = full_s
        self._successes = 0

    def shrink(self) -> None:
        """Halve the bound: a batch did not fit."""
        self.bound_s = max(self.bound_s / 2, LEAST_S)
        self._successes = 0

    def fitted(self) -> None:
        """Count a batch that fitted; after enough of them, try twice as much."""
        self._successes += 1
        if self._successes >= SUCCESSES_TO_GROW and self.bound_s < self._full_s:
            self.bound_s = min(self.bound_s * 2, self._full_s)
            self._successes = 0
