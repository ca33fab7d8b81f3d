"""The backup as a file: gzip (RFC 1952), with the database's size and row counts in the header's comment.

Enters: a checked copy of the database. Leaves: one compressed file, on the disk and read back, or the
database unpacked from one. Fails with :class:`BackupError`. The comment makes listing cheap: only the head
is read.

Why gzip, level 6: a history of 183 MiB packs to a fifth at 46 MiB/s on one slow core and unpacks at
217 MiB/s; level 9 is four times slower for nothing, xz (preset 1) gives a seventh at a third of the speed,
and zstd is not in Python's standard library.
"""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import json
import os
import re
import struct
import zlib
from dataclasses import dataclass, field
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Annotated, BinaryIO

from pydantic import Field, TypeAdapter

from asr_daemon.errors import OperatorError
from asr_daemon.files.owner import open_named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

LEVEL = 6
CHUNK_BYTES = 1024 * 1024
TIME_FORMAT = "%Y%m%dT%H%M%SZ"

DATABASE_MAGIC = b"SQLite format 3\0"  # https://www.sqlite.org/fileformat2.html#the_database_header

_YEARS = range(2000, 9000)  # of a name: others are somebody's joke, and break calendars
_TWO = "([0-9]{2})"
_NAME = re.compile(rf"history-([0-9]{{4}}){_TWO}{_TWO}T{_TWO}{_TWO}{_TWO}Z\.db\.gz")
_MAGIC = b"\x1f\x8b\x08"
_FLAG_NAME, _FLAG_COMMENT = 8, 16
_UNIX = 3
_FIXED_HEAD_BYTES = 10
_HEAD_BYTES_MAX = 64 * 1024
_NAME_INSIDE = b"history.db"


class BackupError(OperatorError):
    """The backup could not be taken, or is not usable."""


@dataclass(frozen=True)
class BackupInfo:
    """What is known of one backup."""

    path: Path
    taken_at: datetime  # UTC
    size_bytes: int
    database_bytes: int = 0  # unpacked
    rows: dict[str, int] = field(default_factory=dict)  # table -> rows
    second_path: Path | None = None  # its copy in the second folder, if one was asked for and written
    second_problem: str = ""  # why it was not


def never() -> bool:
    """Never ask to stop."""
    return False


def backup_name(taken_at: datetime) -> str:
    """Return the file's name for that time."""
    return f"history-{taken_at.astimezone(timezone.utc).strftime(TIME_FORMAT)}.db.gz"


def taken_at_by_name(path: Path) -> datetime | None:
    """Return the time in the file's name (UTC), or None when it is no backup's name."""
    found = _NAME.fullmatch(path.name)
    if not found:
        return None
    try:
        # Not strptime: it imports on first use, and root may be a user here who cannot read this Python.
        taken_at = datetime(*map(int, found.groups()), tzinfo=timezone.utc)  # type: ignore[misc, arg-type]
    except ValueError:
        return None
    return taken_at if taken_at.year in _YEARS else None


def list_backups(folder: Path) -> list[BackupInfo]:
    """Return the folder's backups, newest first; reads the head of each file only.

    A file whose head is damaged is listed without row counts; what cannot be opened, or is no regular file,
    is passed over: one bad file hides none of the others. Raises :class:`BackupError` where the folder cannot
    be read; a folder that is not there holds none.
    """
    try:
        paths = [path for path in folder.iterdir() if taken_at_by_name(path)]
    except FileNotFoundError:
        return []
    except OSError as error:
        raise BackupError(f"{folder}: the backups cannot be listed: {error.strerror}") from error
    found = []
    for path in paths:
        with contextlib.suppress(OSError), open_named(path) as file:
            found.append(describe(path, file))
    return sorted(found, key=lambda info: (info.taken_at, info.path.name), reverse=True)


def describe(path: Path, file: BinaryIO) -> BackupInfo:
    """Return what name and head of the open file say. Raises :class:`OSError` where it cannot be read."""
    head = _read_head(file)
    stat = os.fstat(file.fileno())
    try:
        taken_at = taken_at_by_name(path) or datetime.fromtimestamp(stat.st_mtime, timezone.utc)
    except (ValueError, OverflowError):  # a date that no calendar has
        taken_at = datetime.fromtimestamp(0, timezone.utc)
    return BackupInfo(path, taken_at, stat.st_size, head.database_bytes, head.rows)


