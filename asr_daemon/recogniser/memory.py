"""The device's memory: what is free, whether an error means that it ran out, giving back what is unused."""

from __future__ import annotations

import gc

import torch

from asr_daemon.files.control_group import available_bytes

# What torch raises as a plain RuntimeError: MPS, the CPU's allocator, CUDA's libraries.
_PHRASES = ("out of memory", "can't allocate memory", "not enough memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether less at once could help."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(phrase in str(error) for phrase in _PHRASES)


def free_bytes(device: str) -> int | None:
    """Return what is free on "cpu", "cuda:0" or "mps" now; None where that is not known."""
    if device.startswith("cuda"):
        free, _ = torch.cuda.mem_get_info(device)
        return int(free)
    if device == "mps":
        return int(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return available_bytes()


def give_back() -> None:
    """Return cached blocks to the device; call it where no traceback holds tensors any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    elif torch.backends.mps.is_available():
        torch.mps.empty_cache()
