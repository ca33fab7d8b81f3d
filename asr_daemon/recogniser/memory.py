"""The device's memory: whether an error means that it ran out, and giving back what is not in use."""

from __future__ import annotations

import gc

import torch

# What torch raises as a plain RuntimeError: MPS, the CPU's allocator, CUDA's libraries.
_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less at once could help."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _PHRASES)


def give_back() -> None:
    """Return cached blocks to the device; call it where no traceback holds tensors any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
