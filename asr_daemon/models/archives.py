"""A model as one tar file, for a machine without network: written plainly, unpacked with suspicion.

Nothing of an archive is trusted: only regular files and folders below one folder, each name once, within
bounds; everything else refuses the whole. Modes, owners and links of the archive are not taken over.
"""

from __future__ import annotations

import io
import lzma
import os
import tarfile
import zlib
from typing import IO, TYPE_CHECKING

from asr_daemon.errors import OperatorError
from asr_daemon.files.owner import for_caller, open_named
from asr_daemon.models.hubs import LARGEST_BYTES, MOST_FILES
from asr_daemon.models.manifest import MANIFEST_NAME, belongs, encode_manifest, is_safe
from asr_daemon.models.store import require_room

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from asr_daemon.models.manifest import Manifest

_BLOCK_BYTES = 1 << 20
_HEADER_BYTES = 1 << 20
_LONG_HEADERS = frozenset(
    (
        tarfile.XHDTYPE,
        tarfile.XGLTYPE,
        tarfile.SOLARIS_XHDTYPE,
        tarfile.GNUTYPE_LONGNAME,
        tarfile.GNUTYPE_LONGLINK,
    )
)


def pack(
    folder: Path, manifest: Manifest, target: Path, on_bytes: Callable[[int], None] = lambda _count: None
) -> None:
    """Write the files of a manifest, and the manifest first, below a folder of the model's name.

    Raises :class:`~asr_daemon.errors.OperatorError` where a file is there already, ``OSError`` where the disk
    fails; an archive that is not whole does not stay.
    """
    part = target.with_name(f".{target.name}.part")
    with for_caller(target.parent):
        if target.exists():
            raise OperatorError(f"{target} is there already: take another name")
        part.unlink(missing_ok=True)
        out = part.open("xb")
    try:
        with out:
            # Weights do not become smaller; a plain archive can be read from its middle, too.
            with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
                content = encode_manifest(manifest)
                archive.addfile(_entry(manifest.name, MANIFEST_NAME, len(content)), io.BytesIO(content))
                for file, record in manifest.files.items():
                    with (folder / file).open("rb") as source:
                        archive.addfile(_entry(manifest.name, file, record.size_bytes), source)
                    on_bytes(record.size_bytes)
            out.flush()
            os.fsync(out.fileno())
        with for_caller(target.parent):
            part.replace(target)
    except BaseException:
        with for_caller(target.parent):
            part.unlink(missing_ok=True)
        raise


def _entry(name: str, file: str, size_bytes: int) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(f"{name}/{file}")
    entry.size, entry.mode = size_bytes, 0o644
    return entry


def unpack(archive: Path, staging: Path, on_bytes: Callable[[int], None] = lambda _count: None) -> str:
    """Unpack the model of an archive into an empty folder; return the name of the archive's own.

    Raises ``ValueError`` (or ``tarfile.TarError``) saying what is wrong with the archive, ``OSError`` where
    the disk fails, :class:`~asr_daemon.errors.OperatorError` where it has too little room.
    """
    try:
        with open_named(archive) as file, tarfile.open(fileobj=file, tarinfo=_Member) as opened:
            members = _checked_members(opened)
            require_room(staging, sum(member.size for member in members))
            top = members[0].name.split("/")[0]
            for member in members:
                relative = member.name.partition("/")[2]
                if relative == MANIFEST_NAME or belongs(relative):
                    source = opened.extractfile(member)
                    assert source is not None  # noqa: S101 (a regular file: checked)
                    _write(source, staging / relative, member.size, on_bytes)
    except (zlib.error, lzma.LZMAError, EOFError, RecursionError) as error:
        raise ValueError(str(error)) from None
    return top


class _Member(tarfile.TarInfo):
    """A member whose headers are no larger than a name needs: they are read into memory as a whole."""

    def _proc_member(self, tar: tarfile.TarFile) -> tarfile.TarInfo:  # the hook that tarfile means for this
        if self.type in _LONG_HEADERS and self.size > _HEADER_BYTES:
            raise ValueError(f"it has a header of {self.size / 1e6:,.0f} MB")
        if self.type == tarfile.GNUTYPE_SPARSE:
            raise ValueError(f"{self.name!r} is a sparse file, which no model is")
        member: tarfile.TarInfo = super()._proc_member(tar)  # type: ignore[misc]
        if any(key.startswith("GNU.sparse") for key in member.pax_headers):
            raise ValueError(f"{member.name!r} is a sparse file, which no model is")
        return member


def _checked_members(opened: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """Return the regular files, each below the same folder; raises ``ValueError`` for anything else."""
    files: list[tarfile.TarInfo] = []
    total_bytes = 0
    names: set[str] = set()
    for count, member in enumerate(opened):
        if count > 2 * MOST_FILES:  # folders, too, are held in memory
            raise ValueError("it is larger than any model")
        name = member.name.rstrip("/").removeprefix("./")
        if member.isdir():
            if name not in ("", ".") and not is_safe(name):
                raise ValueError(f"{member.name!r} leads out of its folder")
            continue
        if not member.isreg():
            raise ValueError(f"{member.name!r} is no regular file")
        if not is_safe(name) or "/" not in name:
            raise ValueError(f"{member.name!r} does not lie in a folder of the archive")
        total_bytes += max(0, member.size)
        names.add(name)
        member.name = name
        files.append(member)
        if len(names) != len(files):
            raise ValueError(f"{name!r} is there twice")
        if member.size < 0 or total_bytes > LARGEST_BYTES or len(files) > MOST_FILES:
            raise ValueError("it is larger than any model")
    if len({file.name.split("/")[0] for file in files}) != 1:
        raise ValueError("it does not hold one folder")
    return files


def _write(source: IO[bytes], target: Path, size_bytes: int, on_bytes: Callable[[int], None]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    left_bytes = size_bytes
    with target.open("xb") as out:
        while left_bytes:
            block = source.read(min(_BLOCK_BYTES, left_bytes))
            if not block:
                raise ValueError(f"{target.name} ends too early")
            out.write(block)
            left_bytes -= len(block)
            on_bytes(len(block))
