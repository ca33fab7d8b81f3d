"""Loading through FunASR: absolute folders only, no network, the device that was asked for or an error."""

from __future__ import annotations

import importlib
import logging
import os
import pickle
from pathlib import Path
from typing import Any

import torch

from asr_daemon.errors import DeviceMissingError, ModelMissingError
from asr_daemon.models.abilities import FAMILY_OF_CLASS
from asr_daemon.models.code import forbidden_key, require_no_code
from asr_daemon.recogniser.families.weights import NamesDifferError, taken_as_they_are

log = logging.getLogger(__name__)

PACKAGED = "silero-vad"  # the one model that is no folder: it lies in a package of its own
# What may be built; some of FunASR's classes run code that lies beside the weights, or ask a hub.
_CLASSES = frozenset((*FAMILY_OF_CLASS, "FsmnVADStreaming", "CTTransformer"))


def load_lean(model: str, device: str, threads: int, *, mapped: bool = False) -> Any:
    """Return what :func:`load` does, with the weights once in memory: mapped from their file, or read.

    A checkpoint that has not exactly the model's tensors is loaded FunASR's way.
    """
    importlib.import_module("funasr")
    try:
        with taken_as_they_are(mapped=mapped):
            return load(model, device, threads)
    except NamesDifferError as difference:
        log.warning("%s is loaded FunASR's way: %s", model, difference)
        return load(model, device, threads)


def load(model: str, device: str, threads: int, **more: Any) -> Any:
    """Return FunASR's ``AutoModel`` of an absolute folder (or "silero-vad").

    Raises :class:`ModelMissingError` where it cannot be built, :class:`DeviceMissingError` where FunASR
    would silently have taken another device.
    """
    for variable in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):  # read when FunASR brings them in
        os.environ.setdefault(variable, "1")
    if model != PACKAGED and not Path(model).is_dir():  # FunASR would ask its hub for it
        raise ModelMissingError(f"The model folder {model} does not exist.")
    if model != PACKAGED:
        _refuse_more_than_weights(model)
    auto_model = importlib.import_module("funasr").AutoModel
    try:
        loaded = auto_model(
            model=model,
            device=device,
            ncpu=threads,  # FunASR sets torch's thread count from it, for the whole process
            disable_update=True,  # else it asks the package index
            disable_pbar=True,
            trust_remote_code=False,  # else a config.yaml that says true is believed
            log_level="WARNING",
            vad_model=None,  # else FunASR builds what a config.yaml names there, code and all
            punc_model=None,
            spk_model=None,
            **more,
        )
    except (torch.OutOfMemoryError, MemoryError, NamesDifferError):
        raise
    except pickle.UnpicklingError as error:
        raise ModelMissingError(
            f"The weights in {model} are refused: they are damaged, or would run code when they are read."
        ) from error
    except Exception as error:
        raise ModelMissingError(
            f"The model {model} could not be loaded: {type(error).__name__}: {error}"
        ) from error
    if model != PACKAGED and not loaded.kwargs.get("init_param"):  # FunASR goes on with random weights
        raise ModelMissingError(
            f"The model {model} has no weights: configuration.json names a file that is not there."
        )
    used = str(loaded.kwargs["device"])
    if used.split(":", maxsplit=1)[0] != device.split(":", maxsplit=1)[0]:
        raise DeviceMissingError(f"The device {device} was asked for, but FunASR would use {used}.")
    return loaded


def _refuse_more_than_weights(folder: str) -> None:
    """Raise where a model's configuration asks for another class than ours, for its own code, or for a hub.

    FunASR reads the configuration here as it will when it builds, so that nothing is hidden from the look.
    """
    require_no_code(Path(folder))
    hub = importlib.import_module("funasr.download.download_model_from_hub")
    try:
        described = hub.download_model(model=folder, trust_remote_code=False)
    except Exception as error:
        raise ModelMissingError(
            f"The configuration of {folder} cannot be read: {type(error).__name__}: {error}"
        ) from error
    if described.get("model") not in _CLASSES:
        raise ModelMissingError(f"{folder}: model class {described.get('model')} is not supported.")
    if forbidden_key(described) or (described.get("audio_encoder_conf") or {}).get("hub"):
        raise ModelMissingError(f"{folder} is refused: its configuration asks for code, or for a hub.")
