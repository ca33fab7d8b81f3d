"""The names of half-written files: beside their target, hidden, and known as ours after a kill."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from pathlib import Path

from asr_daemon.files.folders import open_folder
from asr_daemon.files.mounts import is_network

_OURS = re.compile(r"\.asr-daemon-[0-9a-f]{16}\.tmp")
LEFT_S = 60.0  # nobody holds it for that long: its writer is dead
LEFT_ON_A_SHARE_S = 3600.0  # another machine may write it, whose lock is not seen here


def new_temporary_name() -> str:
    """Return a fresh name; its length does not depend on the target's, which may have all of 255 bytes."""
    return f".asr-daemon-{secrets.token_hex(8)}.tmp"


def hold(fd: int) -> None:
    """Lock a file that is being written: while its writer lives, nobody takes it for left over.

    Not on a share: its server may have no locks, or take its time to say so.
    """
    if not is_network(Path(f"/proc/self/fd/{fd}")):
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)


def is_stale_temporary(name: str) -> bool:
    """Return whether a file of that name is one that this program began and did not finish."""
    return _OURS.fullmatch(name) is not None


def remove_stale_temporary(path: Path, *, now_s: float, root: Path | None = None) -> bool:
    """Remove such a file where its writer is dead (``now_s``: wall clock, seconds since 1970).

    Below ``root``, where one is given, no link is followed. Returns whether it was removed.
    """
    if is_stale_temporary(path.name):
        with contextlib.suppress(OSError):  # its folder is gone
            folder_fd = open_folder(path.parent, root)
            try:
                return _remove_in(folder_fd, path.name, now_s)
            finally:
                os.close(folder_fd)
    return False


def sweep(folder: Path, *, now_s: float, root: Path | None = None) -> list[str]:
    """Remove all such files of a folder that no inbox's scan comes to; return their names."""
    with contextlib.suppress(OSError):
        folder_fd = open_folder(folder, root)
        try:
            with os.scandir(folder_fd) as entries:
                left = [entry.name for entry in entries if is_stale_temporary(entry.name)]
            return [name for name in left if _remove_in(folder_fd, name, now_s)]
        finally:
            os.close(folder_fd)
    return []


def _remove_in(folder_fd: int, name: str, now_s: float) -> bool:
    with contextlib.suppress(OSError):  # it is held, or gone
        fd = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder_fd)
        try:
            left_s = LEFT_ON_A_SHARE_S
            if not is_network(Path(f"/proc/self/fd/{folder_fd}")):
                left_s = LEFT_S
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if now_s - os.fstat(fd).st_ctime > left_s:  # mtime may be a copied one
                os.unlink(name, dir_fd=folder_fd)
                return True
        finally:
            os.close(fd)
    return False
