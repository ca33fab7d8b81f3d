"""Where a path that an administrator named really leads: links count only where nobody else could make them.

A department that may write into a folder can put a link there in place of any file, or of any folder, and
what the service reads for it would be another's. Enters: a path, and the folders that others write into.
Leaves: the same place without any link, to be opened by :func:`open_without_links`. Fails with ``OSError``:
``ELOOP`` for a link that is not followed.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING

from asr_daemon.files.mounts import is_network
from asr_daemon.files.syscalls import open_beneath

if TYPE_CHECKING:
    from collections.abc import Collection

MOST_LINKS = 40  # as the kernel
_STEP = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def trusted_path(path: Path, shares: Collection[Path] = ()) -> Path:
    """Return where the path leads; its last part need not be there.

    A link is followed where its folder is root's or our own, nobody else may write there, it lies on this
    machine, and it is none of ``shares`` nor below one.
    """
    with contextlib.suppress(OSError):
        path.stat()  # mounts what is mounted on demand
    pending = deque(path.parts[1:])
    here, links = Path("/"), 0
    at = os.open("/", _STEP)
    try:
        while pending:
            name = pending.popleft()
            if name == "..":
                here, at = here.parent, _step(at, name)
                continue
            try:
                found = os.stat(name, dir_fd=at, follow_symlinks=False)
            except FileNotFoundError:
                return here.joinpath(name, *pending)
            if stat.S_ISLNK(found.st_mode):
                links += 1
                if links > MOST_LINKS or not _is_ours_alone(at, here, shares):
                    raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), os.fspath(path))
                target = Path(os.readlink(name, dir_fd=at))
                pending.extendleft(reversed(target.parts[target.is_absolute() :]))
                if target.is_absolute():
                    here, at = Path("/"), _step(at, "/")
                continue
            here /= name
            if pending:
                at = _step(at, name)
    finally:
        os.close(at)
    return here


def open_without_links(path: Path, flags: int) -> int:
    """Open an absolute path, following no link anywhere in it."""
    root = os.open("/", _STEP)
    try:
        return open_beneath(root, os.fspath(path.relative_to("/")), flags)
    finally:
        os.close(root)


def _step(at: int, name: str) -> int:
    """Return the folder of that name in place of the one that is open."""
    deeper = os.open(name, _STEP, dir_fd=at)
    os.close(at)
    return deeper


def _is_ours_alone(at: int, here: Path, shares: Collection[Path]) -> bool:
    found = os.fstat(at)
    is_closed = found.st_uid in (0, os.geteuid()) and not found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    named = {each for share in shares for each in (os.fspath(share), os.path.realpath(share))}
    return is_closed and not any(map(here.is_relative_to, named)) and not is_network(here)
