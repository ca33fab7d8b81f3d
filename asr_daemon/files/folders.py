"""Folders of others, held by a descriptor: what lies in them is reached by its name there, not by a path.

A path is looked up anew with every call, and whoever may write into one of its folders can put another in its
place meanwhile. Fails with ``OSError``.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from asr_daemon.files.syscalls import open_beneath

if TYPE_CHECKING:
    from pathlib import Path

FOLDER_FLAGS = os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC
# What file systems answer that need no fsync of a folder, or have none.
_NO_FOLDER_FSYNC = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF})


def open_folder(folder: Path, root: Path | None = None) -> int:
    """Return a descriptor of the folder; below ``root``, where one is given, no link is followed."""
    if root is None or root == folder:
        return os.open(folder, FOLDER_FLAGS)
    root_fd = os.open(root, FOLDER_FLAGS)
    try:
        return open_beneath(root_fd, str(folder.relative_to(root)), FOLDER_FLAGS)
    finally:
        os.close(root_fd)


def fsync_folder(folder_fd: int) -> None:
    """Make the folder's names durable, where its file system knows how."""
    try:
        os.fsync(folder_fd)
    except OSError as error:
        if error.errno not in _NO_FOLDER_FSYNC:
            raise


def remove(path: Path, root: Path) -> bool:
    """Remove a file, following no link below ``root``; return whether it was there."""
    try:
        folder_fd = open_folder(path.parent, root)
    except FileNotFoundError:
        return False
    try:
        os.unlink(path.name, dir_fd=folder_fd)
    except FileNotFoundError:
        return False
    finally:
        os.close(folder_fd)
    return True


def stat_in(folder_fd: int, name: str) -> os.stat_result | None:
    """Return what lies under a name in an open folder, a link as itself; None where nothing does."""
    try:
        return os.stat(name, dir_fd=folder_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None
