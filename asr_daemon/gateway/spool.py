"""Uploads that are under way, in the gateway's own folder: a lost connection or a restart loses nothing.

Enters: the beginning of an upload and its pieces, in order. Leaves: a whole file, to be handed to the daemon
as a descriptor. A piece counts once it is on the disk. What nobody goes on with is removed after a day; so
long it is known where a file was put, for a client that did not hear it.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import secrets
import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from pydantic import TypeAdapter

if TYPE_CHECKING:
    from pathlib import Path

FORGOTTEN_AFTER_S = 86_400.0
MOST_UNDER_WAY, MOST_OF_ONE_OWNER = 1000, 300
ROOM_LEFT_BYTES = 1 << 30  # that much of the disk stays free
_NAME = re.compile(r"[A-Za-z0-9_-]{32}")


@dataclass(frozen=True, slots=True)
class Upload:
    """One upload; ``owner`` is the access whose it is."""

    owner: str
    inbox: str
    name: str
    length_bytes: int | None  # None: not known before its end (a microphone's)


@dataclass(frozen=True, slots=True)
class Finished:
    """One that the daemon has; ``path`` is the recording's, within its inbox."""

    owner: str
    length_bytes: int
    path: str


class NoRoomError(Exception):
    """The disk of the spool is full, or too many uploads are under way."""


class OffsetError(Exception):
    """A piece does not go on where the last one ended, or another one is being written."""


_UPLOAD = TypeAdapter(Upload)
_FINISHED = TypeAdapter(Finished)


class Piece:
    """Where an upload goes on; nobody else does meanwhile. Close it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def write(self, block: bytes) -> None:
        """Append; raises ``OSError``, also where the disk would be full."""
        room = os.fstatvfs(self._descriptor)
        if room.f_bavail * room.f_frsize < ROOM_LEFT_BYTES:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        left = memoryview(block)
        while left:
            left = left[os.write(self._descriptor, left) :]

    def keep(self) -> None:
        """Make what was written durable."""
        os.fsync(self._descriptor)

    def close(self) -> None:
        """Let others go on."""
        os.close(self._descriptor)


class Spool:
    """The folder; any thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def folder(self) -> Path:
        """The folder itself."""
        return self._folder

    def begin(self, upload: Upload) -> str:
        """Begin an upload; return its number. Raises :class:`NoRoomError`."""
        self.forget_old()
        stat = os.statvfs(self._folder)
        if (upload.length_bytes or 0) + ROOM_LEFT_BYTES > stat.f_bavail * stat.f_frsize:
            raise NoRoomError("the disk of the gateway has no room for it")
        under_way = [self.find(path.stem) for path in self._folder.glob("*.json")]
        of_owner = sum(1 for each in under_way if each is not None and each.owner == upload.owner)
        if len(under_way) >= MOST_UNDER_WAY or of_owner >= MOST_OF_ONE_OWNER:
            raise NoRoomError("too many uploads are under way")
        number = secrets.token_urlsafe(24)
        self._data(number).touch(mode=0o600)
        self._write_about(number, upload)
        return number

    def set_length(self, number: str, length_bytes: int) -> Upload:
        """Say how long an upload is at last; return it. Raises ``FileNotFoundError`` where it has gone."""
        upload = self.find(number)
        if upload is None:
            raise FileNotFoundError(number)
        upload = replace(upload, length_bytes=length_bytes)
        self._write_about(number, upload)
        return upload

    def _write_about(self, number: str, upload: Upload) -> None:
        about = self._about(number)
        temporary = about.with_suffix(".new")
        temporary.write_bytes(_UPLOAD.dump_json(upload))
        temporary.rename(about)

    def find(self, number: str) -> Upload | None:
        """Return an upload that is under way."""
        if not _NAME.fullmatch(number):
            return None
        try:
            return _UPLOAD.validate_json(self._about(number).read_bytes())
        except (OSError, ValueError):
            return None

    def offset_bytes(self, number: str) -> int:
        """Return how much of it is there."""
        try:
            return self._data(number).stat().st_size
        except OSError:
            return 0

    def piece(self, number: str, offset_bytes: int) -> Piece:
        """Return what writes on at that place; what was written counts however this ends.

        Raises :class:`OffsetError`, or ``OSError`` (``FileNotFoundError`` where it has gone).
        """
        descriptor = os.open(self._data(number), os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            raise OffsetError("another piece of it is being sent") from None
        if os.fstat(descriptor).st_size != offset_bytes:
            os.close(descriptor)
            raise OffsetError("a piece does not go on where the last one ended")
        return Piece(descriptor)

    def open(self, number: str) -> int:
        """Return a descriptor of what is there, for reading; the caller closes it."""
        return os.open(self._data(number), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)

    def finish(self, number: str, finished: Finished) -> None:
        """Forget an upload but for where it is now."""
        temporary = self._done(number).with_suffix(".new")
        temporary.write_bytes(_FINISHED.dump_json(finished))
        temporary.rename(self._done(number))
        self.remove(number)

    def finished(self, number: str) -> Finished | None:
        """Return what became of an upload that the daemon has."""
        if not _NAME.fullmatch(number):
            return None
        try:
            return _FINISHED.validate_json(self._done(number).read_bytes())
        except (OSError, ValueError):
            return None

    def remove(self, number: str) -> None:
        """Forget an upload."""
        for path in (self._about(number), self._data(number)):
            path.unlink(missing_ok=True)

    def forget_old(self) -> None:
        """Remove what nobody goes on with."""
        newest: dict[str, float] = {}  # of the files of each upload, when one was touched last
        for path in self._folder.iterdir():
            with contextlib.suppress(OSError):
                newest[path.stem] = max(newest.get(path.stem, 0.0), path.stat().st_mtime)
        for number, touched in newest.items():
            if time.time() - touched > FORGOTTEN_AFTER_S:
                for path in self._folder.glob(f"{number}.*"):
                    path.unlink(missing_ok=True)

    def _data(self, number: str) -> Path:
        return self._folder / f"{number}.data"

    def _done(self, number: str) -> Path:
        return self._folder / f"{number}.done"

    def _about(self, number: str) -> Path:
        return self._folder / f"{number}.json"
