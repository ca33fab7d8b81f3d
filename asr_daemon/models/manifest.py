"""The manifest of a model folder: size and SHA-256 of each file, its origin, how its sound is best cut.

It lies in the folder as ``manifest.json`` and is written when a model is pulled, imported or adopted. It
tells bit rot, half copies and exchanged files; against somebody who may write the folder it is no protection.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Annotated

from pydantic import Field, TypeAdapter, ValidationError

from asr_daemon.errors import ModelMissingError
from asr_daemon.files.junk import is_junk_folder

if TYPE_CHECKING:
    from collections.abc import Callable

MANIFEST_NAME = "manifest.json"
_JUNK_FILES = frozenset(("thumbs.db", "desktop.ini"))
_BLOCK_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class FileRecord:
    """What a file must be."""

    size_bytes: Annotated[int, Field(ge=0)]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]


@dataclass(frozen=True, slots=True)
class Segmentation:
    """How a model's sound is best cut: taken where an inbox says nothing."""

    max_end_silence_ms: Annotated[int, Field(ge=100, le=10_000)]  # the same bounds as an inbox's


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a model folder must hold; paths are relative, with ``/``."""

    name: str
    hub: str  # "modelscope", "huggingface", or "" for one that was brought by hand
    repository: str
    revision: str
    written_at: str  # UTC stamp
    files: dict[str, FileRecord]
    schema: int = 1
    segmentation: Segmentation | None = None  # None: the model has no wish

    @property
    def size_bytes(self) -> int:
        """All files together."""
        return sum(record.size_bytes for record in self.files.values())

    @property
    def origin(self) -> str:
        """Where it came from, for people."""
        return f"{self.hub} {self.repository}@{self.revision}" if self.hub else "brought by hand"


_ADAPTER: TypeAdapter[Manifest] = TypeAdapter(Manifest)


def read_manifest(folder: Path) -> Manifest | None:
    """Return the folder's manifest, None where it has none.

    Raises :class:`~asr_daemon.errors.ModelMissingError` where it cannot be read or understood.
    """
    path = folder / MANIFEST_NAME
    try:
        found = path.stat()
        return _parsed(path, found.st_size, found.st_mtime_ns, found.st_ino)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ModelMissingError(f"{path} cannot be read: {error.strerror}.") from None


@functools.lru_cache(maxsize=64)
def _parsed(path: Path, _size_bytes: int, _mtime_ns: int, _inode: int) -> Manifest:
    return parse_manifest(path.read_bytes(), str(path))


def parse_manifest(content: bytes, shown: str) -> Manifest:
    """Return the manifest that these bytes are; raises :class:`ModelMissingError`, naming ``shown``."""
    try:
        manifest = _ADAPTER.validate_json(content)
    except ValidationError as error:
        what = error.errors()[0]["msg"]
        raise ModelMissingError(f"{shown} is damaged: {what}.") from None
    if manifest.schema != 1:
        raise ModelMissingError(f"{shown} is of a later release (schema {manifest.schema}).")
    if bad := next((path for path in manifest.files if not is_safe(path)), None):
        raise ModelMissingError(f"{shown} is damaged: {bad!r} is no path below the folder.")
    return manifest


def encode_manifest(manifest: Manifest) -> bytes:
    """Return the manifest as its file's content."""
    tree = _ADAPTER.dump_python(manifest, mode="json", exclude_none=True)
    return json.dumps(tree, ensure_ascii=False, indent=2, sort_keys=True).encode() + b"\n"


def is_safe(path: str) -> bool:
    """Return whether a path out of a manifest, an archive or a hub's list stays below its folder."""
    return not {"", ".", ".."} & set(path.split("/")) and not {"\\", "\0"} & set(path)


def belongs(path: str) -> bool:
    """Return whether a file takes part in the model: no documentation, no manifest, no file system's junk."""
    *folders, name = PurePosixPath(path).parts
    if path == MANIFEST_NAME or any(is_junk_folder(folder) for folder in folders):
        return False
    return not (name.startswith(".") or name.lower() in _JUNK_FILES or name.lower().endswith(".md"))


def model_files(folder: Path) -> dict[str, Path]:
    """Return the files that take part, by relative path; links to files count as files.

    A link to a folder is named as if it were a file: it cannot be hashed, and is so found out.
    Raises ``OSError``.
    """

    def refuse(error: OSError) -> None:
        raise error

    found: dict[str, Path] = {}
    for parent, folders, files in os.walk(folder, onerror=refuse):
        links = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in (*files, *links):
            path = Path(parent) / name
            relative = path.relative_to(folder).as_posix()
            if belongs(relative):
                found[relative] = path
    return dict(sorted(found.items()))


def hash_file(path: Path, on_bytes: Callable[[int], None] = lambda _count: None) -> str:
    """Return a file's SHA-256; ``on_bytes`` hears of each block. Raises ``OSError``."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
            on_bytes(len(block))
    return digest.hexdigest()


def record_files(
    folder: Path, on_bytes: Callable[[int], None] = lambda _count: None
) -> dict[str, FileRecord]:
    """Return the records of a folder's files as they are. Raises ``OSError``."""
    return {
        relative: FileRecord(path.stat().st_size, hash_file(path, on_bytes))
        for relative, path in model_files(folder).items()
    }
