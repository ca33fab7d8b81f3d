"""Files that somebody handed over open, since the service cannot open them by their path.

``transcribe /root/x.webm`` through the running service: the home is hidden from it, and the file may be
closed to its user. Enters: a path and a descriptor, over the control socket. Leaves: a descriptor when one is
needed, until nobody waits for the recording. Not kept across a restart: then it is to be named once more.
"""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import stat
import threading
from typing import TYPE_CHECKING

from asr_daemon.errors import DiskFullError, JobError, NotReadableError, WriteFailedError
from asr_daemon.inboxes.fingerprint import open_recording

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from pathlib import Path

SPARE_BYTES = 1 << 30  # that a copy leaves free on the disk of the state folder
BLOCK_BYTES = 1 << 20


class HandedFiles:
    """What was handed over; any thread may ask. ``folder`` takes copies, which have no name there."""

    def __init__(self, folder: Path | None = None) -> None:
        self._folder = folder
        self._files: dict[Path, int] = {}
        self._in_hand: set[Path] = set()
        self._lock = threading.Lock()

    @contextlib.contextmanager
    def holding(self, path: Path, descriptor: int | None) -> Iterator[None]:
        """Keep the file while it is brought to the queue, and from then on as long as it is waited for.

        Raises :class:`~asr_daemon.errors.WorkError` where it is no recording's file, or cannot be kept.
        """
        self._put(path, None if descriptor is None else self._own(path, descriptor))
        self._in_hand.add(path)
        try:
            yield
        finally:
            self._in_hand.discard(path)

    def has(self, path: Path) -> bool:
        """Whether the file at that path was handed over."""
        return path in self._files

    @property
    def is_empty(self) -> bool:
        """Whether nothing is kept."""
        return not self._files

    def open(self, path: Path) -> int | None:
        """Return a descriptor with an offset of its own, which the caller closes; or None."""
        with self._lock:
            kept = self._files.get(path)
            return None if kept is None else os.open(f"/proc/self/fd/{kept}", os.O_RDONLY | os.O_CLOEXEC)

    def keep_only(self, wanted: Collection[Path]) -> None:
        """Close what nobody waits for any more."""
        for path in [path for path in self._files if path not in wanted and path not in self._in_hand]:
            self._put(path, None)

    def _put(self, path: Path, kept: int | None) -> None:
        with self._lock:
            before = self._files.pop(path, None)
            if kept is not None:
                self._files[path] = kept
        if before is not None:
            os.close(before)

    def _own(self, path: Path, descriptor: int) -> int | None:
        """Return a descriptor that this process can open anew; None where the path itself will do."""
        found = os.fstat(descriptor)
        if not stat.S_ISREG(found.st_mode):
            raise NotReadableError(f"{path.name!r} is no regular file")
        if _is_reached(path, found):
            return None
        try:
            return os.open(f"/proc/self/fd/{descriptor}", os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError:
            return self._copy(path, descriptor, found)

    def _copy(self, path: Path, descriptor: int, found: os.stat_result) -> int:
        """Return a copy that goes with its descriptor: ffmpeg opens it anew, with the service's rights."""
        if self._folder is None:
            raise NotReadableError(f"the service may not read {path.name!r}: give its user the right to")
        if shutil.disk_usage(self._folder).free < found.st_size + SPARE_BYTES:
            raise DiskFullError(
                f"the service may not read {path.name!r}, and there is no room for a copy in {self._folder}: "
                "give its user the right to read it"
            )
        copy = -1
        try:
            copy = os.open(self._folder, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
            at = 0
            while at < found.st_size and (block := os.pread(descriptor, BLOCK_BYTES, at)):
                at += os.pwrite(copy, block, at)
            os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
            return os.open(f"/proc/self/fd/{copy}", os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            full = error.errno in (errno.ENOSPC, errno.EDQUOT)
            kind = DiskFullError if full else WriteFailedError
            raise kind(f"{path.name!r} cannot be copied into {self._folder}: {error.strerror}") from None
        finally:
            if copy >= 0:
                os.close(copy)


def _is_reached(path: Path, handed: os.stat_result) -> bool:
    """Return whether this process opens the very file at its path."""
    try:
        reached = open_recording(path, path.parent)
    except JobError:
        return False
    try:
        return os.path.samestat(os.fstat(reached), handed)
    finally:
        os.close(reached)
