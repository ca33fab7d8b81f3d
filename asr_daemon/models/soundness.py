"""Whether a model folder is what its manifest says; asked before every load.

Enters: a folder. Leaves: :class:`Fault` after fault, or :class:`~asr_daemon.errors.ModelMissingError` with
the sentence that names file and way out. A folder without a manifest was placed by hand: it counts as
unverified, and is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.errors import ModelMissingError
from asr_daemon.models.code import require_no_code
from asr_daemon.models.known import pull_command
from asr_daemon.models.manifest import hash_file, model_files, read_manifest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from asr_daemon.models.manifest import Manifest

_PACKAGE = Path(__file__).resolve().parent


@dataclass(frozen=True, slots=True)
class Fault:
    """One file that is not what it must be."""

    file: str
    how: str

    def __str__(self) -> str:
        return f"{self.file} {self.how}"


def quick_faults(folder: Path, manifest: Manifest) -> Iterator[Fault]:
    """Compare names and sizes, without reading. Raises ``OSError`` where the folder cannot be listed."""
    there = model_files(folder)
    for file in sorted(there.keys() - manifest.files.keys()):
        yield Fault(file, "does not belong to the model: it is not in the manifest")
    for file, record in manifest.files.items():
        path = there.get(file)
        if path is None:
            yield Fault(file, "is missing")
            continue
        size_bytes = path.stat().st_size
        if size_bytes != record.size_bytes:
            yield Fault(file, f"has {size_bytes:,} bytes instead of {record.size_bytes:,}")


def faults(
    folder: Path, manifest: Manifest, on_bytes: Callable[[int], None] = lambda _count: None
) -> Iterator[Fault]:
    """Compare names and sizes, then contents; nothing is read where the first already tells."""
    try:
        found = list(quick_faults(folder, manifest))
        yield from found
        for file, record in manifest.files.items() if not found else ():
            if hash_file(folder / file, on_bytes) != record.sha256:
                yield Fault(file, "differs from its SHA-256 in the manifest")
    except OSError as error:
        yield Fault(str(error.filename or folder), f"cannot be read: {error.strerror}")


def require_sound(folder: Path) -> None:
    """Read every file and compare; raises :class:`ModelMissingError` where one differs or is code."""
    manifest = read_manifest(folder)
    fault = None if manifest is None else next(faults(folder, manifest), None)
    if fault is not None:
        raise ModelMissingError(f"The model in {folder} is damaged: {fault}. {way_out(folder)}")
    require_no_code(folder)


def way_out(folder: Path) -> str:
    """Return the sentence that says what brings a damaged or missing model back."""
    if folder.resolve().parent == _PACKAGE:
        return "Install asr-daemon again."
    if command := pull_command(folder.name):
        return f"`{command}` fetches it anew."
    return f"Copy it there anew, then `asr-daemon models adopt {folder}`."
