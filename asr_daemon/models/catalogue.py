"""Which model is used: the setting goes in, a folder and what to know about it comes out.

Enters: ``engine.model``, the models folder and the device. Leaves: a frozen :class:`ModelChoice` with
absolute folders. Fails with :class:`~asr_daemon.errors.ModelMissingError`, saying what is missing and where.
Imports neither torch nor funasr: the daemon decides, the recogniser loads.
"""

from __future__ import annotations

import functools
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.errors import ModelMissingError
from asr_daemon.files.home import expanded
from asr_daemon.models.abilities import ABILITIES, FAMILY_OF_CLASS
from asr_daemon.models.code import require_no_code
from asr_daemon.models.known import KNOWN, folder_name, pull_command
from asr_daemon.models.manifest import MANIFEST_NAME, FileRecord, hash_file, model_files, read_manifest
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from asr_daemon.models.abilities import Abilities, Family
    from asr_daemon.models.manifest import Segmentation

BUILTIN_NAME = "paraformer-tiny-zh"
BUILTIN_FOLDER = Path(__file__).resolve().parent / BUILTIN_NAME
VAD_NAME = "fsmn-vad"
PUNCTUATION_NAME = "ct-punc"

# What "auto" looks for, best first. Nano is slow without a card: better than the built-in model, no more.
_BEST: tuple[Family, ...] = ("seaco_paraformer", "sense_voice", "paraformer", "fun_asr_nano")
_BEST_ON_CARD: tuple[Family, ...] = ("fun_asr_nano", "seaco_paraformer", "sense_voice", "paraformer")
_WEIGHTS = ("model.pt", "model.safetensors", "model.pb", "pytorch_model.bin")
_MODEL_LINE = re.compile(r"^model:\s*[\"']?(\w+)", re.MULTILINE)


BUILTIN_IN_ENGLISH = " (built-in, for trying out only)"
BUILTIN_IN_CHINESE = "（内置演示模型，只供试用）"


