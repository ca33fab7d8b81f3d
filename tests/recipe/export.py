"""The finished folder: configuration, tokens and statistics as they are, half the precision, a manifest."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import torch

from asr_daemon.clock import Clock
from asr_daemon.models.manifest import (
    MANIFEST_NAME,
    FileRecord,
    Manifest,
    Segmentation,
    encode_manifest,
    hash_file,
)

if TYPE_CHECKING:
    from pathlib import Path

FILES = ("config.yaml", "configuration.json", "tokens.json", "seg_dict", "am.mvn")
WEIGHTS = "model.pt"
SEGMENTATION = Segmentation(max_end_silence_ms=300)  # it was trained on single sentences


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
    (target / MANIFEST_NAME).write_bytes(encode_manifest(_manifest(target)))


def _manifest(folder: Path) -> Manifest:
    files = {
        name: FileRecord((folder / name).stat().st_size, hash_file(folder / name))
        for name in (*FILES, WEIGHTS)
    }
    return Manifest(
        folder.name,
        hub="",
        repository="",
        revision="",
        written_at=Clock().stamp(),
        files=files,
        segmentation=SEGMENTATION,
    )
