"""Written: a whole file under its name, or nothing.

A temporary file in the same folder, write, fsync, rename, fsync of the folder: a reader never sees half a
file, and after a power cut there is either the old one or the new.
"""

from __future__ import annotations

import contextlib
import errno
import os
from typing import TYPE_CHECKING

from asr_daemon.errors import (
    DiskFullError,
    InboxGoneError,
    InboxReadOnlyError,
    ShareUnavailableError,
    WriteFailedError,
)
from asr_daemon.files.folders import fsync_folder, open_folder
from asr_daemon.files.syscalls import rename_without_replacing
from asr_daemon.files.temporary import hold, new_temporary_name

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

COPY_BYTES = 8 << 20  # at a time

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
_ASTRAY = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ELOOP})
_FORBIDDEN = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})
_GONE = frozenset(
    {errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENOTCONN, errno.EHOSTDOWN, errno.ENODEV, errno.ELOOP}
)


def publish(
    path: Path, data: bytes, *, root: Path | None = None, replace: bool = True, mode: int | None = None
) -> None:
    """Write the file, durably and at once.

    Whoever may list the folder may read the file, and who may add to the folder may write to it: the mode is
    the folder's without x, and the group is the folder's, as far as the service may give it; ``mode`` says
    otherwise. ``root``: no link is followed below that folder. ``replace=False`` raises ``FileExistsError``
    where the name is taken.

    Raises :class:`DiskFullError`, :class:`InboxReadOnlyError`, :class:`InboxGoneError` or
    :class:`WriteFailedError`, with nothing left behind.
    """

    def write(fd: int) -> None:
        left = memoryview(data)
        while left:
            left = left[os.write(fd, left) :]

    _publish(path, write, root, replace=replace, mode=mode)


def publish_copy(path: Path, source: int, *, root: Path | None = None) -> None:
    """Write the file with what a descriptor holds, from its beginning; otherwise as :func:`publish`.

    Raises ``FileExistsError`` where the name is taken.
    """

    def write(fd: int) -> None:
        offset = 0
        while count := os.sendfile(fd, source, offset, COPY_BYTES):
            offset += count

    _publish(path, write, root, replace=False)


def _publish(
    path: Path,
    write: Callable[[int], None],
    root: Path | None,
    *,
    replace: bool,
    mode: int | None = None,
) -> None:
    try:
        folder_fd = _open_for(path, root)
        try:
            _publish_in(folder_fd, path.name, write, replace, mode)
        finally:
            os.close(folder_fd)
    except FileExistsError:
        raise
    except OSError as error:
        raise write_error(path, error) from None


def _open_for(path: Path, root: Path | None) -> int:
    """Open the folder that a file is to be written into."""
    try:
        return open_folder(path.parent, root)
    except OSError as error:
        if root is not None and error.errno in _ASTRAY and root.is_dir() and root != path.parent:
            raise WriteFailedError(  # that of this file alone: the others of its inbox need not wait
                f"{path.name!r} cannot be written: its folder is gone, or is behind a link (not followed)"
            ) from None
        raise


def _publish_in(
    folder_fd: int, name: str, write: Callable[[int], None], replace: bool, mode: int | None
) -> None:
    temporary = new_temporary_name()
    fd = os.open(
        temporary,
        os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC,
        0o666,
        dir_fd=folder_fd,
    )
    try:
        try:
            hold(fd)
            if mode is None:
                _let_people_read(fd, os.fstat(folder_fd))
            else:
                os.fchmod(fd, mode)
            write(fd)
            os.fsync(fd)
        finally:
            os.close(fd)
        if replace:
            os.rename(temporary, name, src_dir_fd=folder_fd, dst_dir_fd=folder_fd)
        else:
            rename_without_replacing(temporary, name, source_fd=folder_fd, target_fd=folder_fd)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(temporary, dir_fd=folder_fd)
        raise
    fsync_folder(folder_fd)


def _let_people_read(fd: int, folder: os.stat_result) -> None:
    with contextlib.suppress(OSError):  # not a member of that group, or a file system without groups
        os.fchown(fd, -1, folder.st_gid)
    with contextlib.suppress(OSError):
        os.fchmod(fd, 0o600 | (folder.st_mode & 0o666))


def write_error(path: Path, error: OSError) -> ShareUnavailableError:
    """Return what a failed write means for the recording."""
    where = f"{path.name!r} cannot be written to {str(path.parent)!r}: {error.strerror}"
    if error.errno in _FULL:
        return DiskFullError(where)
    if error.errno in _FORBIDDEN:
        return InboxReadOnlyError(where)
    if error.errno in _GONE:
        return InboxGoneError(where)
    return WriteFailedError(where)
