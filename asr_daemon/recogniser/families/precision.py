"""In which precision a family computes: float32, or on a card half of it, through ``torch.autocast``.

Weights stay float32 and each operation takes what is safe for it: FunASR's own ``fp16=True`` and
``bf16=True`` make the weights half, and SeACo and SenseVoice then fail at their first float32 input.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from asr_daemon.models.abilities import Half


@dataclass(frozen=True, slots=True)
class Precision:
    """What a model's operations are computed in; ``half`` None is float32 throughout."""

    device_type: str = "cpu"
    half: torch.dtype | None = None

    def __call__(self) -> AbstractContextManager[object]:
        """Return the context in which the model is called."""
        if self.half is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device_type, dtype=self.half)


FLOAT32 = Precision()


def full(tensor: torch.Tensor) -> AbstractContextManager[object]:
    """Return a context of float32 on that tensor's device, for what half would spoil: sums along time."""
    return torch.autocast(tensor.device.type, enabled=False)


def choose_precision(device: str, halves: Sequence[Half], *, wanted: bool, has_bfloat16: bool) -> Precision:
    """Return the precision for a device ("cpu", "mps", "cuda:0") and what the family allows, best first.

    Only CUDA gains from half; there, bfloat16 counts where the card computes in it.
    """
    kind = device.partition(":")[0]
    if wanted and kind == "cuda":
        for half in halves:
            if half != "bfloat16" or has_bfloat16:
                return Precision(kind, getattr(torch, half))
    return Precision(kind)


def computes_bfloat16(device: str) -> bool:
    """Return whether that device is a card that computes in bfloat16 (emulation is slower than float32)."""
    if not device.startswith("cuda"):
        return False
    with torch.cuda.device(torch.device(device)):
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
