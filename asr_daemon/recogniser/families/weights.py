"""A checkpoint into a model that FunASR builds: once in memory, not three times, and nothing drawn first.

FunASR (1.4.16, ``train_utils/load_pretrained_model.py``) fills a new model with random numbers, reads the
checkpoint, copies it, and copies the copy into the model. Here the model is built without numbers and takes
the checkpoint's own tensors. Where names or shapes differ from the model's, everything goes FunASR's way.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib
import mmap
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from collections.abc import Iterator

_WRAPPERS = (
    "state_dict",
    "model_state_dict",
    "model",
)  # a checkpoint may be wrapped in these, outermost first
_PATH = 5  # the field of /proc/self/maps
_DRAWN = ("uniform_", "normal_", "kaiming_uniform_", "xavier_uniform_", "xavier_normal_", "kaiming_normal_")


class NamesDifferError(Exception):
    """The checkpoint has not exactly the model's tensors."""


@contextlib.contextmanager
def taken_as_they_are(*, mapped: bool) -> Iterator[None]:
    """Make FunASR build models without drawing numbers, and take their checkpoints' tensors.

    ``mapped``: the tensors are the file's pages, read when they are used; only for what is copied at once
    (:func:`hold`): a file that is cut short while it is mapped ends the process.
    Raises :class:`NamesDifferError` out of FunASR's ``AutoModel``. One thread.
    """
    module: Any = importlib.import_module("funasr.auto.auto_model")
    usual_load = module.load_pretrained_model
    usual = {name: getattr(torch.nn.init, name) for name in _DRAWN}

    def take(path: str, model: torch.nn.Module, **_options: Any) -> None:
        _assign(model, _read(path, mapped=mapped))

    module.load_pretrained_model = take
    for name in _DRAWN:
        setattr(torch.nn.init, name, lambda tensor, *_numbers, **_more: tensor)
    try:
        yield
    finally:
        module.load_pretrained_model = usual_load
        for name, function in usual.items():
            setattr(torch.nn.init, name, function)


def hold(model: torch.nn.Module) -> None:
    """Copy every tensor that is a file's page into memory."""
    for tensor in (*model.parameters(), *model.buffers()):
        tensor.data = tensor.data.clone()


class FilePages:
    """What of this process's memory is files' pages, at the moment when this is made (Linux)."""

    def __init__(self, maps: Path = Path("/proc/self/maps")) -> None:
        self._ranges: list[tuple[int, int]] = []
        self._madvise = None
        with contextlib.suppress(OSError, AttributeError):
            self._madvise = ctypes.CDLL(None, use_errno=True).madvise
            lines = (line.split(maxsplit=5) for line in maps.read_text(encoding="utf-8").splitlines())
            self._ranges = [
                _span(fields[0]) for fields in lines if len(fields) > _PATH and fields[_PATH].startswith("/")
            ]

    def let_go(self, tensor: torch.Tensor) -> bool:
        """Give back the memory of a tensor that is a file's pages, unchanged; whoever reads them reads anew.

        Returns whether it is that; other memory is left alone.
        """
        begin = tensor.data_ptr()
        end = begin + tensor.nbytes
        if self._madvise is None or not any(low <= begin and end <= high for low, high in self._ranges):
            return False
        begin, end = -(-begin // mmap.PAGESIZE) * mmap.PAGESIZE, end // mmap.PAGESIZE * mmap.PAGESIZE
        if begin < end:
            self._madvise(ctypes.c_void_p(begin), ctypes.c_size_t(end - begin), mmap.MADV_DONTNEED)
        return True


def _span(addresses: str) -> tuple[int, int]:
    low, _, high = addresses.partition("-")
    return int(low, 16), int(high, 16)


def _read(path: str, *, mapped: bool) -> dict[str, torch.Tensor]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
    except RuntimeError:
        if not mapped:
            raise
        state = torch.load(path, map_location="cpu", weights_only=True)  # of before 2020: it cannot be mapped
    for wrapper in _WRAPPERS:
        state = state.get(wrapper, state)
    return {name.removeprefix("module."): tensor for name, tensor in state.items()}


def _assign(model: torch.nn.Module, state: dict[str, torch.Tensor]) -> None:
    wanted = model.state_dict()
    if missing := [name for name in wanted if name not in state]:
        raise NamesDifferError(f"without {missing[0]} and {len(missing) - 1} more")
    if odd := [name for name, tensor in wanted.items() if tensor.shape != state[name].shape]:
        raise NamesDifferError(f"{odd[0]} is of another shape")
    taken = {name: state[name].to(tensor.dtype) for name, tensor in wanted.items()}
    model.load_state_dict(taken, strict=True, assign=True)
    model.requires_grad_(requires_grad=False)
