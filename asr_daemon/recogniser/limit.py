"""How much goes into a batch: less after running out of memory, all of it again after a while without.

All of it is what the configuration says, or what the device's free memory allows.
"""

from __future__ import annotations

import math

SUCCESSES_TO_GROW = 20  # batches in a row that fit before twice as much is tried
LEAST_S = 1.0

MOST_ON_CPU_S = 120.0  # measured at 220 million parameters: larger batches are no faster there
MOST_ON_DEVICE_S = 600.0
LEAST_CHOSEN_S = 10.0
# The CPU's memory is everybody's; a device is mostly ours, but its allocator needs some slack.
CPU_SHARE, DEVICE_SHARE = 0.25, 0.5
# What a batch takes beyond the weights, in bytes per padded second: twice the most that was measured on a
# model of Paraformer-large's size (tests/benchmarks/bench_batch_memory.py: 1.1 to 3.0 MB). The others from
# their shapes: SenseVoice adds 25,055 scores a frame, Nano a language model's cache and 151,936 a token.
BYTES_PER_PADDED_S = {"seaco_paraformer": 6e6, "paraformer": 6e6, "sense_voice": 12e6, "fun_asr_nano": 40e6}


def choose_bound_s(device: str, family: str, free_bytes: int | None, sharers: int = 1) -> float:
    """Return the bound of a batch in padded seconds, for what is free on the device with the model loaded.

    ``device`` is "cpu", "cuda:0" and the like; None where it does not say what is free. On the processor
    ``sharers`` recognisers take their batches out of the same memory.
    """
    most_s, share = (MOST_ON_CPU_S, CPU_SHARE) if device == "cpu" else (MOST_ON_DEVICE_S, DEVICE_SHARE)
    if device == "cpu":
        share /= sharers
    if free_bytes is None:
        return MOST_ON_CPU_S
    fits_s = share * free_bytes / BYTES_PER_PADDED_S.get(family, max(BYTES_PER_PADDED_S.values()))
    return min(most_s, max(float(math.floor(fits_s)), LEAST_CHOSEN_S))


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
