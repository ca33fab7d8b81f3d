"""The files of a model, told to another machine, which has folders of its own: what must lie there, too.

The daemon describes what it chose; the machine finds the same in its own models folder, or refuses. Both fail
with :class:`~asr_daemon.errors.ModelMissingError`, which names the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr_daemon.errors import ModelMissingError
from asr_daemon.models.catalogue import BUILTIN_FOLDER, folder_records, read_records
from asr_daemon.models.code import require_no_code
from asr_daemon.models.soundness import way_out

if TYPE_CHECKING:
    from asr_daemon.models.catalogue import ModelChoice

Role = Literal["model", "vad", "punctuation", "speaker"]
_PACKAGE = BUILTIN_FOLDER.parent


@dataclass(frozen=True, slots=True)
class Weights:
    """One folder of a model."""

    role: Role
    folder: str  # its name in the models folder, or in the package where it is built in
    is_builtin: bool
    files: dict[str, str] = field(default_factory=dict)  # SHA-256 by name within the folder, hexadecimal


def describe(choice: ModelChoice) -> tuple[Weights, ...]:
    """Return what each folder of a model holds; of one without a manifest, every file is read (once)."""
    folders: dict[Role, str] = {
        "model": choice.folder,
        "vad": choice.vad_folder,
        "punctuation": choice.punctuation_folder,
        "speaker": choice.speaker_folder,
    }
    return tuple(_described(role, Path(folder)) for role, folder in folders.items() if folder)


def _described(role: Role, folder: Path) -> Weights:
    files = {file: record.sha256 for file, record in folder_records(folder).items()}
    return Weights(role, folder.name, folder.resolve().parent == _PACKAGE, files)


def find(weights: Weights, models_dir: Path) -> Path:
    """Return this machine's folder that holds the same, every file of which was read just now."""
    name = weights.folder
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise ModelMissingError(f"{name!r} is no name for a model folder.")
    folder = (_PACKAGE if weights.is_builtin else models_dir) / name
    if not folder.is_dir():
        raise ModelMissingError(f"The model folder {folder} does not exist. {way_out(folder)}")
    require_no_code(folder)
    here = {file: record.sha256 for file, record in read_records(folder).items()}
    for file in sorted(here.keys() | weights.files.keys()):
        if here.get(file) != weights.files.get(file):
            how = "does not belong to it"
            if file in weights.files:
                how = "is another" if file in here else "is missing"
            raise ModelMissingError(
                f"The model {name} differs from the daemon's: {file} {how}. {way_out(folder)}"
            )
    return folder
