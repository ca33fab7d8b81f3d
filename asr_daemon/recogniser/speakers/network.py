"""CAM++ as a network: the packaged weights into FunASR's class, on the device that is asked for.

Weights lie in half precision and are computed in float32, or in int8 on a processor that multiplies that
natively. Either's embeddings are compared with the other's: on windows of real meetings their cosine is 0.995
on average and 0.98 at worst, where two windows of one speaker have 0.57. Fails with
:class:`~asr_daemon.errors.ModelMissingError` where the folder does not hold exactly this network.
"""

from __future__ import annotations

import importlib
import pickle
from typing import TYPE_CHECKING, Any

import torch
from torch.nn.utils.fusion import fuse_conv_bn_eval

from asr_daemon.errors import ModelMissingError
from asr_daemon.models.speakers import BUILTIN_SPEAKERS_FOLDER, SPEAKER_WEIGHTS
from asr_daemon.recogniser.speakers.dense import DenseLayers
from asr_daemon.recogniser.speakers.front import ByteFront, FloatFront
from asr_daemon.speakers.window import EMBEDDING_SIZE

BUILTIN_FOLDER = BUILTIN_SPEAKERS_FOLDER
_MEL_BINS = 80

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class SpeakerNetwork:
    """Features in, embeddings out; used by one thread."""

    def __init__(self, folder: Path, device: str, *, in_int8: bool = False) -> None:
        """``in_int8`` counts on a processor alone."""
        self.device = torch.device(device)
        is_processor = self.device.type == "cpu"
        self.in_int8 = in_int8 and is_processor
        model = _built(_read(folder), folder)
        if self.in_int8:
            front = ByteFront(model.head)
            dense = DenseLayers(model.xvector, front.left)
            self._compute: Callable[[torch.Tensor], torch.Tensor] = lambda seen: dense(front(seen))
            return
        _fuse(model.head)
        # What follows is two-dimensional convolutions over few channels: a third faster laid out this way.
        model.head.to(memory_format=torch.channels_last)
        if is_processor:
            exact, dense = FloatFront(model.head), DenseLayers(model.xvector)
            self._compute = lambda seen: dense(exact(seen))
        else:
            self._compute = model.to(self.device)

    @torch.inference_mode()
    def embed(self, features: torch.Tensor) -> torch.Tensor:
        """Return ``float32 [n, 192]`` on the processor, of length 1, of ``float32 [n, n_frames, 80]``."""
        found = self._compute(features.to(self.device))
        return torch.nn.functional.normalize(found.float(), dim=1).cpu()


def _read(folder: Path) -> dict[str, torch.Tensor]:
    path = next((folder / name for name in SPEAKER_WEIGHTS if (folder / name).is_file()), None)
    if path is None:
        wanted = " or ".join(SPEAKER_WEIGHTS)
        raise ModelMissingError(f"The speaker model in {folder} has no weights ({wanted}).")
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, OSError) as error:
        raise ModelMissingError(f"The weights {path} are refused: damaged, or more than weights.") from error
    return {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()}


def _built(state: dict[str, torch.Tensor], folder: Path) -> Any:
    kind = importlib.import_module("funasr.models.campplus.model").CAMPPlus
    with torch.device("meta"):  # nothing is drawn: every number comes from the file
        model = kind(feat_dim=_MEL_BINS, embedding_size=EMBEDDING_SIZE)
    try:
        model.load_state_dict(state, strict=True, assign=True)
    except RuntimeError as error:
        raise ModelMissingError(f"The speaker model in {folder} is not CAM++ as FunASR builds it.") from error
    return model.eval().requires_grad_(requires_grad=False)


def _fuse(head: Any) -> None:
    """Put each batch normalisation of the front part into the convolution before it: the same numbers."""
    blocks = [*head.layer1, *head.layer2]
    for part in (head, *blocks):
        for number in (1, 2):
            fused = fuse_conv_bn_eval(getattr(part, f"conv{number}"), getattr(part, f"bn{number}"))
            setattr(part, f"conv{number}", fused)
            setattr(part, f"bn{number}", torch.nn.Identity())
    for block in blocks:
        if len(block.shortcut):
            block.shortcut = torch.nn.Sequential(fuse_conv_bn_eval(block.shortcut[0], block.shortcut[1]))
