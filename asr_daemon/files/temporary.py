"""The names of half-written files: beside their target, hidden, and known as ours after a kill."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import secrets
from pathlib import Path

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


def remove_stale_temporary(path: Path, *, now_s: float) -> bool:
    """Remove such a file where its writer is dead (``now_s``: wall clock, seconds since 1970).

    Returns whether it was removed.
    """
    if not is_stale_temporary(path.name):
        return False
    with contextlib.suppress(OSError):  # it is held, or gone
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            left_s = LEFT_ON_A_SHARE_S
            if not is_network(path.parent):
                left_s = LEFT_S
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if now_s - os.fstat(fd).st_ctime > left_s:  # mtime may be a copied one
                path.unlink()
                return True
        finally:
            os.close(fd)
    return False


def sweep(folder: Path, *, now_s: float) -> list[str]:
    """Remove all such files of a folder that no inbox's scan comes to; return their names."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        left = [entry.name for entry in entries if is_stale_temporary(entry.name)]
        return [name for name in left if remove_stale_temporary(folder / name, now_s=now_s)]
    return []