def pack(
    database: Path,
    target: Path,
    *,
    taken_at: datetime,
    rows: dict[str, int],
    stop: Callable[[], bool] = never,
) -> None:
    """Compress the database into ``target``, force it to the disk, and read it back.

    Raises :class:`BackupError` where what is read back is not what was written, or ``stop`` asked to stop;
    :class:`OSError` where it cannot be written.
    """
    size_bytes = database.stat().st_size
    comment = json.dumps({"database_bytes": size_bytes, "rows": rows}).encode("ascii")
    head = _MAGIC + struct.pack(
        "<BIBB", _FLAG_NAME | _FLAG_COMMENT, int(taken_at.timestamp()) & 0xFFFFFFFF, 0, _UNIX
    )
    packer = zlib.compressobj(LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS)
    digest, crc, packed_bytes = hashlib.sha256(), 0, 0
    with database.open("rb") as source, target.open("xb") as out:
        make_private(out.fileno())
        out.write(head + _NAME_INSIDE + b"\0" + comment + b"\0")
        while chunk := source.read(CHUNK_BYTES):
            _raise_if(stop)
            digest.update(chunk)
            crc = zlib.crc32(chunk, crc)
            packed_bytes += len(chunk)
            out.write(packer.compress(chunk))
        out.write(packer.flush() + struct.pack("<II", crc, packed_bytes & 0xFFFFFFFF))
        out.flush()
        os.fsync(out.fileno())
    if _digest_unpacked(target, stop) != digest.digest():
        raise BackupError(f"{target}: the backup reads back differently than it was written: check the disk")


def unpack(path: Path, file: BinaryIO, target: Path, *, most_bytes: int) -> None:
    """Decompress the open backup into ``target``; a database that is not compressed is copied.

    Raises :class:`BackupError` for a file that is damaged, cut short or no database, or that unpacks to more
    than ``most_bytes``.
    """
    try:
        file.seek(0)
        is_packed = file.read(len(_MAGIC)) == _MAGIC
        file.seek(0)
        source = gzip.GzipFile(fileobj=file) if is_packed else file
        with target.open("xb") as out:
            make_private(out.fileno())
            while chunk := source.read(CHUNK_BYTES):
                if out.tell() == 0 and not chunk.startswith(DATABASE_MAGIC):
                    raise BackupError(f"{path}: this is no backup: there is no database in it")
                if out.tell() + len(chunk) > most_bytes:
                    raise BackupError(
                        f"{path}: it unpacks to more than {most_bytes // 2**20} MiB: it is no sound backup, "
                        "or the disk has too little room for it"
                    )
                out.write(chunk)
            out.flush()
            os.fsync(out.fileno())
    except (EOFError, zlib.error, gzip.BadGzipFile, struct.error) as error:
        raise BackupError(f"{path}: the backup is damaged or cut short ({error})") from error
    except OSError as error:
        raise BackupError(
            f"{error.filename or path}: the backup cannot be unpacked: {error.strerror}"
        ) from error


def make_private(fd: int) -> None:
    """Let only the owner read the file, where the file system knows owners."""
    with contextlib.suppress(PermissionError):
        os.fchmod(fd, 0o600)


def _digest_unpacked(path: Path, stop: Callable[[], bool]) -> bytes:
    digest = hashlib.sha256()
    try:
        with gzip.open(path, "rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                _raise_if(stop)
                digest.update(chunk)
    except (EOFError, zlib.error, gzip.BadGzipFile):
        return b""
    return digest.digest()


def _raise_if(stop: Callable[[], bool]) -> None:
    if stop():
        raise BackupError("the backup was interrupted because the daemon stops")


@dataclass(frozen=True, slots=True)
class _Head:
    """What the comment in a file's head says; as anybody may have written it."""

    database_bytes: Annotated[int, Field(ge=0, le=1 << 48)] = 0
    rows: dict[str, Annotated[int, Field(ge=0)]] = field(default_factory=dict)


def _read_head(file: BinaryIO) -> _Head:
    """Return what the file's head says, or nothing where it is none of ours."""
    head = file.read(_HEAD_BYTES_MAX)
    if head[:3] != _MAGIC or head[3:4] != bytes([_FLAG_NAME | _FLAG_COMMENT]):
        return _Head()
    try:
        _, comment, _ = head[_FIXED_HEAD_BYTES:].split(b"\0", 2)
        return _HEAD.validate_json(comment, strict=True)
    except ValueError:
        return _Head()


_HEAD: TypeAdapter[_Head] = TypeAdapter(_Head)
