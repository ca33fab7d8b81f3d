"""Hashed: a recording is opened without following links and its content gets its identity.

Enters: a settled path and its inbox's folder. Leaves: an open descriptor (the same one goes on to the
recogniser, so that what is recognised is what was hashed) and a :class:`Fingerprint`. May fail with
:class:`RecordingGoneError` (gone, swapped, changed: it settles anew), :class:`NotReadableError` or
:class:`ReadFailedError`.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import signal
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from asr_daemon.errors import JobError, NotReadableError, ReadFailedError, RecordingGoneError
from asr_daemon.files.formats import HEAD_BYTES
from asr_daemon.files.syscalls import open_beneath

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

READ_BYTES = 1 << 20
# O_NONBLOCK: opening a FIFO that was swapped in returns at once instead of waiting for its writer.
RECORDING_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
_GONE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EXDEV, errno.ESTALE, errno.ENXIO, errno.EISDIR}
)
_HELD = frozenset({errno.EAGAIN, errno.ETXTBSY, errno.EBUSY})


@dataclass(frozen=True, slots=True)
class Fingerprint:
    """The identity of a recording's content, and the file that it was read from."""

    sha256: str  # hexadecimal
    size_bytes: int
    mtime_ns: int
    inode: int
    device: int


def open_recording(path: Path, root: Path) -> int:
    """Return a descriptor of the regular file at ``path``, which lies below ``root``; the caller closes it.

    ``root`` is the administrator's and may be, or lie behind, a link; below it no link is followed.
    """
    relative = str(path.relative_to(root))
    try:
        root_fd = os.open(root, os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fd = open_beneath(root_fd, relative, RECORDING_FLAGS)
        finally:
            os.close(root_fd)
    except OSError as error:
        raise _why_not_opened(path, error) from None
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise RecordingGoneError(f"{path.name!r} is no regular file any more")
    return fd


def is_open_for_writing(fd: int) -> bool:
    """Return whether a program on this machine still has the file open for writing, where that can be known.

    Asked by taking a read lease and giving it back, which the kernel grants only without writers. It needs
    the file's owner or ``CAP_LEASE``, and a local file system; elsewhere the answer is False, and time alone
    must tell.
    """
    try:
        # A writer that comes in this very moment waits for the lease, and its signal is one that is ignored.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    with contextlib.suppress(OSError):
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def read_head(fd: int) -> bytes:
    """Return the first bytes of an open file, as many as tell what it is; its offset stays where it is.

    Raises :class:`ReadFailedError`.
    """
    try:
        return os.pread(fd, HEAD_BYTES, 0)
    except OSError as error:
        raise ReadFailedError(f"reading the file failed: {error.strerror}") from None


def fingerprint(fd: int, cancelled: Callable[[], bool] = lambda: False) -> Fingerprint:
    """Return the fingerprint of an open recording; its file offset stays where it is.

    Raises :class:`RecordingGoneError` when the file changed between the first byte and the last, or when
    ``cancelled()`` (asked once a MiB) said so; :class:`ReadFailedError` for an input/output error.
    """
    digest = hashlib.sha256()
    try:
        before = os.fstat(fd)
        with contextlib.suppress(OSError):
            os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_SEQUENTIAL)
        at = 0
        while at < before.st_size and (block := os.pread(fd, READ_BYTES, at)):  # not for ever, if it grows
            digest.update(block)
            at += len(block)
            if cancelled():
                raise RecordingGoneError("hashing the recording was cancelled")
        after = os.fstat(fd)
    except OSError as error:
        if error.errno == errno.ESTALE:
            raise RecordingGoneError(f"the recording is gone: {error.strerror}") from None
        raise ReadFailedError(f"reading the recording failed: {error.strerror}") from None
    if _moving(before) != _moving(after) or at != after.st_size:
        raise RecordingGoneError("the recording changed while it was hashed")
    return Fingerprint(
        sha256=digest.hexdigest(),
        size_bytes=after.st_size,
        mtime_ns=after.st_mtime_ns,
        inode=after.st_ino,
        device=after.st_dev,
    )


def _moving(found: os.stat_result) -> tuple[int, int]:
    return (found.st_size, found.st_mtime_ns)


def _why_not_opened(path: Path, error: OSError) -> JobError:
    name = repr(path.name)
    if error.errno == errno.ELOOP:
        return RecordingGoneError(f"{name} is, or lies behind, a symbolic link: links are not followed")
    if error.errno in _GONE:
        return RecordingGoneError(f"{name} is not there any more")
    if error.errno in _HELD:
        return RecordingGoneError(f"{name} is held by another program: {error.strerror}")
    if isinstance(error, PermissionError):
        return NotReadableError(f"the service may not read {name}: give its user the right to")
    return ReadFailedError(f"{name} cannot be opened: {error.strerror}")
