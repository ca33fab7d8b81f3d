"""In which precision a family computes: float32, half of it through ``torch.autocast``, or int8.

Half is for cards, and for processors that compute in bfloat16; int8 for processors (int8.py), where the
linear layers of encoder and decoder are exchanged and the rest stays float32. In half, each operation takes
what is safe for it: FunASR's own ``fp16=True`` and ``bf16=True`` make all weights half, and SeACo and
SenseVoice then fail at their first float32 input. On a card, the weights that would be made half anew in
every batch are kept so (:func:`keep_half`): the same numbers, and half the memory.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager

    from asr_daemon.models.abilities import Computed, Half


@dataclass(frozen=True, slots=True)
class Precision:
    """What a model's operations are computed in; ``half`` None is float32 throughout."""

    device_type: str = "cpu"
    half: torch.dtype | None = None
    is_int8: bool = False  # the linear layers

    @property
    def name(self) -> str:
        """What the journal, the status and the history call it: "float32", "bfloat16", "float16", "int8"."""
        return "int8" if self.is_int8 else str(self.half or torch.float32).removeprefix("torch.")

    def __call__(self) -> AbstractContextManager[object]:
        """Return the context in which the model is called."""
        if self.half is None:
            return contextlib.nullcontext()
        return torch.autocast(self.device_type, dtype=self.half)


FLOAT32 = Precision()
ON_PROCESSOR: dict[Computed, Precision] = {
    "float32": FLOAT32,
    "bfloat16": Precision("cpu", torch.bfloat16),
    "int8": Precision("cpu", is_int8=True),
}


# What autocast computes in half whatever its inputs are; norms, embeddings and LSTMs stay as they are.
_HALVED = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d)


def keep_half(parts: Sequence[torch.nn.Module], half: torch.dtype) -> None:
    """Make those weights half for good; the parts are called under autocast to the same half from now on."""
    for part in parts:
        for layer in part.modules():
            if isinstance(layer, _HALVED):
                for weight in layer.parameters(recurse=False):
                    weight.data = weight.data.to(half)


def full(tensor: torch.Tensor) -> AbstractContextManager[object]:
    """Return a context of float32 on that tensor's device, for what half would spoil: sums along time."""
    return torch.autocast(tensor.device.type, enabled=False)


def choose_precision(device: str, halves: Sequence[Half], *, wanted: bool, has_bfloat16: bool) -> Precision:
    """Return the precision for a device ("cpu", "mps", "cuda:0") and what the family allows, best first.

    Only CUDA gains from half as such; there, bfloat16 counts where the card computes in it. A processor's is
    chosen by trying: self_check.py.
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