def chinese_label(name: str, *, is_builtin: bool) -> str:
    """Return what the people in the share read of a model, by its name, or by its English label."""
    return name.removesuffix(BUILTIN_IN_ENGLISH) + BUILTIN_IN_CHINESE if is_builtin else name


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model with all that goes with it; folders are absolute, "" means none (or, for VAD, silero's)."""

    name: str
    family: Family
    folder: str
    vad_folder: str
    punctuation_folder: str
    is_builtin: bool
    speaker_model: str = ""  # the identity of what tells voices apart (models/speakers.py)
    speaker_folder: str = ""

    @property
    def abilities(self) -> Abilities:
        """What the model can do."""
        return ABILITIES[self.family]

    @property
    def segmentation(self) -> Segmentation | None:
        """How it likes its sound cut, as its manifest says; None where that says nothing."""
        manifest = read_manifest(Path(self.folder))
        return manifest.segmentation if manifest is not None else None

    @property
    def label(self) -> str:
        """What people read."""
        english = self.name + (BUILTIN_IN_ENGLISH if self.is_builtin else "")
        return Sentence(english, self.chinese_label)

    @property
    def chinese_label(self) -> str:
        """What the people in the share read."""
        return chinese_label(self.name, is_builtin=self.is_builtin)

    @property
    def identity(self) -> str:
        """The name and a digest of every file that takes part: part of each recognition's profile.

        Where there is a manifest its digests are taken: before it loads, the recogniser compares the files
        with it. Raises :class:`ModelMissingError` where the files cannot be read.
        """
        digest = hashlib.sha256()
        for folder in (self.folder, self.vad_folder, self.punctuation_folder):
            digest.update(f"{folder_digest(Path(folder)) if folder else '-'}\n".encode())
        return f"{self.name}@{digest.hexdigest()[:16]}"


def stamp(choice: ModelChoice) -> tuple[tuple[str, int, int, int], ...]:
    """Return what changes with the model's files: (path, size, mtime, inode) of each; () if unseen."""
    folders = [Path(each) for each in (choice.folder, choice.vad_folder, choice.punctuation_folder) if each]
    try:
        files = [path for folder in folders for path in model_files(folder).values()]
        paths = [*files, *(folder / MANIFEST_NAME for folder in folders)]
        found = [(path, path.stat()) for path in paths if path.exists()]
    except OSError:
        return ()
    return tuple((str(path), each.st_size, each.st_mtime_ns, each.st_ino) for path, each in found)


def resolve(model_setting: str, models_dir: Path, device: str) -> ModelChoice:
    """Return the model that ``engine.model`` means: "auto", a name in the models folder, or a folder.

    ``device`` is ``engine.device`` ("auto" counts as no GPU: only an explicit one makes Nano worthwhile).
    Raises :class:`ModelMissingError`.
    """
    setting = model_setting.strip()
    if setting in ("", "auto"):
        return _best(models_dir, device)
    if setting in ("builtin", BUILTIN_NAME):
        return _builtin()
    folder = expanded(setting) if "/" in setting else find_folder(setting, models_dir)
    if not folder.is_absolute():
        raise ModelMissingError(
            f"engine.model: {setting} is neither a name in {models_dir} nor an absolute folder."
        )
    if not folder.is_dir():
        raise ModelMissingError(f"The model folder {folder} does not exist. {_how_to_get(setting)}")
    return _read(folder, models_dir)


def find_folder(name: str, models_dir: Path) -> Path:
    """Return where the model of that name lies, or would: known names in any case, others as they are."""
    as_said = models_dir / name
    return as_said if as_said.is_dir() else models_dir / folder_name(name)


def _how_to_get(name: str) -> str:
    if command := pull_command(name):
        return f"`{command}` brings it; on a machine without network, `asr-daemon models import FILE`."
    return f"Models that can be pulled: {', '.join(known.name for known in KNOWN)}."


def _best(models_dir: Path, device: str) -> ModelChoice:
    """Return the best model folder that lies there; of several of one family, the first by name."""
    families = _BEST_ON_CARD if device.startswith("cuda") else _BEST
    folders = [each.parent for each in models_dir.glob("*/config.yaml") if each.parent.name != BUILTIN_NAME]
    there = [(FAMILY_OF_CLASS.get(model_class(folder)), folder) for folder in folders]
    found = [(families.index(family), folder) for family, folder in there if family is not None]
    return _read(min(found)[1], models_dir) if found else _builtin()


def _builtin() -> ModelChoice:
    if not (BUILTIN_FOLDER / "model.pt").is_file():
        raise ModelMissingError(
            f"The built-in model is missing from {BUILTIN_FOLDER}: install asr-daemon again."
        )
    return ModelChoice(BUILTIN_NAME, "seaco_paraformer", str(BUILTIN_FOLDER), "", "", is_builtin=True)


def _read(folder: Path, models_dir: Path) -> ModelChoice:
    """Return the choice of a real model folder, with the VAD and punctuation that lie beside it."""
    named = model_class(folder)
    family = FAMILY_OF_CLASS.get(named)
    if family is None:
        raise ModelMissingError(
            f"{folder}: model class {named or 'none'} is not supported; supported: "
            f"{', '.join(FAMILY_OF_CLASS)}."
        )
    if not any((folder / name).is_file() for name in _WEIGHTS):
        raise ModelMissingError(f"The model folder {folder} has no weights ({', '.join(_WEIGHTS)}).")
    require_no_code(folder)
    wants_punctuation = ABILITIES[family].wants_punctuation
    return ModelChoice(
        name=folder.name,
        family=family,
        folder=str(folder),
        vad_folder=_beside(folder, models_dir, VAD_NAME),
        punctuation_folder=_beside(folder, models_dir, PUNCTUATION_NAME) if wants_punctuation else "",
        is_builtin=folder.resolve() == BUILTIN_FOLDER,
    )


def model_class(folder: Path) -> str:
    """Return what config.yaml says; raises :class:`ModelMissingError` where it cannot be read."""
    try:
        text = (folder / "config.yaml").read_text(encoding="utf-8")
    except OSError as error:
        raise ModelMissingError(
            f"The model folder {folder} has no readable config.yaml: {error.strerror}."
        ) from None
    found = _MODEL_LINE.search(text)
    return found.group(1) if found else ""


def _beside(folder: Path, models_dir: Path, name: str) -> str:
    """Return the companion's folder: in the models folder, or beside the model itself."""
    for parent in (models_dir, folder.parent):
        if (parent / name / "config.yaml").is_file():
            return str((parent / name).absolute())
    return ""


def folder_digest(folder: Path) -> str:
    """Return the SHA-256 of what a model folder holds, hexadecimal: of its manifest, where there is one."""
    digest = hashlib.sha256()
    for file, record in folder_records(folder).items():
        digest.update(f"{file}\0{record.size_bytes}\0{record.sha256}\n".encode())
    return digest.hexdigest()


def folder_records(folder: Path) -> dict[str, FileRecord]:
    """Return what a model folder holds, file by file: as its manifest says, else as it lies there.

    Raises :class:`ModelMissingError` where it cannot be read.
    """
    manifest = read_manifest(folder)
    if manifest is not None:
        return dict(sorted(manifest.files.items()))
    return read_records(folder)


def read_records(folder: Path) -> dict[str, FileRecord]:
    """Return what lies in a model folder; a file that did not change is read once in a process's life.

    Raises :class:`ModelMissingError` where it cannot be read.
    """
    try:
        return {file: FileRecord(*_size_and_digest(path)) for file, path in model_files(folder).items()}
    except OSError as error:
        raise ModelMissingError(f"{error.filename} cannot be read: {error.strerror}.") from None


def _size_and_digest(path: Path) -> tuple[int, str]:
    found = path.stat()
    return found.st_size, _file_digest(path, found.st_size, found.st_mtime_ns)


@functools.lru_cache(maxsize=256)
def _file_digest(path: Path, _size_bytes: int, _mtime_ns: int) -> str:
    return hash_file(path)
