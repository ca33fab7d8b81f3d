"""Loading through FunASR: absolute folders only, no network, the device that was asked for or an error."""

from __future__ import annotations

import importlib
from typing import Any

import torch

from asr_daemon.errors import DeviceMissingError, ModelMissingError


def load(model: str, device: str, threads: int, **more: Any) -> Any:
    """Return FunASR's ``AutoModel`` of an absolute folder (or "silero-vad").

    Raises :class:`ModelMissingError` where it cannot be built, :class:`DeviceMissingError` where FunASR
    would silently have taken another device.
    """
    auto_model = importlib.import_module("funasr").AutoModel
    try:
        loaded = auto_model(
            model=model,
            device=device,
            ncpu=threads,  # FunASR sets torch's thread count from it, for the whole process
            disable_update=True,  # else it asks the package index
            disable_pbar=True,
            log_level="WARNING",
            **more,
        )
    except (torch.OutOfMemoryError, MemoryError):
        raise
    except Exception as error:
        raise ModelMissingError(
            f"The model {model} could not be loaded: {type(error).__name__}: {error}"
        ) from error
    used = str(loaded.kwargs["device"])
    if used.split(":", maxsplit=1)[0] != device.split(":", maxsplit=1)[0]:
        raise DeviceMissingError(f"The device {device} was asked for, but FunASR would use {used}.")
    return loaded
