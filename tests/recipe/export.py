"""The finished folder: configuration, tokens and statistics as they are, the weights in half precision."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("config.yaml", "configuration.json", "tokens.json", "seg_dict", "am.mvn")
WEIGHTS = "model.pt"


def export(model_folder: Path, weights: Path, target: Path, *, dtype: torch.dtype = torch.float16) -> None:
    """Write the folder that FunASR loads; it makes full precision of the weights by itself."""
    target.mkdir(parents=True, exist_ok=True)
    for name in FILES:
        shutil.copyfile(model_folder / name, target / name)
    state = torch.load(weights, map_location="cpu", weights_only=True)
    torch.save(
        {name: value.to(dtype) if value.is_floating_point() else value for name, value in state.items()},
        target / WEIGHTS,
    )
