"""What `models list` tells: every model that is here, and every one that could be.

Enters: the configuration. Leaves: :class:`Entry` after entry. Names and sizes are compared, contents are not:
that is `models verify`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from asr_daemon.errors import AsrDaemonError, ModelMissingError
from asr_daemon.files.junk import is_junk_folder
from asr_daemon.models.abilities import FAMILY_OF_CLASS
from asr_daemon.models.catalogue import BUILTIN_FOLDER, model_class, resolve
from asr_daemon.models.code import code_asked_for
from asr_daemon.models.known import KNOWN, find_known
from asr_daemon.models.manifest import model_files, read_manifest
from asr_daemon.models.soundness import quick_faults
from asr_daemon.sentence import Sentence

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asr_daemon.config import Config
    from asr_daemon.models.known import KnownModel
    from asr_daemon.models.manifest import Manifest

State = Literal["manifest", "unverified", "damaged", "absent"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A model; ``folder`` is where it lies, or would lie."""

    name: str
    folder: str
    role: str  # as in :mod:`known`, "" where that cannot be told
    family: str  # the line `model:` of its config.yaml
    state: State
    size_bytes: int
    problem: str = ""
    origin: str = ""
    written_at: str = ""  # when the manifest was written
    used_for: str = ""  # "recognition", "voice activity", "punctuation"
    good_at: str = ""
    licence: str = ""
    is_builtin: bool = False


def overview(config: Config) -> list[Entry]:
    """Return the built-in model, what lies in the models folder, and what could be pulled into it."""
    used = _used(config)
    here = [BUILTIN_FOLDER, *_model_folders(config.models_dir)]
    here += [folder for folder in used if folder not in here]
    entries = [_entry(folder, used.get(folder, "")) for folder in here]
    names = {entry.name for entry in entries}
    return entries + [_absent(known, config.models_dir) for known in KNOWN if known.folder not in names]


def _absent(known: KnownModel, models_dir: Path) -> Entry:
    return Entry(
        name=known.folder,
        folder=str(models_dir / known.folder),
        role=known.role,
        family=known.family,
        state="absent",
        size_bytes=known.size_bytes,
        good_at=known.good_at,
        licence=known.licence,
    )


def _used(config: Config) -> dict[Path, str]:
    try:
        choice = resolve(config.engine.model, config.models_dir, config.engine.recognisers[0])
    except AsrDaemonError:
        return {}
    folders = {
        choice.folder: "recognition",
        choice.vad_folder: "voice activity",
        choice.punctuation_folder: "punctuation",
    }
    return {Path(folder): use for folder, use in folders.items() if folder}


def _model_folders(models_dir: Path) -> Iterator[Path]:
    try:
        folders = sorted(path for path in models_dir.iterdir() if path.is_dir())
    except OSError:
        return
    yield from (folder for folder in folders if not is_junk_folder(folder.name))


def _entry(folder: Path, used_for: str) -> Entry:
    known, is_builtin = find_known(folder.name), folder == BUILTIN_FOLDER
    family, problem, manifest, size_bytes = "", "", None, 0
    state: State = "damaged"
    try:
        family = model_class(folder)
        manifest = read_manifest(folder)
        size_bytes = sum(path.stat().st_size for path in model_files(folder).values())
        state, problem = _state(folder, manifest)
    except ModelMissingError as error:
        problem = Sentence(str(error), "模型的文件不全或已损坏；请管理员用 asr-daemon models verify 查看。")
    except OSError as error:
        problem = Sentence(str(error), "模型的文件读不了。")
    return Entry(
        name=folder.name,
        folder=str(folder),
        role=known.role if known else "recognition" if family in FAMILY_OF_CLASS else "",
        family=family,
        state=state,
        problem=problem,
        size_bytes=size_bytes,
        origin="" if manifest is None else "comes with asr-daemon" if is_builtin else manifest.origin,
        written_at=manifest.written_at if manifest else "",
        used_for=used_for,
        good_at=Sentence("trying out only", "只供试用") if is_builtin else known.good_at if known else "",
        licence=known.licence if known else "",
        is_builtin=is_builtin,
    )


def _state(folder: Path, manifest: Manifest | None) -> tuple[State, str]:
    if asked := code_asked_for(folder):
        return "damaged", Sentence(asked, "模型里带有程序代码，为安全起见不会载入。")
    if manifest is None:
        return "unverified", ""
    fault = next(quick_faults(folder, manifest), None)
    if fault is None:
        return "manifest", ""
    return "damaged", Sentence(str(fault), f"文件与清单不符：{fault.file}")
