"""Which model tells voices apart: the setting goes in, a folder and its identity come out.

Fails with :class:`~asr_daemon.errors.ModelMissingError`. Imports neither torch nor funasr, as catalogue.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.errors import ModelMissingError
from asr_daemon.files.home import expanded
from asr_daemon.models.catalogue import find_folder, folder_digest, model_class
from asr_daemon.models.code import require_no_code
from asr_daemon.models.known import pull_command

if TYPE_CHECKING:
    from asr_daemon.models.catalogue import ModelChoice

BUILTIN_SPEAKERS = "campplus-zh-en"
BUILTIN_SPEAKERS_FOLDER = Path(__file__).resolve().parent / BUILTIN_SPEAKERS
SPEAKER_WEIGHTS = ("model.pt", "campplus_cn_common.bin")  # the second: as FunASR's cam++ is published
_CLASS = "CAMPPlus"


@dataclass(frozen=True, slots=True)
class SpeakerModel:
    """What embeds voices; only embeddings of one identity are compared with one another."""

    identity: str
    folder: str  # absolute


def resolve_speakers(setting: str, models_dir: Path) -> SpeakerModel:
    """Return what ``speakers.model`` means: "builtin", a name in the models folder, or a folder."""
    setting = setting.strip()
    if setting in ("", "builtin", BUILTIN_SPEAKERS):
        folder = BUILTIN_SPEAKERS_FOLDER
    else:
        folder = expanded(setting) if "/" in setting else find_folder(setting, models_dir)
    if not folder.is_dir():
        command = pull_command(setting)
        how = f"`{command}` brings it." if command else 'Leave it at "builtin".'
        raise ModelMissingError(f"speakers.model: the folder {folder} does not exist. {how}")
    if (named := model_class(folder)) != _CLASS:
        raise ModelMissingError(f"speakers.model: {folder} holds {named or 'no model'}, not {_CLASS}.")
    if not any((folder / name).is_file() for name in SPEAKER_WEIGHTS):
        wanted = " or ".join(SPEAKER_WEIGHTS)
        raise ModelMissingError(f"The speaker model in {folder} has no weights ({wanted}).")
    require_no_code(folder)
    return SpeakerModel(f"{folder.name}@{folder_digest(folder)[:16]}", str(folder.absolute()))


def with_speakers(choice: ModelChoice, setting: str, models_dir: Path) -> ModelChoice:
    """Return a choice of models with the one that tells voices apart."""
    found = resolve_speakers(setting, models_dir)
    return replace(choice, speaker_model=found.identity, speaker_folder=found.folder)
